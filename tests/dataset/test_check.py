"""`check` finds whatever is wrong with a dataset, in a folder or under a URL."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mhmd.dataset.check import check
from mhmd.errors import DatasetError
from tests.corpus import make_corpus

Change = Callable[[str, bytes], tuple[str, bytes] | None]
SHARD = "train-000000.tar"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    corpus = make_corpus(tmp_path, films=4)
    corpus.shard()
    return tmp_path / "out"


def seal(out: Path) -> None:
    """Make SHA256SUMS true again after a change."""
    files = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(sums))


def retar(path: Path, change: Change) -> None:
    """Rewrite a tar with its members changed."""
    with tarfile.open(path) as tar:
        contents = [(m.name, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]  # all are files
    with tarfile.open(path, "w") as tar:
        for name, data in filter(None, (change(*member) for member in contents)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def change_rows(out: Path, column: str, change: Callable[[list], list]) -> None:
    rows = pq.read_table(out / "samples.parquet")
    place = rows.column_names.index(column)
    changed = pa.array(change(rows[column].to_pylist()), rows.schema.field(column).type)
    pq.write_table(rows.set_column(place, pa.field(column, changed.type), changed), out / "samples.parquet")


def test_a_sound_dataset_has_no_problems(out: Path) -> None:
    assert check(out) == []
    assert check(out, fast=True) == []
    told: list[tuple[int, int, str]] = []
    check(out, progress=lambda *of: told.append(of))
    assert (3, 3, "val-000000.tar") in told  # the last shard opened


@pytest.mark.parametrize("fast", [True, False])
def test_a_flipped_byte_and_a_cut_and_a_lost_and_a_foreign_file_are_found(out: Path, fast: bool) -> None:
    shard = out / SHARD
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    assert check(out, fast=fast) == [f"{SHARD}: its bytes are not those of SHA256SUMS"]
    shard.write_bytes(data[:1000])
    assert check(out, fast=fast) == [f"{SHARD}: its bytes are not those of SHA256SUMS"]
    shard.unlink()
    (out / "val-000009.tar").write_bytes(b"")
    assert check(out, fast=fast) == [f"{SHARD}: is missing", "val-000009.tar: is not listed in SHA256SUMS"]


def without(name: str, data: bytes, ending: str) -> tuple[str, bytes] | None:
    return None if name.endswith(ending) else (name, data)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda n, d: without(n, d, "1.mask.png"), "0000000001 has no mask.png"),
        (lambda n, d: (n, b"\x89PNG") if n.endswith("1.mask.png") else (n, d), "0000000001 is no picture"),
        (lambda n, d: (n, d[:60]) if n.endswith("1.jpg") else (n, d), "0000000001: 60 bytes that are no whole JPEG"),
        (lambda n, d: (n, d.replace(b'"label_id":13', b'"label_id":"13"')), "label_id of film"),
        (lambda n, d: (n, d.replace(b'"label_id":13', b'"label_id":12')), "says label_id 12, samples.parquet 13"),
        (lambda n, d: (n, d.replace(b'"garment":"formal"', b'"garment":"f\xc3\xb6rmal"')), "its JSON says garment"),
        (lambda n, d: (n, d.replace(b'"time_s":1.0', b'"time_s":1')), "time_s of film"),
        (lambda n, d: ("../" + n, d), "is not of a sample"),
        (lambda n, d: without(n, d, ".json"), "has no json"),
        (lambda n, d: None if "0000000001." in n else (n, d), "is not where samples.parquet has it"),
    ],
)
def test_what_is_wrong_inside_a_shard_is_found(out: Path, change: Change, problem: str) -> None:
    retar(out / SHARD, change)
    seal(out)
    assert check(out, fast=True) == []
    problems = check(out)
    assert any(problem in line for line in problems), problems
    assert all(line.startswith(SHARD) for line in problems)


def test_a_link_a_device_and_a_doubled_member_are_found(out: Path) -> None:
    with tarfile.open(out / SHARD, "a") as tar:
        for name, kind in (("a.jpg", tarfile.SYMTYPE), ("b.jpg", tarfile.CHRTYPE), ("c/d.jpg", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    seal(out)
    assert check(out) == [f"{SHARD}: member {name!r} is not of a sample" for name in ("a.jpg", "b.jpg", "c/d.jpg")]


def test_a_tar_cut_short_is_found_even_if_its_sum_is_made_right(out: Path) -> None:
    data = (out / SHARD).read_bytes()
    (out / SHARD).write_bytes(data[:5000])
    seal(out)
    assert any("is no whole tar" in line or "are not in it" in line for line in check(out))


def test_what_the_tables_contradict_is_found_without_opening_a_shard(out: Path) -> None:
    change_rows(out, "key", lambda keys: [keys[1], *keys[1:-1], "a.b"])
    change_rows(out, "label_id", lambda ids: [*ids[:-1], 99])
    seal(out)
    problems = check(out, fast=True)
    assert any("its key comes twice" in line for line in problems)
    assert "sample a.b: its key has a dot, where loaders cut it" in problems
    assert "sample a.b: label 99 is not During WWII / China / formal" in problems


def test_a_title_torn_apart_is_found(out: Path) -> None:
    change_rows(out, "title", lambda titles: ["Title 1", *titles[1:]])
    seal(out)
    assert "title 'Title 1': in train and val" in check(out, fast=True)


def test_counts_and_lists_that_disagree_are_found(out: Path) -> None:
    stats = json.loads((out / "stats.json").read_text())
    stats["samples"]["train"] += 1
    stats["shards"]["val"] = []
    (out / "stats.json").write_text(json.dumps(stats))
    seal(out)
    problems = check(out, fast=True)
    assert "stats.json: 9 samples in train, but samples.parquet has 8" in problems
    assert "val-000000.tar: is not in stats.json" in problems


def test_shards_must_be_enough_for_the_readers(out: Path) -> None:
    assert check(out, readers=2)[0] == ("train: 1 shards are too few for 2 readers; make it with a smaller shard_mb")


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no SHA256SUMS"):
        check(tmp_path)
    with pytest.raises(DatasetError, match="is no folder"):
        check(tmp_path / "nothing")

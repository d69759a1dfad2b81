"""One run at a time makes a dataset; what cannot become one is refused; what is damaged is not passed on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mhmd.dataset.check import check
from mhmd.dataset.place import Place, tidy
from mhmd.dataset.published import is_whole, refuse_foreign
from mhmd.errors import DatasetError, ManifestError, MissingInput, PictureError, StorageError
from mhmd.fresh import is_fresh
from mhmd.make import make
from mhmd.records import Mask, Verdict
from mhmd.stage import CORPUS
from mhmd.stages.shard import STAGE, ShardConfig
from mhmd.storage import Storage
from tests.corpus import Corpus, bytes_of, make_corpus

HOLD = """
import sys
from mhmd.dataset.place import Place
from mhmd.storage import Storage
place = Place(Storage(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return make_corpus(tmp_path, films=6)


def inodes(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in sorted(out.glob("*.tar"))}


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_second_run_into_one_place_is_refused_and_a_killed_one_bars_nobody(corpus: Corpus) -> None:
    command = [sys.executable, "-c", HOLD, corpus.where.out]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DatasetError, match=r"another run of `mhmd shard` is making .*out"):
            corpus.shard()
        corpus.shard_to(f"{corpus.root}/elsewhere")
        other.kill()
    corpus.shard()
    assert check(corpus.root / "out") == []
    assert [path.name for path in corpus.root.glob(".*")] == []


def test_a_shard_that_was_damaged_is_made_again_and_not_linked(corpus: Corpus) -> None:
    corpus.shard(max_samples=3)
    out = corpus.root / "out"
    whole, before = files(out), inodes(out)
    data = bytearray(whole["train-000001.tar"])
    data[700] ^= 1
    (out / "train-000001.tar").write_bytes(data)
    (out / "README.md").unlink()
    corpus.shard(max_samples=3)
    assert files(out) == whole
    assert {name for name, inode in inodes(out).items() if inode != before[name]} == {"train-000001.tar"}


@pytest.mark.parametrize("name", ["train-000000.tar", "samples.parquet", "stats.json", "croissant.json"])
def test_a_dataset_cut_short_is_not_fresh_and_is_made_whole(corpus: Corpus, name: str) -> None:
    corpus.shard()
    out = corpus.root / "out"
    whole = files(out)
    assert is_fresh(STAGE, ShardConfig(), corpus.where, Storage(corpus.where.data), CORPUS, corpus.films)
    (out / name).write_bytes(whole[name][: len(whole[name]) // 2])
    assert not is_fresh(STAGE, ShardConfig(), corpus.where, Storage(corpus.where.data), CORPUS, corpus.films)
    corpus.shard()
    assert files(out) == whole


def test_a_new_place_links_the_equal_shards_of_the_datasets_beside_it(corpus: Corpus) -> None:
    corpus.shard(max_samples=3)
    corpus.shard_to(f"{corpus.root}/second", max_samples=3)
    assert inodes(corpus.root / "second") == inodes(corpus.root / "out")
    (corpus.root / "out" / "stats.json").write_text("no JSON")
    (corpus.root / "second" / "samples.parquet").write_bytes(b"no Parquet")
    corpus.shard_to(f"{corpus.root}/third", max_samples=3)
    assert not inodes(corpus.root / "third").items() & inodes(corpus.root / "out").items()
    assert check(corpus.root / "third") == []


def test_what_lies_in_an_unpublished_folder_is_swept(corpus: Corpus) -> None:
    odd = corpus.root / ".out.partial" / "odd"
    odd.mkdir(parents=True)
    (odd / "x").write_text("x")
    made = corpus.root / ".out.partial" / ".made"
    made.mkdir()
    (made / "train-000000.tar.json").write_text("{")
    corpus.shard()
    assert check(corpus.root / "out") == []
    assert not (corpus.root / "out" / "odd").exists()


def test_a_stale_old_dataset_is_taken_away_when_the_new_one_is_fresh(corpus: Corpus) -> None:
    corpus.shard()
    old = corpus.root / ".out.old"
    old.mkdir()
    (old / "x").write_text("x")
    made = make(STAGE, ShardConfig(), corpus.where, on="serial")
    assert made.count("fresh") == 1
    assert [path.name for path in corpus.root.glob(".*")] == []
    tidy(Storage(corpus.where.out))


def test_places_that_no_dataset_can_take_are_refused(corpus: Corpus) -> None:
    (corpus.root / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cannot write .*file/out.*(File exists|Not a directory)"):
        corpus.shard_to(f"{corpus.root}/file/out")
    with pytest.raises(DatasetError, match="/proc is a mount point"):
        refuse_foreign(Storage("/proc"))
    with pytest.raises(StorageError, match="cannot write"):
        Place(Storage("/proc/self/out"))
    assert not is_whole(Storage(f"{corpus.root}/file/out"), "digest")


def test_a_dataset_without_a_sample_is_refused_with_the_reason(corpus: Corpus) -> None:
    for film in corpus.films:
        corpus.labels(film, (-1, "", "", ""))
    with pytest.raises(MissingInput, match="of 24 kept frames 24 with no label stayed out"):
        corpus.shard(unlabelled="drop")
    for film in corpus.films:
        both = {"film_id": film, "frame_id": corpus.keys(film)}
        corpus.write(film, Verdict, {**both, "kept": [False] * corpus.frames})
    with pytest.raises(MissingInput, match="dedup kept no frame"):
        corpus.shard()
    assert not (corpus.root / "out").exists()


def parsed(corpus: Corpus, film: str, rows: int, classes: list[str]) -> None:
    keys = corpus.keys(film)[:rows]
    refs = pq.read_table(corpus.root / "data" / "masks" / f"{film}.parquet")["ref"].to_pylist()[:rows]
    values = {"film_id": film, "frame_id": keys, "parser": "selfie-multiclass", "ref": refs}
    corpus.write(film, Mask, {**values, "classes": pa.array([classes] * rows, pa.list_(pa.string()))}, rows)


def test_classes_are_those_of_the_masks_that_there_are(corpus: Corpus) -> None:
    parsed(corpus, "film000", 0, [])
    corpus.shard()
    assert len(json.loads((corpus.root / "out" / "stats.json").read_text())["mask_classes"]) == 6
    assert check(corpus.root / "out") == []
    parsed(corpus, "film001", 4, ["background", "person"])
    with pytest.raises(MissingInput, match=r"other classes: .*2 \(background, person\) in film001.*run `mhmd parse`"):
        corpus.shard()


def test_a_film_whose_keys_are_too_long_for_plain_headers_is_refused(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, films=1)
    name = "f" * 81
    longer = replace(corpus, films=(name,))
    for table in (tmp_path / "data").glob("*/film000.parquet"):
        rows = pq.read_table(table)
        for column in {"film_id", "frame_id"} & set(rows.column_names):
            renamed = pa.array([each.replace("film000", name) for each in rows[column].to_pylist()], pa.string())
            rows = rows.set_column(rows.column_names.index(column), rows.schema.field(column), renamed)
        pq.write_table(rows, table.with_stem(name))
    films = {"film_id": [name], "title": ["Title 0"], "path": ["a.mp4"]}
    pq.write_table(pa.table(films), tmp_path / "films.parquet")
    with pytest.raises(ManifestError, match=f"keys of film {name} have more than 91 bytes"):
        longer.shard()


def test_shards_of_pictures_encoded_again_stay_below_their_bound(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    from mhmd.media.jpeg import encode_jpeg

    noise = encode_jpeg(chance.integers(0, 256, (160, 240, 3)).astype(np.uint8), 90)
    corpus = make_corpus(tmp_path, 1, 120, (240, 160), lambda k, n, size: (noise, bytes_of(k, n, size)[1]))
    corpus.shard(shard_mb=1, size=120)
    assert len(inodes(tmp_path / "out")) > 1
    assert max(path.stat().st_size for path in (tmp_path / "out").glob("*.tar")) <= 1 << 20


def test_a_damaged_picture_that_is_to_be_scaled_is_named(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, 1, 2, pictures=lambda k, n, size: (b"no JPEG", bytes_of(k, n, size)[1]))
    with pytest.raises(PictureError, match="film000_000000000"):
        corpus.shard(size=8)

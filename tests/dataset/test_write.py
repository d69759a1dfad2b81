"""Shards are made once, published at once, and taken over by what comes after."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mhmd.dataset.check import check
from mhmd.errors import DatasetError, StorageError
from mhmd.media.jpeg import decode_jpeg, encode_jpeg
from mhmd.parsing.mask import decode_mask, encode_mask
from mhmd.storage import Storage
from tests.corpus import LABEL, Corpus, make_corpus, mask_of, picture_of

OTHER = (0, "Before WWII", "China", "communist uniform")


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def inodes(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in sorted(out.glob("*.tar"))}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Two films a split, twelve frames each."""
    return make_corpus(tmp_path, films=6, frames=12)


def test_bytes_are_copied_and_pictures_scaled_only_if_asked(corpus: Corpus) -> None:
    corpus.shard()
    out = corpus.root / "out"
    assert check(out) == []
    with tarfile.open(out / "train-000000.tar") as tar:
        key = "film003_0000000005"
        jpeg, mask = (tar.extractfile(f"{key}.{of}").read() for of in ("jpg", "mask.png"))  # type: ignore[union-attr]
    assert jpeg in (corpus.root / "data/frames/film003.tar").read_bytes()
    assert np.array_equal(decode_mask(mask, key), mask_of(5, corpus.size))
    assert np.abs(decode_jpeg(jpeg).astype(int) - picture_of(3, 5, corpus.size)).max() < 8
    corpus.shard(size=8)
    assert check(out) == []
    with tarfile.open(out / "train-000000.tar") as tar:
        jpeg, mask = (tar.extractfile(f"{key}.{of}").read() for of in ("jpg", "mask.png"))  # type: ignore[union-attr]
    assert decode_jpeg(jpeg).shape == (8, 12, 3)
    assert decode_mask(mask, key).shape == (8, 12)
    assert set(np.unique(decode_mask(mask, key))) <= set(range(6))


def test_two_builds_are_equal(corpus: Corpus) -> None:
    corpus.shard(max_samples=5)
    first = files(corpus.root / "out")
    (corpus.root / "out").rename(corpus.root / "before")
    corpus.shard(max_samples=5)
    assert files(corpus.root / "out") == first


def test_a_new_label_makes_only_the_shards_anew_that_it_touches(corpus: Corpus) -> None:
    corpus.shard(max_samples=6)
    out = corpus.root / "out"
    before, rows = inodes(out), pq.read_table(out / "samples.parquet")
    touched = {row["shard"] for row in rows.to_pylist() if row["film_id"] == "film004"}
    corpus.labels("film004", OTHER)
    corpus.shard(max_samples=6)
    after = inodes(out)
    assert before.keys() == after.keys()
    assert {name for name in after if after[name] != before[name]} == touched
    assert 0 < len(touched) < len(after)
    assert check(out) == []
    linked = files(out)
    (corpus.root / "out").rename(corpus.root / "before")
    corpus.shard(max_samples=6)
    assert files(out) == linked


def test_what_a_run_that_failed_has_finished_is_taken_over(corpus: Corpus) -> None:
    corpus.shard(max_samples=6)
    whole = files(corpus.root / "out")
    corpus.labels("film000", OTHER)
    corpus.labels("film001", OTHER)
    corpus.labels("film002", OTHER)
    masks = corpus.root / "data/masks/film002.tar"
    masks.rename(masks.with_suffix(".away"))
    with pytest.raises(StorageError, match=r"cannot read .*film002\.tar"):
        corpus.shard(max_samples=6)
    assert files(corpus.root / "out") == whole
    partial = corpus.root / ".out.partial"
    made = inodes(partial)
    masks.with_suffix(".away").rename(masks)
    corpus.shard(max_samples=6)
    now = inodes(corpus.root / "out")
    assert made
    assert all(now[name] == inode for name, inode in made.items())
    assert not partial.exists()
    resumed = files(corpus.root / "out")
    (corpus.root / "out").rename(corpus.root / "resumed")
    corpus.shard(max_samples=6)
    assert files(corpus.root / "out") == resumed


FULL = """
import resource, signal, sys
from pathlib import Path
from mhmd.errors import StorageError
from tests.corpus import Corpus
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
corpus = Corpus(Path(sys.argv[1]), tuple(f"film{k:03d}" for k in range(6)), 12)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
try:
    corpus.shard(shard_mb=1)
except StorageError as error:
    print(error)
"""


def test_a_disk_that_fills_up_publishes_nothing(corpus: Corpus) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(corpus.root)], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout
    assert "File too large" in done.stdout
    assert not (corpus.root / "out").exists()
    assert not list((corpus.root / ".out.partial").glob("*.tar"))
    corpus.shard(shard_mb=1)
    assert check(corpus.root / "out") == []


def test_fewer_shards_leave_none_of_the_old_ones(corpus: Corpus) -> None:
    corpus.shard(max_samples=3)
    corpus.shard()
    assert sorted(inodes(corpus.root / "out")) == ["test-000000.tar", "train-000000.tar", "val-000000.tar"]
    assert check(corpus.root / "out") == []


def test_a_lost_shard_is_made_again_and_files_of_ones_own_are_kept(corpus: Corpus) -> None:
    corpus.shard(max_samples=6)
    out = corpus.root / "out"
    whole = files(out)
    (out / "val-000001.tar").unlink()
    corpus.shard(max_samples=6)
    assert files(out) == whole
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"has thesis\.txt in it"):
        corpus.shard(max_samples=5)
    assert (out / "thesis.txt").read_text() == "mine"


def test_a_run_cut_off_between_its_last_two_renames_loses_nothing(corpus: Corpus) -> None:
    corpus.shard()
    out = corpus.root / "out"
    whole = files(out)
    out.rename(corpus.root / ".out.old")
    corpus.labels("film000", OTHER)
    (corpus.root / "data/masks/film000.tar").unlink()
    with pytest.raises(StorageError):
        corpus.shard()
    assert files(out) == whole
    assert LABEL != OTHER


def test_storage_tells_a_short_read(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write("a.tar", b"12345")
    from mhmd.blobs import Blobs

    with Blobs(storage) as blobs:
        assert blobs.many(["a.tar:1:3", "a.tar:0:5"]) == [b"234", b"12345"]
        with pytest.raises(StorageError, match="ends 2 bytes before"):
            blobs.many(["a.tar:3:4"])


def test_no_shard_is_larger_than_its_bound_when_pictures_grow(tmp_path: Path) -> None:
    """Coarse JPEGs of noise, which have four times the bytes when they are encoded again."""

    def noise(film: int, frame: int, size: tuple[int, int]) -> tuple[bytes, bytes]:
        chance = np.random.default_rng([film, frame])
        picture = chance.integers(0, 256, (size[1], size[0], 3), np.uint8)
        return encode_jpeg(picture, 10), encode_mask(mask_of(frame, size))

    corpus = make_corpus(tmp_path, films=3, frames=24, size=(256, 258), pictures=noise)
    corpus.shard(size=255, shard_mb=1)
    first = files(tmp_path / "out")
    sizes = [len(data) for name, data in first.items() if name.endswith(".tar")]
    assert max(sizes) <= 1 << 20
    assert sum(sizes) > 0.6 * len(sizes) * (1 << 20)
    assert not check(tmp_path / "out")
    corpus.shard_to(str(tmp_path / "again"), size=255, shard_mb=1)
    assert files(tmp_path / "again") == first
    shards = {path.name: path.stat() for path in (tmp_path / "again").glob("*.tar")}
    assert all(found.st_nlink == 2 for found in shards.values())
    rows = pq.read_table(tmp_path / "out" / "samples.parquet")
    assert rows.num_rows == 72

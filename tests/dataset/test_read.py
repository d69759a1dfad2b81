"""Samples by place: in any order or in turn they are the same; what is damaged is named with its place."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mhmd.dataset.read import Shards, described, in_turn, mask_of, picture_of
from mhmd.errors import DatasetError, StorageError
from mhmd.storage import Storage
from tests.corpus import make_corpus

COLUMNS = ("key", "shard", "offset", "size_bytes")
Place = tuple[str, str, int, int]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"))
    corpus.shard(max_samples=2)
    return corpus.root / "out"


@pytest.fixture(params=["here", "far"])
def files(request: pytest.FixtureRequest, out: Path) -> Iterator[Storage]:
    """The dataset in a folder, and a copy of it in a file system without one."""
    import fsspec

    memory = fsspec.filesystem("memory")
    if request.param == "far":
        memory.put(f"{out}/", "/read/", recursive=True)
    yield Storage(str(out) if request.param == "here" else "memory://read")
    if request.param == "far":
        memory.rm("/read", recursive=True)


def places_of(files: Storage) -> list[Place]:
    rows = described(files, COLUMNS)[1]
    return list(zip(*(rows[name].to_pylist() for name in COLUMNS), strict=True))


def test_in_any_order_and_by_many_threads_as_in_turn(files: Storage) -> None:
    places = places_of(files)
    wanted = {key: one for key, *at in places for one in in_turn(files, at[0], [(at[1], at[2])])}
    shards = Shards(files, kept=2)  # fewer than there are
    with ThreadPoolExecutor(4 if files.local else 1) as pool:  # in memory all who read a file share its position
        for _ in range(3):
            again = list(pool.map(lambda place: shards.sample(*place[1:]), reversed(places)))
            assert [one.info.key for one in again] == [key for key, *_ in reversed(places)]
            assert {one.info.key: one for one in again} == wanted


def test_pictures_are_decoded_smaller(out: Path) -> None:
    (key, *at), *_ = places_of(files := Storage(str(out)))
    sample = Shards(files, kept=1).sample(*at)
    whole, half = picture_of(sample), picture_of(sample, 2)
    assert (whole.shape, half.shape, mask_of(sample).shape) == ((16, 24, 3), (8, 12, 3), (16, 24))
    means = whole.reshape(8, 2, 12, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - means).max() < 6
    assert np.abs(half[..., ::-1] - means).max() > 6  # not with the channels turned round
    assert sample.info.key == key


def test_what_is_damaged_or_gone_is_named_with_its_place(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    corpus.shard()
    files = Storage(corpus.where.out)
    _, shard, offset, size = places_of(files)[-1]
    path = tmp_path / "out" / shard
    path.write_bytes(path.read_bytes()[: offset + size - 600])
    with pytest.raises(DatasetError, match=rf"{shard} at byte {offset}: .*run mhmd check"):
        Shards(files, kept=1).sample(shard, offset, size)
    with pytest.raises(DatasetError, match=rf"{shard} at byte {offset}: .*run mhmd check"):
        list(in_turn(files, shard, [(offset, size)]))
    path.write_bytes(bytes(1 << 16))
    with pytest.raises(DatasetError, match=rf"{shard} at byte {offset}"):
        Shards(files, kept=1).sample(shard, offset, size)
    path.unlink()
    with pytest.raises(DatasetError, match=rf"cannot read .*{shard}"):
        Shards(files, kept=1).sample(shard, offset, size)
    with pytest.raises(StorageError, match=rf"cannot read .*{shard}"):
        list(in_turn(files, shard, [(offset, size)]))


def test_two_samples_at_a_place_are_none(out: Path) -> None:
    places = places_of(files := Storage(str(out)))
    (one, shard, offset, size), (other, _, _, more) = places[:2]
    with pytest.raises(DatasetError, match=f"has members of {min(one, other)}, {max(one, other)}"):
        Shards(files, kept=1).sample(shard, offset, size + more)

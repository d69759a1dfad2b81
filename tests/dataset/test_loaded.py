"""Samples out of a DataLoader's workers: whole, whoever holds them for how long, and however the workers start."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

import mhmd
from mhmd.dataset.load import Samples
from mhmd.dataset.loaded import LOANS, Loaded
from tests.corpus import make_corpus

SIZE = (120, 90)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred samples a split, more than are lent at a time."""
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"), films=3, frames=100, size=SIZE)
    corpus.shard()
    return corpus.root / "out"


@pytest.fixture(scope="module")
def wanted(out: Path) -> dict[str, Loaded]:
    return {sample.info.key: sample for sample in mhmd.load(out)}


def is_whole(found: list[Loaded], wanted: dict[str, Loaded]) -> bool:
    return all(
        torch.equal(one.picture, wanted[one.info.key].picture)
        and torch.equal(one.mask, wanted[one.info.key].mask)
        and one.info == wanted[one.info.key].info
        for one in found
    )


def files_open() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # its names are numbers


class Reshaped(IterableDataset[Loaded]):
    """What a user makes of the samples in a worker: each twice, changed in place, cut, one channel of it."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __iter__(self) -> Iterator[Loaded]:
        for one in self._samples:
            yield one
            yield one
            yield Loaded(one.picture[:, :40, :50], one.mask[:40, :50], one.info)
            yield Loaded(one.picture[:, :40], one.mask[:40], one.info)
            yield Loaded(one.picture[:1], one.mask, one.info)
            yield Loaded(one.picture.float(), one.mask.view(torch.int8), one.info)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_who_keeps_all_samples_finds_them_as_they_came(out: Path, wanted: dict[str, Loaded], context: str) -> None:
    before = files_open()
    loader = DataLoader(mhmd.load(out), batch_size=None, num_workers=1, multiprocessing_context=context)
    kept = list(loader)
    assert len(kept) == len(wanted)
    assert before + LOANS <= files_open() < before + LOANS + 20
    assert is_whole(kept, wanted)
    del kept
    assert files_open() < before + 20


def test_memory_that_was_given_back_is_used_again(out: Path, wanted: dict[str, Loaded]) -> None:
    loader = DataLoader(mhmd.load(out), batch_size=None, num_workers=1, persistent_workers=True)
    held: list[Loaded] = []
    for _ in range(3):
        for number, one in enumerate(loader):
            held.append(one)
            if number % 7 == 0:
                del held[:-3]
            assert is_whole(held[-4:], wanted)
    one.picture.zero_()
    assert is_whole(held[:-1], wanted)


def test_few_trays_are_enough_for_who_keeps_nothing(out: Path) -> None:
    samples = iter(DataLoader(mhmd.load(out), batch_size=None, num_workers=1))
    for number, _ in enumerate(samples):
        if number == 90:
            break
    files = Path(f"/proc/{samples._workers[0].pid}/fd")
    trays = next(file for file in files.iterdir() if "mhmd-trays" in str(file.readlink()))
    assert 0 < trays.stat().st_blocks * 512 < 12 * 4 * (SIZE[0] * SIZE[1] + 1024)


def test_an_epoch_left_early_harms_none(out: Path, wanted: dict[str, Loaded]) -> None:
    loader = DataLoader(mhmd.load(out, shuffle=9), batch_size=None, num_workers=2, persistent_workers=True)
    for leaves in (3, 1):
        for number, one in enumerate(loader):
            assert is_whole([one], wanted)
            if number == leaves:
                break
    found = list(loader)
    assert sorted(one.info.key for one in found) == sorted(wanted)
    assert is_whole(found, wanted)


def test_many_to_a_message_and_far_ahead(out: Path, wanted: dict[str, Loaded]) -> None:
    loader = DataLoader(mhmd.load(out), batch_size=20, collate_fn=list, num_workers=1, prefetch_factor=9)
    found = [one for batch in loader for one in batch]
    assert [one.info.key for one in found] == list(wanted)
    assert is_whole(found, wanted)


def test_what_was_changed_in_a_worker_comes_as_it_was_made(out: Path, wanted: dict[str, Loaded]) -> None:
    found = list(DataLoader(Reshaped(mhmd.load(out)), batch_size=None, num_workers=1))
    assert len(found) == 6 * len(wanted)
    assert is_whole(found[::6] + found[1::6], wanted)
    for one in found:
        whole = wanted[one.info.key]
        channels, height, width = one.picture.shape
        assert torch.equal(one.picture, whole.picture[:channels, :height, :width].to(one.picture.dtype))
        assert torch.equal(one.mask, whole.mask[: one.mask.shape[0], : one.mask.shape[1]].to(one.mask.dtype))
    shapes = [(tuple(one.picture.shape), tuple(one.mask.shape), one.picture.dtype) for one in found[2:6]]
    assert shapes == [
        ((3, 40, 50), (40, 50), torch.uint8),
        ((3, 40, 120), (40, 120), torch.uint8),
        ((1, 90, 120), (90, 120), torch.uint8),
        ((3, 90, 120), (90, 120), torch.float32),
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # torch tells it again while it ends
def test_a_worker_that_dies_is_told(out: Path) -> None:
    samples = iter(DataLoader(mhmd.load(out), batch_size=None, num_workers=1))
    kept = next(samples)
    os.kill(samples._workers[0].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="worker"):
        list(samples)
    assert int(kept.mask.max()) == 5

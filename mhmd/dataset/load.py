"""Reading a dataset: typed samples in exact epochs, split among ranks and workers by the sample."""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info
from webdataset.filters import shuffle as shuffled

import mhmd.media.opencv  # noqa: F401  # once, here: workers that are forked would each import it, every epoch
from mhmd.dataset.loaded import Loaded, laid
from mhmd.dataset.read import described, in_turn, mask_of, picture_of
from mhmd.errors import DatasetError
from mhmd.records import SampleInfo
from mhmd.sample import Sample
from mhmd.splits import Split
from mhmd.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa

Names = tuple[str, str, str]

AHEAD = 4
"""Samples a thread that are decoded before they are asked for."""


class Samples(IterableDataset[Loaded]):
    """The samples of a split, each exactly once an epoch over all ranks and workers together."""

    def __init__(
        self,
        out: str,
        split: Split,
        *,
        shuffle: int,
        threads: int,
        seed: int,
        even: bool,
        overlay: Mapping[str, tuple[int, Names]],
    ) -> None:
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # torch's own
        self._files = Storage(out)
        self._shuffle, self._threads, self._seed, self._even, self._overlay = shuffle, threads, seed, even, overlay
        stats, rows = described(self._files, ("split", "shard", "offset", "size_bytes"))
        self._shards = _places(rows, split)
        self._count = sum(len(offsets) for offsets, _ in self._shards.values())
        if not self._count:
            raise DatasetError(f"the {split} split of {out} is empty", wanted="samples", do="name another split")
        self._labels: list[Names] = [(era, nat, gar) for era, nat, gar in stats["labels"]]

    @property
    def epoch(self) -> int:
        """The epoch that the next pass goes through. A DataLoader's workers see it, but cannot count it up: set it."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._epoch.fill_(number)

    def __len__(self) -> int:
        """How many samples this rank gets an epoch."""
        first, end = self._of_rank()
        return end - first

    def __iter__(self) -> Iterator[Loaded]:
        """The samples of this rank and worker. Without workers `epoch` goes up by itself."""
        epoch, worker = self.epoch, get_worker_info()
        if worker is None:
            self.epoch = epoch + 1
        chance = random.Random(f"{self._seed} {epoch}")
        order = sorted(self._shards)
        if self._shuffle:
            chance.shuffle(order)
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        first, end = self._of_rank()
        length = end - first
        first, end = first + number * length // workers, first + (number + 1) * length // workers
        samples = self._read(order, first, end)
        if self._shuffle:
            mine = random.Random(f"{self._seed} {epoch} {first}")
            samples = shuffled(self._shuffle, initial=self._shuffle, rng=mine)(samples)
        if not self._threads:
            yield from map(self._decoded, samples)
            return
        with ThreadPoolExecutor(self._threads, thread_name_prefix="load") as pool:
            ahead: deque[Future[Loaded]] = deque()
            try:
                for sample in samples:
                    ahead.append(pool.submit(self._decoded, sample))
                    if len(ahead) > AHEAD * self._threads:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _decoded(self, sample: Sample) -> Loaded:
        return laid(picture_of(sample), mask_of(sample), self._named(sample.info))

    def _of_rank(self) -> tuple[int, int]:
        """First and end of the samples of this rank, in an epoch's order."""
        rank, ranks = _rank()
        if self._even:
            each = -(-self._count // ranks)
            return rank * each, (rank + 1) * each
        return rank * self._count // ranks, (rank + 1) * self._count // ranks

    def _read(self, order: list[str], first: int, end: int) -> Iterator[Sample]:
        """Samples [first, end) in the order of the shards, from the start again after the last."""
        while first < end:
            before = 0
            for shard in order:
                offsets, sizes = self._shards[shard]
                low, high = (min(max(0, at - before), len(offsets)) for at in (first, end))
                before += len(offsets)
                if low < high:
                    places = zip(offsets[low:high].tolist(), sizes[low:high].tolist(), strict=True)
                    yield from in_turn(self._files, shard, places)
            first, end = max(0, first - self._count), end - self._count

    def _named(self, info: SampleInfo) -> SampleInfo:
        """The info with newer labels, where there are any."""
        if info.key not in self._overlay:
            return info
        label_id, names = self._overlay[info.key]
        era, nationality, garment = names
        era_id, nationality_id, garment_id = (
            _index([each[k] for each in self._labels], name) for k, name in enumerate(names)
        )
        return replace(
            info,
            label_id=label_id,
            era_id=era_id,
            nationality_id=nationality_id,
            garment_id=garment_id,
            era=era,
            nationality=nationality,
            garment=garment,
        )


def load(
    out: str | Path,
    split: Split = "train",
    *,
    shuffle: int = 0,
    threads: int = 0,
    seed: int = 0,
    even: bool = False,
    labels: str | Path | None = None,
) -> Samples:
    """The samples of a split of a dataset in a folder or under a URL: an `IterableDataset` for a DataLoader.

    Every epoch has every sample once, dealt to the ranks of torch.distributed (or of RANK and WORLD_SIZE) and to the
    workers of each by the sample, so that there may be fewer shards than of them. With `even` every rank gets
    ⌈samples / ranks⌉, the first ones twice where they do not go round: for steps that ranks take together.

    With `shuffle` the shards come in an order of their own each epoch, and so many samples are held to draw from;
    0 keeps the order of the shards. So many `threads` decode ahead, in the same order: decoders leave the interpreter
    free. In a DataLoader leave them at 0 and give it workers: samples come over in memory that is used again once
    nobody holds them. `labels` overlays newer ones by key: a Parquet file, or a folder of them such as the `labels` of
    a workspace, with the columns of the table `labels`. Pictures differ in size: batch them with `batch_size=None`, or
    after a crop of your own.

    Raises DatasetError when there is no dataset, the split is empty, or a sample is damaged.
    """
    overlay = {} if labels is None else _overlay(str(labels))
    return Samples(str(out), split, shuffle=shuffle, threads=threads, seed=seed, even=even, overlay=overlay)


def _places(rows: pa.Table, split: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Offsets and sizes of the samples of each shard."""
    import pyarrow.compute as pc

    rows = rows.filter(pc.equal(rows["split"], split))
    shards = rows["shard"].to_numpy(zero_copy_only=False)
    offsets, sizes = rows["offset"].to_numpy(), rows["size_bytes"].to_numpy()
    bounds = [0, *(np.flatnonzero(shards[1:] != shards[:-1]) + 1).tolist(), len(shards)]
    return {shards[low]: (offsets[low:high], sizes[low:high]) for low, high in pairwise(bounds) if low < high}


def _overlay(place: str) -> dict[str, tuple[int, Names]]:
    import pyarrow.dataset as ds

    columns = ["frame_id", "label_id", "era", "nationality", "garment"]
    try:
        rows = ds.dataset(place, format="parquet").to_table(columns=columns).to_pydict()
    except (OSError, ValueError) as error:
        raise DatasetError(f"labels {place}: {error}", wanted=", ".join(columns), do="name a table of labels") from None
    names = zip(*([name or "" for name in rows[of]] for of in columns[2:]), strict=True)
    return dict(zip(rows["frame_id"], zip(rows["label_id"], names, strict=True), strict=True))


def _index(names: list[str], name: str) -> int:
    distinct = list(dict.fromkeys(names))
    return distinct.index(name) if name in distinct else -1


def _rank() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))

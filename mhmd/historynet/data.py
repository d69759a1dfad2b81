"""From shards to batches: read and decode in threads, then everything else on the device, for a whole batch at once.

Which samples make a batch, and how each is cut, flipped and aged, depends on the config and the place in the plan
alone. So training can go on at any step, and how many threads or devices there are changes nothing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from mhmd.dataset.read import Shards
from mhmd.errors import DatasetError
from mhmd.historynet.archive import Aging, aged, drawn_aging
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.cut import Cut, cut_out, square_cut, whole_cut
from mhmd.historynet.damage import Damage
from mhmd.historynet.dataset import Dataset, SplitRows
from mhmd.historynet.lab import linear_to_lab, srgb_to_linear
from mhmd.historynet.plan import SHARDS_AT_ONCE, Plan
from mhmd.splits import Split

BATCHES_AHEAD = 3
OPEN_SHARDS = 2 * SHARDS_AT_ONCE + 2
"""Of the samples that are mixed now, and of those that come next."""


@dataclass(frozen=True, slots=True)
class Batch:
    """N pictures of H×W px, on the device that trains."""

    seen: Tensor  # N, 1, H, W in [0, 1]: L / 100 as the generator is given it, aged or not
    lightness: Tensor  # N, 1, H, W in [0, 1]: L / 100
    ab: Tensor  # N, 2, H, W, CIELAB units
    mask: Tensor | None  # N, H, W, class index; None where there are no masks
    labels: Tensor  # N, 4: label, era, nationality, garment; -1 = none
    keys: tuple[str, ...]
    number: int  # of the batch, from 0; of all that are or were made, on whatever device


@dataclass(frozen=True, slots=True)
class Part:
    """Which of the equal parts of every batch are read here: those of rank 0 come first."""

    rank: int = 0
    ranks: int = 1


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be read for one batch."""

    number: int
    epoch: int  # that of its first sample
    rows: Sequence[int]
    cuts: Sequence[Cut]
    agings: Sequence[Aging | None]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A batch whose samples are being read into `rgb` (N, H, W, 3) and `mask` (N, H, W)."""

    task: _Task
    rgb: Tensor
    mask: Tensor | None
    done: Sequence[Future[DatasetError | int]]


@dataclass(frozen=True, slots=True)
class _Source:
    shards: Shards
    rows: SplitRows
    masks: bool
    pinned: bool
    fills: bool  # whether batches stay full where a sample is damaged


def train_batches(
    dataset: Dataset,
    config: TrainConfig,
    first_step: int,
    device: torch.device,
    *,
    part: Part = Part(),
    workers: int = 4,
    damage: Damage | None = None,
) -> Generator[Batch, None, None]:
    """Endless training batches, from step `first_step` (from 0) on: `accumulate` a step, a rank's own parts of it.

    Each epoch has exactly as many places as the train split has samples; a batch may lie over the end of one. Samples
    that cannot be read are replaced by others of their batch, or by any where none of it can be, and told to `damage`.
    Raises DatasetError when that says so.
    """
    rows = dataset.split("train")
    source = _Source(
        Shards(dataset.files, OPEN_SHARDS), rows, bool(config.weight_parsing), device.type == "cuda", fills=True
    )
    tasks = _train_tasks(rows, config, first_step, part)
    return _batches(source, tasks, dataset, device, workers, damage or Damage(rows.samples, config.max_damaged))


def split_batches(
    dataset: Dataset,
    name: Split,
    short_side_px: int,
    batch: int,
    device: torch.device,
    *,
    pictures: int | None = None,
    workers: int = 4,
    damage: Damage | None = None,
) -> Generator[Batch, None, None]:
    """The pictures of a split, once, in order, whole, with this short side; only its first `pictures` where given.

    A batch holds pictures of one size. Raises DatasetError when the split is empty; for a sample that cannot be read,
    too, unless `damage` lets it be left out.
    """
    rows = dataset.split(name)
    source = _Source(
        Shards(dataset.files, OPEN_SHARDS), rows, bool(dataset.mask_classes), device.type == "cuda", fills=False
    )
    tasks = _whole_tasks(rows, short_side_px, batch, min(pictures or rows.samples, rows.samples))
    return _batches(source, tasks, dataset, device, workers, damage or Damage(rows.samples, 0))


def _train_tasks(rows: SplitRows, config: TrainConfig, first_step: int, part: Part) -> Iterator[_Task]:
    plan = Plan(rows, config.seed, config.balance)
    parts = part.ranks * config.accumulate
    size = config.batch // parts
    step = first_step
    while True:
        for number in range(part.rank * config.accumulate, (part.rank + 1) * config.accumulate):
            position = step * config.batch + number * size
            chosen = plan.rows(position, size).tolist()
            cuts = [square_cut(config, position + n, *rows.sizes[row].tolist()) for n, row in enumerate(chosen)]
            agings = [drawn_aging(config.seed, position + n, config.archive) for n in range(size)]
            yield _Task(step * parts + number, position // rows.samples, chosen, cuts, agings)
        step += 1


def _whole_tasks(rows: SplitRows, short_side_px: int, batch: int, count: int) -> Iterator[_Task]:
    cuts = [whole_cut(short_side_px, width, height) for width, height in rows.sizes[:count].tolist()]
    number = 0
    for _, same in groupby(range(count), key=lambda row: cuts[row].size):
        run = list(same)
        for first in range(0, len(run), batch):
            chosen = run[first : first + batch]
            yield _Task(number, 0, chosen, [cuts[row] for row in chosen], [None] * len(chosen))
            number += 1


def _batches(
    source: _Source, tasks: Iterable[_Task], dataset: Dataset, device: torch.device, workers: int, damage: Damage
) -> Generator[Batch, None, None]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    ahead: deque[_Reading] = deque()
    try:
        for task in tasks:
            ahead.append(_begun(source, task, pool))
            if len(ahead) > BATCHES_AHEAD:
                yield from _made(source, ahead.popleft(), dataset, device, damage)
        while ahead:
            yield from _made(source, ahead.popleft(), dataset, device, damage)
    finally:
        pool.shutdown(cancel_futures=True)


def _begun(source: _Source, task: _Task, pool: ThreadPoolExecutor) -> _Reading:
    count, (width, height) = len(task.rows), task.cuts[0].size
    rgb = torch.empty((count, height, width, 3), dtype=torch.uint8, pin_memory=source.pinned)
    mask = None
    if source.masks:
        mask = torch.empty((count, height, width), dtype=torch.uint8, pin_memory=source.pinned)
    done = [pool.submit(_read, source, task, slot, rgb, mask) for slot in range(count)]
    return _Reading(task, rgb, mask, done)


def _read(source: _Source, task: _Task, slot: int, rgb: Tensor, mask: Tensor | None) -> DatasetError | int:
    """Put one sample into its slot, and give its highest class; what is wrong with it is given, too, not raised."""
    row, rows = task.rows[slot], source.rows
    shard, key, (offset, size_bytes) = rows.shards[rows.shard[row]], rows.keys[row].as_py(), rows.places[row].tolist()
    try:
        sample = source.shards.sample(shard, offset, size_bytes)
        if sample.info.key != key:
            raise DatasetError(f"{shard} has {sample.info.key} for {key}", wanted="that sample", do="run mhmd check")
        picture, classes = cut_out(sample, task.cuts[slot], source.masks)
    except DatasetError as error:
        return error
    np.copyto(rgb[slot].numpy(), picture)
    if mask is None or classes is None:
        return 0
    np.copyto(mask[slot].numpy(), classes)
    return int(classes.max())


def _made(
    source: _Source, reading: _Reading, dataset: Dataset, device: torch.device, damage: Damage
) -> Iterator[Batch]:
    """The batch of what was read; none when it need not be full and nothing of it could be read."""
    task, rgb, mask = reading.task, reading.rgb, reading.mask
    read = [future.result() for future in reading.done]
    whole = [slot for slot, found in enumerate(read) if not isinstance(found, DatasetError)]
    for found in read:
        if isinstance(found, DatasetError):
            damage.note(found, task.epoch)
    if source.fills and not whole:
        task, highest = _spare(source, task, rgb, mask, damage)
        whole, read[0] = [0], highest
    if not whole:
        return
    taken = whole
    if source.fills:
        lost = set(range(len(read))) - set(whole)
        taken = [whole[slot % len(whole)] if slot in lost else slot for slot in range(len(read))]
    if len(whole) < len(read):
        rgb, mask = rgb[taken], None if mask is None else mask[taken]
    rows = np.asarray(task.rows)[taken]
    agings = [task.agings[slot] for slot in taken]
    keys = tuple(source.rows.keys.take(rows).to_pylist())
    highest = max(found for found in read if not isinstance(found, DatasetError))
    if mask is not None and highest >= len(dataset.mask_classes):
        raise DatasetError(
            f"a mask among {', '.join(keys)} has class {highest}",
            wanted=f"less than {len(dataset.mask_classes)}, the number of mask classes",
            do="run mhmd check",
        )
    yield on_device(rgb, mask, torch.from_numpy(source.rows.labels[rows]), agings, keys, task.number, device)


def _spare(source: _Source, task: _Task, rgb: Tensor, mask: Tensor | None, damage: Damage) -> tuple[_Task, int]:
    """Any sample that can be read, put into the first slot of a batch of which none could; and its highest class."""
    chance = random.Random(f"spare {task.number}")
    while True:
        rows = [chance.randrange(source.rows.samples), *task.rows[1:]]
        found = _read(source, task := replace(task, rows=rows), 0, rgb, mask)
        if not isinstance(found, DatasetError):
            return task, found
        damage.note(found, task.epoch)  # which says, in the end, that it is enough


def on_device(
    rgb: Tensor,
    mask: Tensor | None,
    labels: Tensor,
    agings: Sequence[Aging | None],
    keys: tuple[str, ...],
    number: int,
    device: torch.device,
) -> Batch:
    """A batch of 8-bit RGB (N, H, W, 3), masks (N, H, W) and labels (N, 4) as they were read."""
    linear = srgb_to_linear(rgb.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255)  # N, 3, H, W
    lab = linear_to_lab(linear)  # N, 3, H, W
    lightness = lab[:, :1] / 100
    return Batch(
        seen=aged(linear, lightness, agings),
        lightness=lightness,
        ab=lab[:, 1:],
        mask=None if mask is None else mask.to(device, non_blocking=True).long(),
        labels=labels.to(device, non_blocking=True).long(),
        keys=keys,
        number=number,
    )

"""From shards to batches: read, shuffle, decode, cut to a square, stack, to Lab.

Which samples make batch k, and how each is cut and flipped, depends on the seed and k alone. So training can go on
at any step, and how many threads decode changes nothing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from tarfile import TarError

import fsspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from webdataset.filters import shuffle
from webdataset.tariterators import group_by_keys, tar_file_expander

from mhmd.errors import DatasetError
from mhmd.historynet.dataset import Dataset, Split, SplitShards
from mhmd.historynet.lab import scale_ab, srgb_to_lab
from mhmd.media.opencv import cv2
from mhmd.sample import Sample, from_members

SHUFFLED_SAMPLES = 512
"""Undecoded samples held to draw from; shards are in random order besides, and mix films already."""
_THREADS = 4
_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """N squares of S×S px, on the device that trains."""

    lightness: Tensor  # N, 1, S, S in [0, 1]
    ab: Tensor  # N, 2, S, S in [0, 1], 0.5 is neutral
    mask: Tensor  # N, 1, S, S in [0, 1]: class index / (classes − 1), the mask's gray level
    labels: Tensor  # N, label_id, -1 = none
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Square:
    rgb: NDArray[np.uint8]  # S, S, 3
    mask: NDArray[np.uint8]  # S, S
    label: int
    key: str


def train_batches(
    dataset: Dataset, size_px: int, batch: int, seed: int, first_step: int, device: torch.device
) -> Generator[Batch, None, None]:
    """Endless training batches, from that of step `first_step` (from 0) on.

    Each epoch goes once through the train split in an order of its own; a batch may lie over the end of an epoch.
    Every picture is scaled to a short side of `size_px`, cut at random along the long side, and flipped half the time.
    Raises DatasetError when the split has fewer samples than a batch, or others than stats.json says.
    """
    split = dataset.train
    if split.samples < batch:
        raise DatasetError(
            f"the train split of {dataset.url} has {split.samples} samples",
            wanted=f"at least a batch, {batch}",
            do="add films, or make batch smaller",
        )

    def cut(position: int, sample: Sample) -> _Square:
        chance = random.Random(f"cut {seed} {position}")
        return _square(sample, size_px, chance.random(), chance.random() < 0.5)

    first = first_step * batch
    samples = enumerate(_endless(dataset, split, seed, first), start=first)
    return _batches(samples, cut, batch, len(dataset.mask_classes), device)


def split_batches(
    dataset: Dataset, name: Split, size_px: int, batch: int, device: torch.device, pictures: int | None = None
) -> Generator[Batch, None, None]:
    """The batches of a split, once, in order, cut from the middle; only its first `pictures` where given.

    Raises DatasetError when the split is empty.
    """
    split = dataset.split(name)
    if split.samples == 0:
        raise DatasetError(
            f"the {name} split of {dataset.url} is empty", wanted="samples", do="give a title to it with mhmd split"
        )

    def cut(position: int, sample: Sample) -> _Square:  # noqa: ARG001  # the middle, whatever the position
        return _square(sample, size_px, 0.5, False)

    samples = enumerate(islice(_samples(dataset, split.shards), pictures))
    return _batches(samples, cut, batch, len(dataset.mask_classes), device)


def _endless(dataset: Dataset, split: SplitShards, seed: int, first: int) -> Iterator[Sample]:
    epoch, skipped = divmod(first, split.samples)
    for number in count(epoch):
        chance = random.Random(f"order {seed} {number}")
        shards = chance.sample(split.shards, len(split.shards))
        seen = 0
        for sample in shuffle(SHUFFLED_SAMPLES, initial=SHUFFLED_SAMPLES, rng=chance)(_samples(dataset, shards)):
            seen += 1
            if number > epoch or seen > skipped:
                yield sample
        if seen != split.samples:
            raise DatasetError(
                f"the train shards of {dataset.url} hold {seen} samples",
                wanted=f"{split.samples}, as its stats.json says",
                do="run mhmd check",
            )


def _samples(dataset: Dataset, shards: tuple[str, ...] | list[str]) -> Iterator[Sample]:
    for shard in shards:
        url = f"{dataset.url.rstrip('/')}/{shard}"
        try:
            with fsspec.open(url, "rb") as stream:
                for found in group_by_keys(tar_file_expander([{"url": url, "stream": stream}])):
                    yield from_members(found["__key__"], found)
        except (OSError, TarError, ValueError) as error:
            raise DatasetError(
                f"shard {url}: {error}", wanted="a readable tar of samples", do="run mhmd check"
            ) from None


def _batches(
    samples: Iterator[tuple[int, Sample]],
    cut: Callable[[int, Sample], _Square],
    batch: int,
    mask_classes: int,
    device: torch.device,
) -> Generator[Batch, None, None]:
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="decode") as pool:
        ahead: deque[Future[_Square]] = deque()
        for position, sample in samples:
            ahead.append(pool.submit(cut, position, sample))
            if len(ahead) == batch * (1 + _BATCHES_AHEAD):
                yield _stacked([ahead.popleft().result() for _ in range(batch)], mask_classes, device)
        while ahead:
            squares = [ahead.popleft().result() for _ in range(min(batch, len(ahead)))]
            yield _stacked(squares, mask_classes, device)


def _stacked(squares: list[_Square], mask_classes: int, device: torch.device) -> Batch:
    rgb = torch.from_numpy(np.stack([square.rgb for square in squares])).to(device)  # N, S, S, 3
    masks = np.stack([square.mask for square in squares])
    if masks.max() >= mask_classes:
        raise DatasetError(
            f"a mask among {', '.join(square.key for square in squares)} has class {masks.max()}",
            wanted=f"less than {mask_classes}, the number of mask classes",
            do="run mhmd check",
        )
    mask = torch.from_numpy(masks).to(device)  # N, S, S
    lab = srgb_to_lab(rgb.permute(0, 3, 1, 2).float() / 255)  # N, 3, S, S
    return Batch(
        lightness=lab[:, :1] / 100,
        ab=scale_ab(lab[:, 1:]),
        mask=mask[:, None].float() / max(mask_classes - 1, 1),
        labels=torch.tensor([square.label for square in squares], device=device),
        keys=tuple(square.key for square in squares),
    )


def _square(sample: Sample, size_px: int, place: float, flip: bool) -> _Square:
    key = sample.info.key
    bgr = _decoded(sample.jpeg, cv2.IMREAD_COLOR, key)
    mask = _decoded(sample.mask_png, cv2.IMREAD_UNCHANGED, key)
    if mask.shape != bgr.shape[:2]:
        raise DatasetError(
            f"the mask of {key} is {mask.shape}", wanted=f"the picture's {bgr.shape[:2]}", do="run mhmd check"
        )
    height, width = mask.shape
    scale = size_px / min(height, width)
    size = (max(size_px, round(width * scale)), max(size_px, round(height * scale)))
    rgb = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)[..., ::-1]
    classes = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    left, top = round(place * (size[0] - size_px)), round(place * (size[1] - size_px))
    window = np.s_[top : top + size_px, left : left + size_px]
    way = -1 if flip else 1
    return _Square(
        np.ascontiguousarray(rgb[window][:, ::way], np.uint8),
        np.ascontiguousarray(classes[window][:, ::way], np.uint8),
        sample.info.label_id,
        key,
    )


def _decoded(data: bytes, flags: int, key: str) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if picture is None:
        raise DatasetError(f"a picture of {key} cannot be decoded", wanted="JPEG and PNG", do="run mhmd check")
    return np.asarray(picture, np.uint8)

"""From a sample's bytes to the piece of it that the network sees; in threads, so everything here is OpenCV's."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mhmd.errors import DatasetError
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.tars import Pictures
from mhmd.media.opencv import cv2

NARROWEST, WIDEST = 3 / 4, 2.0
"""Aspects of crops, before they are squashed to squares: global features of whole pictures are then nothing new."""
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a picture, in shares of its width and height, and the size and hand it is brought to."""

    left: float
    top: float
    width: float
    height: float
    size: tuple[int, int]  # width, height, px
    flip: bool = False


def square_cut(config: TrainConfig, position: int, width: int, height: int) -> Cut:
    """How the sample at a place of the plan becomes a square; depends on the config and the place alone."""
    side = (config.size_px, config.size_px)
    if config.framing == "squash":
        return Cut(0, 0, 1, 1, side)
    chance = random.Random(f"cut {config.seed} {position}")
    area = width * height * chance.uniform(config.min_crop, 1)
    aspect = math.exp(chance.uniform(math.log(NARROWEST), math.log(WIDEST)))
    across, down = min(1, math.sqrt(area * aspect) / width), min(1, math.sqrt(area / aspect) / height)
    left, top = chance.random() * (1 - across), chance.random() * (1 - down)
    return Cut(left, top, across, down, side, flip=chance.random() < 0.5)


def whole_cut(short_side_px: int, width: int, height: int) -> Cut:
    """All of a picture, with this short side."""
    scale = short_side_px / min(width, height)
    return Cut(0, 0, 1, 1, (max(short_side_px, round(width * scale)), max(short_side_px, round(height * scale))))


def cut_out(pictures: Pictures, cut: Cut, size: tuple[int, int], key: str) -> tuple[NDArray[np.uint8], Any]:
    """The part of a picture as 8-bit BGR (h, w, 3), and of its mask as class indices (h, w), None without one.

    `size` is the picture's (width, height) in px: a JPEG is decoded at a half, a quarter or an eighth where that is
    still no smaller than what is asked for. Raises DatasetError for bytes that are no pictures.
    """
    spare = min(cut.width * size[0] / cut.size[0], cut.height * size[1] / cut.size[1])
    flags = next((flag for factor, flag in _REDUCED.items() if spare >= factor), cv2.IMREAD_COLOR)
    bgr = _part(_decoded(pictures.jpeg, flags, key), cut, None)
    if pictures.mask_png is None:
        return bgr, None
    return bgr, _part(_decoded(pictures.mask_png, cv2.IMREAD_GRAYSCALE, key), cut, cv2.INTER_NEAREST)


def _part(picture: NDArray[np.uint8], cut: Cut, interpolation: int | None) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    left, top = round(cut.left * width), round(cut.top * height)
    right = max(left + 1, round((cut.left + cut.width) * width))
    bottom = max(top + 1, round((cut.top + cut.height) * height))
    part = picture[top:bottom, left:right]
    if interpolation is None:
        shrinks = part.shape[1] > cut.size[0] or part.shape[0] > cut.size[1]
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    made = cv2.resize(part, cut.size, interpolation=interpolation)
    return np.asarray(cv2.flip(made, 1) if cut.flip else made, np.uint8)


def _decoded(data: bytes, flags: int, key: str) -> NDArray[np.uint8]:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:
        raise DatasetError(f"a picture of {key}: {error.err}", wanted="JPEG and PNG", do="run mhmd check") from None
    if picture is None:
        raise DatasetError(f"a picture of {key} cannot be decoded", wanted="JPEG and PNG", do="run mhmd check")
    return np.asarray(picture, np.uint8)

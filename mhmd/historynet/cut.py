"""From a sample's bytes to the piece of it that the network sees; in threads, so everything here is OpenCV's."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mhmd.dataset.read import mask_of, picture_of
from mhmd.historynet.config import TrainConfig
from mhmd.media.opencv import cv2
from mhmd.sample import Sample

NARROWEST, WIDEST = 3 / 4, 2.0
"""Aspects of crops, before they are squashed to squares: global features of whole pictures are then nothing new."""


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


def cut_out(sample: Sample, cut: Cut, masks: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The part of a picture as 8-bit RGB (h, w, 3), and of its mask as class indices (h, w) where asked for.

    A JPEG is decoded at a half, a quarter or an eighth where that is still no smaller than what is asked for. Raises
    DatasetError for bytes that are no pictures.
    """
    spare = min(cut.width * sample.info.width / cut.size[0], cut.height * sample.info.height / cut.size[1])
    shrunk = next(factor for factor in (8, 4, 2, 1) if spare >= factor or factor == 1)
    rgb = _part(picture_of(sample, shrunk), cut, None)
    return rgb, _part(mask_of(sample), cut, cv2.INTER_NEAREST) if masks else None


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

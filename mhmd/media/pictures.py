"""Pictures of one film's frames: cut to inside the bars, in right colours, scaled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mhmd.media.colour import ToRgb
from mhmd.media.jpeg import shrink
from mhmd.media.probe import Probe

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from numpy.typing import NDArray

SMALL_WIDTH_PX = 256
"""Width to which whole frames are scaled down for detectors."""


class Pictures:
    """Makes them. One for a film, because FFmpeg's scaler is kept between frames."""

    def __init__(self, probe: Probe, short_side_px: int) -> None:
        """`short_side_px` of the pictures to store; 0 leaves them as they are."""
        crop = probe.crop
        self._part = slice(crop.y, crop.y + crop.h), slice(crop.x, crop.x + crop.w)
        self._to_rgb = ToRgb(probe.colour)
        self._short_side_px = short_side_px
        scale = min(1.0, SMALL_WIDTH_PX / probe.width)
        self._small_size = (max(1, round(probe.width * scale)), max(1, round(probe.height * scale)))
        rows = _scaled(crop.y, crop.h, self._small_size[1] / probe.height)
        self._small_part = rows, _scaled(crop.x, crop.w, self._small_size[0] / probe.width)

    def small(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """What a detector looks at: h×w×3, BGR, at most 256 px wide."""
        return self._to_rgb.small(frame, *self._small_size)[self._small_part]

    def stored(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """What is stored: H×W×3, RGB."""
        picture = self._to_rgb.picture(frame)[self._part]
        return shrink(picture, self._short_side_px) if self._short_side_px else picture


def _scaled(start: int, length: int, scale: float) -> slice:
    """The whole pixels of a scaled picture that show nothing outside [start, start + length) of the full one."""
    first = math.ceil(round(start * scale, 6))
    end = math.floor(round((start + length) * scale, 6))
    return slice(first, max(first + 1, end))

"""What single frames of a film show: luma, whether there is any colour, whether they look combed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mhmd.media.colour import Colour, light_of
from mhmd.media.interlace import looks_combed, thinned
from mhmd.media.planes import planes_of
from mhmd.media.rgb import ToRgb

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from numpy.typing import NDArray

CHROMA_SIZE = 64, 36
"""Columns and rows to which chroma is averaged: noise and what compression leaves at edges cancel out."""

COLOURED = 6.0
"""Distance of averaged chroma from gray, of 255, from which it is a colour. Toning lies above 8."""

COLOURED_SHARE = 0.05
"""Share of the averaged chroma that must be coloured: more than a station's mark."""

BRIGHT_LUMA = 32.0
"""Mean luma, 0 to 255, from which a frame tells of colour: in the dark there is none."""


class Glance:
    """Looks at a film's frames one by one; none is held."""

    def __init__(self, colour: Colour) -> None:
        """`colour` as the frames are coded."""
        import numpy as np
        from av.video.reformatter import VideoReformatter

        self.frames = 0
        self.flagged = 0
        self.combed: list[int] = []  # the times of those that look so, in the time base of the stream
        self.lights: Counter[str] = Counter()
        self._bright = 0
        self._coloured = False
        self._to_rgb = ToRgb(colour)
        self._scaler = VideoReformatter()
        black, white = (16, 235) if colour.range == "limited" else (0, 255)
        self._levels = (((np.arange(256) - black) / (white - black)).clip(0, 1) * 255).round().astype(np.uint8)

    @property
    def monochrome(self) -> bool:
        """Whether some frames were bright enough to tell, and none of them had a colour."""
        return self._bright > 0 and not self._coloured

    def look(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Take note of the frame. Its luma: H×W, black at 0 and white at 255 whatever the film's range."""
        luma = self.luma(frame)
        self.frames += 1
        self.flagged += frame.interlaced_frame
        self.lights[light_of(frame)] += 1
        if looks_combed(thinned(luma)):
            self.combed.append(frame.pts or 0)
        if luma[::8, ::8].mean() >= BRIGHT_LUMA:
            self._bright += 1
            self._coloured = self._coloured or self._has_colour(frame)
        return luma

    def luma(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The frame's luma alone: H×W, 0 to 255."""
        from mhmd.media.opencv import cv2

        if not _is_plain(frame):
            return self._to_rgb.luma(frame)
        return cv2.LUT(planes_of(frame)[0], self._levels).astype("uint8", copy=False)

    def _has_colour(self, frame: VideoFrame) -> bool:
        import numpy as np
        from av.video.reformatter import Interpolation

        width, height = CHROMA_SIZE
        small = self._scaler.reformat(
            frame, width=width, height=height, format="yuv444p", interpolation=int(Interpolation.AREA), threads=1
        )
        _, cb, cr = small.to_ndarray().reshape(3, height, width).astype(np.float32) - 128
        return bool((np.hypot(cb, cr) > COLOURED).mean() > COLOURED_SHARE)


def _is_plain(frame: VideoFrame) -> bool:
    """Whether luma is a plane of its own, of bytes."""
    form = frame.format
    return form.is_planar and not form.is_rgb and form.name.startswith("yuv") and form.components[0].bits == 8

"""Pictures of one film's frames: cut to inside the bars, in right colours, upright, with square pixels, scaled."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from mhmd.media.bars import Bars
from mhmd.media.colour import WEIGHTS, Colour, colour_in
from mhmd.media.jpeg import MAX_SIDE_PX
from mhmd.media.planes import bits_of, is_planar_yuv, planes_of
from mhmd.media.probe import Crop, Probe
from mhmd.media.rgb import ToRgb

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.filter import Graph
    from cv2.typing import MatLike
    from numpy.typing import NDArray

    from mhmd.media.planes import Samples

    Picture = NDArray[np.uint8]

SMALL_WIDTH_PX = 256
"""Width to which frames are scaled down for detectors."""


MANY_LINES = 3
"""So many lines of a plane to one of a small picture are many: bilinear interpolation reads two of them."""


class SmallPictures:
    """Whole frames of one film as h×w×3, BGR, at most 256 px wide; `part` of them is what detectors look at.

    Straight from the planes, each of them decimated as PySceneDetect does, by interpolation, which reads a fraction of
    the frame: bilinearly, but of many lines the nearest one alone. Chroma goes to half the size, as most films have it.
    Formats that are not planar YUV go through FFmpeg's scaler. `part` is inside the bars that all formats of the film
    share.
    """

    def __init__(self, probe: Probe) -> None:
        scale = min(1.0, SMALL_WIDTH_PX / probe.width)
        self._size = (max(1, round(probe.width * scale)), max(1, round(probe.height * scale)))
        self._half = (max(1, self._size[0] // 2), max(1, self._size[1] // 2))
        self._across, self._down = self._size[0] / probe.width, self._size[1] / probe.height
        self._to_rgb = ToRgb(probe.colour)
        self._to_bgr = to_bgr(probe.colour) if probe.colour.matrix in WEIGHTS else None
        shared = self.inside(_shared(probe.formats), math.ceil)
        self.part = _within(self._size[1], shared.top, shared.bottom), _within(self._size[0], shared.left, shared.right)

    def __call__(self, frame: VideoFrame) -> Picture:
        """The small picture of a frame."""
        return self.coloured(self.reduced(frame))

    def reduced(self, frame: VideoFrame) -> list[MatLike]:
        """What a frame's small picture is made of: three small planes, or the picture itself."""
        from mhmd.media.opencv import cv2

        if self._to_bgr is None or not is_planar_yuv(frame.format.name):
            rgb = self._to_rgb.picture(frame, self._size)
            return [cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)]
        bits = bits_of(frame.format.name)
        small = []
        for plane, size in zip(planes_of(frame), (self._size, self._half, self._half), strict=False):
            reduced = cv2.resize(_nearest_lines(plane, size[1]), size, interpolation=cv2.INTER_LINEAR)
            small.append(reduced if bits == 8 else cv2.convertScaleAbs(reduced, alpha=0.5 ** (bits - 8)))
        return small

    def coloured(self, reduced: list[MatLike]) -> Picture:
        """The small picture of what `reduced` gave. It needs no frame: many may be coloured after many were read."""
        from mhmd.media.opencv import cv2

        luma, *halves = reduced
        if self._to_bgr is None or not halves:
            return luma.astype("uint8", copy=False)
        chroma = (cv2.resize(half, self._size, interpolation=cv2.INTER_LINEAR) for half in halves)
        return cv2.transform(cv2.merge((luma, *chroma)), self._to_bgr).astype("uint8", copy=False)

    def inside(self, bars: Bars, rounded: Callable[[float], int] = math.floor) -> Bars:
        """Those bars in pixels of small pictures, rounded down or as asked."""
        sides = (bars.left * self._across, bars.top * self._down, bars.right * self._across, bars.bottom * self._down)
        return Bars(*(rounded(round(side, 6)) for side in sides))


class StoredPictures:
    """What is stored: H×W×3, RGB, upright, its pixels square, its short side at most `short_side_px`; 0 = any.

    Frames of joined recordings may differ in their `colour`.
    """

    def __init__(self, probe: Probe, short_side_px: int) -> None:
        self._probe = probe
        self._short_side_px = short_side_px
        self._to_rgb: dict[Colour, ToRgb] = {}
        self._cut = Cut()

    def __call__(self, frame: VideoFrame, crop: Crop) -> Picture:
        """The part of a frame as it is stored."""
        import numpy as np

        size = stored_size(crop, self._probe.pixel_aspect, self._short_side_px)
        colour = self.colour(frame)
        to_rgb = self._to_rgb.get(colour) or self._to_rgb.setdefault(colour, ToRgb(colour))
        picture = to_rgb.picture(self._cut(frame, crop), size)
        if self._probe.mirrored:
            picture = picture[:, ::-1]
        turns = self._probe.rotation_deg // 90
        return np.ascontiguousarray(np.rot90(picture, -turns))

    def colour(self, frame: VideoFrame) -> Colour:
        """The colour that a frame is read in."""
        return colour_in(frame, self._probe.colour, self._probe.tags)


class Cut:
    """Cuts parts out of frames without a copy, by FFmpeg's crop filter: one for each part and pixel format."""

    def __init__(self) -> None:
        self._graphs: dict[tuple[Crop, str], Graph] = {}

    def __call__(self, frame: VideoFrame, crop: Crop) -> VideoFrame:
        """The part of the frame."""
        from av import VideoFrame

        if (crop.x, crop.y, crop.w, crop.h) == (0, 0, frame.width, frame.height):
            return frame
        key = crop, frame.format.name
        graph = self._graphs.get(key)
        if graph is None:
            graph = self._graphs[key] = _crop_graph(frame, crop)
        graph.push(frame)
        part = graph.pull()
        assert isinstance(part, VideoFrame)
        return part


def to_bgr(colour: Colour) -> NDArray[np.float32]:
    """The 3×4 matrix that turns Y, Cb, Cr in 8 bits into B, G, R of full range, 0 to 255. ITU-R BT.601, BT.709."""
    import numpy as np

    red, blue = WEIGHTS[colour.matrix]
    green = 1 - red - blue
    light, chroma, black = (1.0, 1.0, 0) if colour.range == "full" else (255 / 219, 255 / 224, 16)
    cb, cr = 2 * (1 - blue) * chroma, 2 * (1 - red) * chroma
    factors = np.array(
        [[light, cb, 0], [light, -cb * blue / green, -cr * red / green], [light, 0, cr]], dtype=np.float32
    )
    offset = -factors @ np.array([black, 128, 128], np.float32)
    return np.hstack([factors, offset[:, None]])


def stored_size(crop: Crop, pixel_aspect: Fraction, short_side_px: int) -> tuple[int, int]:
    """Width and height, px, of a stored picture before it is turned: the part with square pixels, never enlarged.

    No side is longer than a JPEG's may be.
    """
    width, height = Fraction(crop.w), Fraction(crop.h)
    if pixel_aspect > 1:
        height /= pixel_aspect
    else:
        width *= pixel_aspect
    scale = min(Fraction(1), MAX_SIDE_PX / max(width, height))
    if short_side_px:
        scale = min(scale, short_side_px / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _nearest_lines(plane: Samples, count: int) -> Samples:
    """Of a plane's lines those in the middle of so many equal parts, if there are many; else all of them.

    Most of what small pictures cost is waiting for memory, and this is the half of it.
    """
    lines = len(plane)
    return plane if lines < MANY_LINES * count else plane.take(_middles(lines, count), axis=0)


@cache
def _middles(lines: int, count: int) -> NDArray[np.intp]:
    import numpy as np

    middles: NDArray[np.intp] = np.rint((np.arange(count) + 0.5) * (lines / count) - 0.5).astype(np.intp)
    return middles


def _within(length: int, before: int, after: int) -> slice:
    """What is left of a side; all of it, where that is nothing: of very flat pictures a line or two are seen."""
    return slice(before, length - after) if before + after < length else slice(0, length)


def _shared(formats: tuple[Bars, ...]) -> Bars:
    sides = zip(*((bars.left, bars.top, bars.right, bars.bottom) for bars in formats), strict=True)
    return Bars(*(min(side) for side in sides))


def _crop_graph(frame: VideoFrame, crop: Crop) -> Graph:
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    cut = graph.add("crop", f"w={crop.w}:h={crop.h}:x={crop.x}:y={crop.y}:exact=1")
    source.link_to(cut)
    cut.link_to(graph.add("buffersink"))
    graph.configure()
    return graph

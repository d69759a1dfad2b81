"""Renders a film out of photographs: pans and zooms, cuts and a dissolve, a gray shot, and bars above and below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.demo.footage import photograph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 24
WIDTH_PX, HEIGHT_PX, BAR_PX = 480, 320, 24
DISSOLVE_FRAMES = 24
GRAIN_LEVELS = 1.5
X264 = {"crf": "20", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
"""One thread, and no macroblock tree: it reads memory that nobody wrote, so that bytes differ from run to run."""
BT709 = 1
LIMITED_RANGE = 1


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees of a photograph: the middle and the width of a box, px of the photograph."""

    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Take:
    """One shot of the film: the camera goes evenly from one view of a photograph to another."""

    photograph: str
    seconds: int
    first: View
    last: View
    mirrored: bool = False
    dissolve: bool = False
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of red, green and blue

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.seconds * RATE


WARM, COOL = (1.08, 1.0, 0.86), (0.9, 0.98, 1.08)

TAKES = (
    Take("astronaut", 5, View(256, 146, 512), View(225, 130, 350)),
    Take("rocket", 3, View(320, 250, 480), View(320, 180, 480)),
    Take("admiral", 5, View(256, 200, 512), View(258, 225, 430)),
    Take("astronaut", 5, View(215, 170, 410), View(225, 340, 410), gains=COOL),
    Take("admiral", 5, View(262, 235, 460), View(264, 225, 360), dissolve=True),
    Take("cameraman", 4, View(290, 150, 440), View(230, 150, 440)),
    Take("astronaut", 4, View(230, 110, 300), View(232, 118, 350), mirrored=True, gains=WARM),
    Take("coffee", 3, View(300, 190, 600), View(310, 180, 480)),
    Take("admiral", 5, View(256, 440, 480), View(256, 250, 480), mirrored=True),
    Take("cat", 3, View(226, 140, 420), View(200, 140, 360)),
    Take("astronaut", 4, View(190, 320, 340), View(290, 380, 340)),
    Take("motorcycle", 3, View(270, 260, 480), View(450, 260, 480)),
    Take("admiral", 4, View(256, 270, 400), View(256, 320, 512), gains=WARM),
)
"""The film, cut to cut; a take with a dissolve begins while the one before it still goes on."""


def starts() -> tuple[int, ...]:
    """First frame of each of `TAKES`, then the film's length, frames."""
    return tuple(sum(take.frames for take in TAKES[:index]) for index in range(len(TAKES) + 1))


def render(path: Path) -> None:
    """Write the film: H.264 in MP4, BT.709, 24 frames a second; the same bytes every time.

    Raises DependencyError when the photographs are not installed.
    """
    import av
    from av.video.reformatter import Colorspace

    unfinished = path.with_name(f".{path.name}")
    with av.open(str(unfinished), "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=RATE, options=X264)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        codec = stream.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        codec.color_range = LIMITED_RANGE
        for picture in _pictures():
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            film.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
        film.mux(stream.encode())
    unfinished.replace(path)


def _pictures() -> Iterator[NDArray[np.uint8]]:
    """The film's frames, RGB."""
    import numpy as np

    from mhmd.media.opencv import cv2

    shown = slice(BAR_PX, HEIGHT_PX - BAR_PX)
    grain = np.random.default_rng(0).normal(0, GRAIN_LEVELS, (HEIGHT_PX - 2 * BAR_PX, WIDTH_PX, 1))
    grain = np.broadcast_to(grain.round().astype(np.int16), (*grain.shape[:2], 3))
    number = 0
    for before, take in zip((None, *TAKES), TAKES, strict=False):
        for index in range(take.frames):
            picture = _seen(take, index)
            if take.dissolve and before and index < DISSOLVE_FRAMES:
                share = (index + 1) / (DISSOLVE_FRAMES + 1)
                old = _seen(before, before.frames + index)
                picture = cv2.addWeighted(picture, share, old, 1 - share, 0).astype(np.uint8, copy=False)
            frame = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
            frame[shown] = cv2.add(picture, np.roll(grain, (number * 37, number * 101), (0, 1)), dtype=cv2.CV_8U)
            yield frame
            number += 1


def _seen(take: Take, index: int) -> NDArray[np.uint8]:
    """What a take shows at one of its frames or after them, RGB, without bars."""
    import numpy as np

    from mhmd.media.opencv import cv2

    picture = _graded(take.photograph, take.gains)
    height, width = HEIGHT_PX - 2 * BAR_PX, WIDTH_PX
    gone = index / (take.frames - 1)
    x, y, wide = (
        getattr(take.first, name) + (getattr(take.last, name) - getattr(take.first, name)) * gone
        for name in ("x", "y", "width")
    )
    scale = wide / width
    left = np.clip(x - wide / 2, 0, picture.shape[1] - wide)
    top = np.clip(y - scale * height / 2, 0, picture.shape[0] - scale * height)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    seen = cv2.warpAffine(picture, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return (seen[:, ::-1] if take.mirrored else seen).astype(np.uint8, copy=False)


@cache
def _graded(name: str, gains: tuple[float, float, float]) -> NDArray[np.uint8]:
    import numpy as np

    picture: NDArray[np.uint8] = (photograph(name) * np.array(gains)).clip(0, 255).astype(np.uint8)
    return picture

"""What is seen of every frame of a film in its small picture, while the film goes by."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mhmd.media.bars import Bars
    from mhmd.media.probe import Probe
    from mhmd.sampling import Pick

    Picture = NDArray[np.uint8]

BLEND_RATE = 25
"""Frames a second, about, among which blends are looked for: dissolves last as long where there are twice as many."""
MAX_STEP = 5
"""Of so many frames one enters at the least: what containers say of their rate may be senseless."""

WEAVE, WEAVE_OF_BAR = 0.008, 0.25
"""Picture that weaves into a bar does so by no more than this share of the film's side, and of the bar."""

BARS_EVERY = 4
"""Of so many frames one is looked at for what it shows in the bars."""


class Watch:
    """What is seen of every frame in its small picture: how sharp it is, how mixed, and what it shows in the bars.

    How mixed is known `delay_frames` later; `small` makes the small pictures.
    """

    def __init__(self, probe: Probe) -> None:
        from mhmd.media.bars import Bars
        from mhmd.media.pictures import SmallPictures
        from mhmd.shots.blend import Blends
        from mhmd.shots.scores import DELAY

        self._step = min(MAX_STEP, max(1, round((probe.rate or 0) / BLEND_RATE)))
        self._seen = 0
        self.delay_frames = self._step * (DELAY + 1) - 1
        self._blending = Blends()
        self._blends = array("f")
        self.small = small = SmallPictures(probe)
        self._part = small.part
        self._none, self._main, self._black = Bars(), probe.formats[0], probe.black
        size = probe.width, probe.height
        self._formats = {
            bars: (small.inside(_narrower(bars)), small.inside(_out_of_reach(bars, size)))
            for bars in probe.formats
            if bars != Bars()
        }
        self._lit = {bars: bytearray() for bars in self._formats}
        self._edged = {bars: bytearray() for bars in self._formats}

    def sharpness(self, wholes: Sequence[Picture]) -> list[float]:
        """Take the next frames: the variance of the Laplacian of each."""
        from mhmd.shots.scores import tiny

        entering = wholes[-self._seen % self._step :: self._step]
        self._seen += len(wholes)
        self._blends.extend(mix.sure for mix in self._blending.feed([tiny(whole[self._part]) for whole in entering]))
        return [self._sharpness(whole) for whole in wholes]

    def finish(self) -> None:
        """The film is over."""
        self._blends.extend(mix.sure for mix in self._blending.finish())

    def blend(self, pick: Pick) -> float:
        """How much the frame is surely a mix of those around it, 0 to 1; known `delay_frames` later."""
        return round(self._blends[pick.candidate.index // self._step], 4)  # what is beyond depends on how BLAS adds

    def bars(self, pick: Pick) -> Bars:
        """The format of the shot so far: of those in whose bars nothing is seen, the narrowest whose edges are.

        The commonest needs no such edges: a dark shot shows none. Where picture is in the bars of all, none are cut.
        """
        from mhmd.media.bars import EDGED_FRAMES, LIT_FRAMES, MIN_EDGED

        frames = slice(pick.first_frame, pick.end_frame)
        length = pick.end_frame - pick.first_frame
        few = max(BARS_EVERY, LIT_FRAMES * length)  # a flash over the bars
        fitting = [bars for bars in self._formats if sum(self._lit[bars][frames]) <= few]
        enough = max(MIN_EDGED, EDGED_FRAMES * length)
        sure = [bars for bars in fitting if bars == self._main or sum(self._edged[bars][frames]) >= enough]
        return max(sure, key=lambda bars: bars.left + bars.top + bars.right + bars.bottom, default=self._none)

    def _sharpness(self, whole: Picture) -> float:
        from mhmd.measures.light import sharpness
        from mhmd.media.bars import ends_at, is_lit
        from mhmd.media.opencv import cv2

        luma = cv2.cvtColor(whole, cv2.COLOR_BGR2GRAY).astype("uint8", copy=False)
        for bars, (narrower, dark) in self._formats.items():
            lit, edged = self._lit[bars], self._edged[bars]
            looked = len(lit) % BARS_EVERY == 0
            lit.append(is_lit(luma, dark, self._black) if looked else lit[-1])
            edged.append((bars != self._main and ends_at(luma, narrower)) if looked else edged[-1])
        return sharpness(luma[self._part])


def _narrower(bars: Bars) -> Bars:
    """What of bars is no picture: they are made even, and may have taken a line of it at each side."""
    from mhmd.media.bars import Bars

    return Bars(*(max(0, side - 1) for side in (bars.left, bars.top, bars.right, bars.bottom)))


def _out_of_reach(bars: Bars, size: tuple[int, int]) -> Bars:
    """What of bars is black in a film of this width and height even where its picture weaves in the gate."""
    from mhmd.media.bars import Bars

    def dark(side: int, length: int) -> int:
        return max(0, side - max(1, round(min(WEAVE_OF_BAR * side, WEAVE * length))))

    width, height = size
    return Bars(dark(bars.left, width), dark(bars.top, height), dark(bars.right, width), dark(bars.bottom, height))

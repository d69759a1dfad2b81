"""The shape of a film's pixels: one, by what its container and its frames say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXEL_ASPECT = 4
"""Pixels wider or taller than this by their other side are a mistake in the header; anamorphic film has 2."""

D10_LINES = {608: 576, 512: 486}
"""Lines of D-10 (IMX), which has those of the vertical blanking above the picture, and lines of the picture: it is of
these that the coded picture says whether they are 4:3 or 16:9. SMPTE 386M."""

ALIKE = Fraction(1, 25)
"""Shapes that differ less are the same one, by two rules: 16:15 and 12:11 are both a PAL picture of 4:3."""

MAX_OTHERS = Fraction(1, 20)
"""Share of the frames looked at that may have another shape, as what was recorded before and after a film has."""


class PixelAspect:
    """What frames say of their pixels' width by their height; 1 where that is senseless or nothing is said.

    A container that contradicts the stream's first frame is believed, as players do. Else frames are, of which the
    commonest shape is the film's.
    """

    def __init__(self, stream: VideoStream, path: Path) -> None:
        """To be made when the first frame of the stream was decoded."""
        self._stream, self._path = stream, path
        told, coded = stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio
        self._told = _sensible(told) or Fraction(1)
        self._overruled = bool(told) and told != coded
        self._seen: Counter[Fraction] = Counter()

    def noted(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """These frames of the stream, as they are decoded."""
        for frame in frames:
            if aspect := _sensible(self._stream.codec_context.sample_aspect_ratio):
                self._seen[aspect] += 1
            yield frame

    def found(self) -> Fraction:
        """The film's. Raises FilmUnreadable when too many frames have another one."""
        if self._overruled or not self._seen:
            return self._whole_lines(self._told)
        usual = self._seen.most_common(1)[0][0]
        others = Counter({each: count for each, count in self._seen.items() if abs(each / usual - 1) > ALIKE})
        if others.total() > MAX_OTHERS * self._seen.total():
            other, count = others.most_common(1)[0]
            raise FilmUnreadable(
                f"{self._path}: pixels are {_text(usual)}, but {_text(other)} in {count} of"
                f" {self._seen.total()} frames looked at",
                wanted="pixels of one shape throughout",
                do="cut it there into two films, or convert it",
            )
        return self._whole_lines(usual)

    def _whole_lines(self, aspect: Fraction) -> Fraction:
        context = self._stream.codec_context
        if context.name != "mpeg2video" or context.width != 720 or context.height not in D10_LINES:
            return aspect
        return aspect * Fraction(D10_LINES[context.height], context.height)


def _sensible(aspect: Fraction | None) -> Fraction | None:
    return aspect if aspect and 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT else None


def _text(aspect: Fraction) -> str:
    return f"{aspect.numerator}:{aspect.denominator}"

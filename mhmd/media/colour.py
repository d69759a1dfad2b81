"""Which YUV matrix and range a film has, and frames as RGB with both forced.

FFmpeg and OpenCV decode an untagged BT.709 film as BT.601, which shifts every colour. Nothing is left to them here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable, ManifestError
from mhmd.media.planes import planes_of

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext
    from av.video.reformatter import VideoReformatter
    from numpy.typing import NDArray

MATRIX_OF_TAG = {1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
"""The matrix that decodes a tag of H.273. FCC (4) is within 1% of BT.601."""

UNTAGGED = (0, 2, 3)
"""H.273: identity (no matrix at all, senseless in YUV), unspecified, reserved."""

WEIGHTS = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
}
"""Weights of red and of blue in luma: ITU-R BT.601, BT.709, BT.2020, SMPTE 240M (HD before 1998)."""

MATRICES = tuple(WEIGHTS)

HD_WIDTH_PX, HD_HEIGHT_PX = 1280, 720


UNSPECIFIED = 2
"""H.273's number of a matrix, of primaries and of a transfer that nobody tells."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What a frame, or the container of a stream, says of colour: numbers of H.273; the range as FFmpeg has it."""

    matrix: int = UNSPECIFIED
    range: int = 0
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    def over(self, other: Tags) -> Tags:
        """These, and of the other ones what these do not tell. FFmpeg has HEVC that tells nothing in limited range."""
        silent = all(tag in UNTAGGED for tag in (self.matrix, self.primaries, self.transfer))
        return Tags(
            other.matrix if self.matrix in UNTAGGED else self.matrix,
            (other.range or self.range) if silent else (self.range or other.range),
            other.primaries if self.primaries in UNTAGGED else self.primaries,
            other.transfer if self.transfer in UNTAGGED else self.transfer,
        )


@dataclass(frozen=True, slots=True)
class Colour:
    """How a film's frames become RGB; names as in `mhmd.records.Film`."""

    matrix: str
    range: str
    source: str
    primaries: str = "unspecified"
    transfer: str = "unspecified"


def tags_of(frame: VideoFrame) -> Tags:
    """What a decoded frame says."""
    from av.video.reformatter import ColorRange

    by_format = ColorRange.JPEG if frame.format.name.startswith("yuvj") else ColorRange.UNSPECIFIED
    return Tags(
        int(frame.colorspace),
        int(frame.color_range or by_format),
        int(frame.color_primaries),
        int(frame.color_trc),
    )


def tags_in(container: VideoCodecContext) -> Tags:
    """What the container says of a stream; to be asked before anything is decoded."""
    return Tags(
        int(container.colorspace),
        int(container.color_range),
        int(container.color_primaries),
        int(container.color_trc),
    )


def guessed_matrix(frame: VideoFrame) -> str:
    """What an untagged frame of this size is taken for."""
    return "bt709" if frame.width >= HD_WIDTH_PX or frame.height >= HD_HEIGHT_PX else "bt601"


def colour_of(frame: VideoFrame, manifest_matrix: str | None = None, container: Tags = Tags()) -> Colour:
    """The matrix and range of a film, from a decoded frame of it.

    The manifest's matrix goes before the stream's tag, that before the container's. Without any, BT.709 from 1280
    columns or 720 lines up, else BT.601: what players do. Without a tag, YUV has limited range; gray and RGB have full.
    Raises ManifestError for an unknown matrix, FilmUnreadable for a tag that no supported matrix decodes.
    """
    from av.video.reformatter import ColorPrimaries, ColorTrc

    if manifest_matrix is not None and manifest_matrix not in MATRICES:
        raise ManifestError(
            f"color_matrix {manifest_matrix!r}", wanted=f"one of {', '.join(MATRICES)}", do="correct the films manifest"
        )
    tags = tags_of(frame).over(container)
    matrix, source = "rgb", "tagged"
    if _has_matrix(frame):
        matrix, source = (manifest_matrix, "manifest") if manifest_matrix else _matrix_of(frame, tags.matrix)
    return Colour(
        matrix,
        _range_of(frame, tags.range),
        source,
        _name(ColorPrimaries, tags.primaries),
        _name(ColorTrc, tags.transfer),
    )


def colour_in(frame: VideoFrame, film: Colour, first: Tags) -> Colour:
    """The colour of one frame of a film whose first one has these tags.

    Where a frame's own tags are others, as in joined recordings, it is what they say, and the film's as far as they say
    nothing. A matrix from the manifest holds for all of a film.
    Raises FilmUnreadable for a tag that no supported matrix decodes.
    """
    tags = tags_of(frame)
    if tags == first and _has_matrix(frame) == (film.matrix != "rgb"):
        return film
    own = colour_of(frame, film.matrix if film.source == "manifest" else None)
    if film.matrix == "rgb" or own.matrix == "rgb":
        return own
    return replace(film if own.source == "guessed" else own, range=own.range if tags.range else film.range)


class ToRgb:
    """Turns frames of one film into pictures. Holds FFmpeg's scalers between frames."""

    def __init__(self, colour: Colour) -> None:
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        exact = Interpolation.ACCURATE_RND | Interpolation.BITEXACT  # the same bytes on every processor
        self._how = int(Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | exact)
        self._same_size, self._smaller = int(Interpolation.BICUBIC), int(Interpolation.AREA)
        self._matrix = {
            "bt601": Colorspace.ITU601,
            "bt709": Colorspace.ITU709,
            "bt2020": Colorspace.BT2020,
            "smpte240m": Colorspace.SMPTE240M,
            "rgb": Colorspace.DEFAULT,
        }[colour.matrix]
        self._range = ColorRange.JPEG if colour.range == "full" else ColorRange.MPEG
        self._scalers: dict[tuple[str, int, int], VideoReformatter] = {}

    def picture(self, frame: VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The frame as RGB, H×W×3, 0 to 255, in its own size or scaled down by area to this width and height.

        Exact to the rounding: the error against the matrix in real numbers is that of 8 bits.
        """
        from mhmd.media.opencv import cv2

        width, height = size or (frame.width, frame.height)
        green, blue, red = self._planes(frame, "gbrp", width, height)  # planar is three times as fast as packed
        return cv2.merge((red, green, blue)).astype("uint8", copy=False)

    def luma(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The frame's luma in its own size, H×W, black at 0 and white at 255 whatever the film's range."""
        return self._planes(frame, "gray", frame.width, frame.height)[0]

    def _planes(self, frame: VideoFrame, form: str, width: int, height: int) -> list[NDArray[np.uint8]]:
        from av.video.reformatter import ColorRange, VideoReformatter

        if self._range == ColorRange.MPEG and frame.format.name.startswith("yuvj"):
            frame = _without_range(frame)
        scaler = self._scalers.setdefault((form, width, height), VideoReformatter())
        smaller = width < frame.width or height < frame.height
        done = scaler.reformat(
            frame,
            width=width,
            height=height,
            format=form,
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=self._range,
            dst_color_range=ColorRange.JPEG,
            interpolation=self._how | (self._smaller if smaller else self._same_size),
            threads=1,
        )
        return planes_of(done)


def _without_range(frame: VideoFrame) -> VideoFrame:
    """A copy whose format is not one of full range; FFmpeg keeps such a one where a stream goes over to limited."""
    from av import VideoFrame

    plain = VideoFrame(frame.width, frame.height, frame.format.name.replace("yuvj", "yuv"))
    for to, plane in zip(planes_of(plain), planes_of(frame), strict=True):
        to[:] = plane
    return plain


def _has_matrix(frame: VideoFrame) -> bool:
    form = frame.format
    return not (form.is_rgb or form.has_palette or form.name.startswith("xyz"))


def _matrix_of(frame: VideoFrame, tag: int) -> tuple[str, str]:
    if tag in UNTAGGED:
        return guessed_matrix(frame), "guessed"
    if tag not in MATRIX_OF_TAG:
        raise FilmUnreadable(
            f"colour matrix number {tag} of H.273",
            wanted=f"one of {', '.join(MATRICES)}",
            do="convert the film, or set color_matrix in the films manifest",
        )
    return MATRIX_OF_TAG[tag], "tagged"


def _range_of(frame: VideoFrame, tag: int) -> str:
    from av.video.reformatter import ColorRange

    if tag in (ColorRange.MPEG, ColorRange.JPEG):
        return "full" if tag == ColorRange.JPEG else "limited"
    name = frame.format.name
    return "full" if not _has_matrix(frame) or name.startswith("gray") else "limited"


def _name(names: type[IntEnum], value: int) -> str:
    try:
        return names(value).name.lower()
    except ValueError:
        return "unspecified"

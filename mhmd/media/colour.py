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


@dataclass(frozen=True, slots=True)
class Colour:
    """How a film's frames become RGB; names as in `mhmd.records.Film`."""

    matrix: str
    range: str
    source: str
    primaries: str = "unspecified"
    transfer: str = "unspecified"


def colour_of(frame: VideoFrame, manifest_matrix: str | None = None) -> Colour:
    """The matrix and range of a film, from a decoded frame of it.

    The manifest's matrix goes before the stream's tag. Without either, BT.709 from 1280 columns or 720 lines up,
    else BT.601: what players do. Without a tag, YUV has limited range; gray and RGB have full range.
    Raises ManifestError for an unknown matrix, FilmUnreadable for a tag that no supported matrix decodes.
    """
    from av.video.reformatter import ColorPrimaries, ColorTrc

    if manifest_matrix is not None and manifest_matrix not in MATRICES:
        raise ManifestError(
            f"color_matrix {manifest_matrix!r}", wanted=f"one of {', '.join(MATRICES)}", do="correct the films manifest"
        )
    matrix, source = "rgb", "tagged"
    if _has_matrix(frame):
        matrix, source = (manifest_matrix, "manifest") if manifest_matrix else _matrix_of(frame)
    return Colour(
        matrix,
        _range_of(frame),
        source,
        _name(ColorPrimaries, frame.color_primaries),
        _name(ColorTrc, frame.color_trc),
    )


def colour_in(frame: VideoFrame, film: Colour) -> Colour:
    """The colour of one frame of a film: what the frame itself is tagged with, and else the film's.

    Recordings that were joined may differ in it. A matrix from the manifest holds for all of a film.
    Raises FilmUnreadable for a tag that no supported matrix decodes.
    """
    own = colour_of(frame, film.matrix if film.source == "manifest" else None)
    if film.matrix == "rgb" or own.matrix == "rgb":
        return own
    return replace(film if own.source == "guessed" else own, range=own.range if _has_range(frame) else film.range)


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


def _has_matrix(frame: VideoFrame) -> bool:
    form = frame.format
    return not (form.is_rgb or form.has_palette or form.name.startswith("xyz"))


def _matrix_of(frame: VideoFrame) -> tuple[str, str]:
    tag = frame.colorspace
    if tag in UNTAGGED:
        hd = frame.width >= HD_WIDTH_PX or frame.height >= HD_HEIGHT_PX
        return ("bt709" if hd else "bt601"), "guessed"
    if tag not in MATRIX_OF_TAG:
        raise FilmUnreadable(
            f"colour matrix number {tag} of H.273",
            wanted=f"one of {', '.join(MATRICES)}",
            do="convert the film, or set color_matrix in the films manifest",
        )
    return MATRIX_OF_TAG[tag], "tagged"


def _has_range(frame: VideoFrame) -> bool:
    from av.video.reformatter import ColorRange

    return frame.format.name.startswith("yuvj") or frame.color_range in (ColorRange.JPEG, ColorRange.MPEG)


def _range_of(frame: VideoFrame) -> str:
    from av.video.reformatter import ColorRange

    name = frame.format.name
    if name.startswith("yuvj") or frame.color_range == ColorRange.JPEG:
        return "full"
    if frame.color_range == ColorRange.MPEG:
        return "limited"
    return "full" if not _has_matrix(frame) or name.startswith("gray") else "limited"


def _name(names: type[IntEnum], value: int) -> str:
    try:
        return names(value).name.lower()
    except ValueError:
        return "unspecified"

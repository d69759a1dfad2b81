"""Which YUV matrix and range a film has, and each of its frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable, ManifestError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext

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

HDR_TRANSFERS = {16: "smpte2084", 18: "arib_std_b67"}
"""PQ and HLG, by their numbers in H.273: shown as they are, such films look washed out."""

LIGHTS = {"smpte2084": "PQ", "arib_std_b67": "HLG"}
"""What people call them."""

WIDE_PRIMARIES = {9: "bt2020", 11: "smpte431", 12: "smpte432"}
"""BT.2020 and P3, by their numbers in H.273: shown as they are, their colours look washed out, too."""

JPEG_RANGE = 2
"""FFmpeg's number of full range, which formats named yuvj have."""

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


def tags_in(source: VideoFrame | VideoCodecContext) -> Tags:
    """What a frame says; or of a stream, to be asked before anything is decoded, its container."""
    return Tags(int(source.colorspace), int(source.color_range), int(source.color_primaries), int(source.color_trc))


def tags_of(frame: VideoFrame) -> Tags:
    """What a decoded frame says, be it by its pixel format."""
    tags = tags_in(frame)
    by_format = not tags.range and frame.format.name.startswith("yuvj")
    return replace(tags, range=JPEG_RANGE) if by_format else tags


def light_of(frame: VideoFrame) -> str:
    """In which light and colours a frame says that it is coded."""
    wide = int(frame.color_primaries) in WIDE_PRIMARIES
    return LIGHTS.get(HDR_TRANSFERS.get(int(frame.color_trc), ""), "wide colours" if wide else "ordinary light")


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
            do="convert the film to one of these",
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

"""The planes of decoded frames as arrays, without a copy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

    Samples = NDArray[Any]  # uint8, or uint16 in more than 8 bits


def planes_of(frame: VideoFrame) -> list[Samples]:
    """A planar frame's planes: H×W views of its memory, of one byte a sample, or of two in more than 8 bits."""
    import numpy as np

    sample = np.dtype(np.uint8 if bits_of(frame.format.name) == 8 else np.uint16)
    views: list[Samples] = []
    for plane in frame.planes:
        strides = (plane.line_size, sample.itemsize)
        views.append(np.ndarray((plane.height, plane.width), sample, memoryview(plane), strides=strides))
    return views


@cache
def bits_of(form: str) -> int:
    """Bits of a sample in the first plane of frames of a format of this name."""
    from av import VideoFormat

    return VideoFormat(form).components[0].bits


@cache
def is_planar_yuv(form: str) -> bool:
    """Whether frames of a format of this name have a plane each for Y, Cb and Cr, which numpy can read as they are."""
    from av import VideoFormat

    of = VideoFormat(form)
    if of.is_rgb or of.is_big_endian or len(of.components) < 3:
        return False
    return [component.plane for component in of.components[:3]] == [0, 1, 2]


def chroma_step(form: str) -> tuple[int, int]:
    """How many columns and rows of luma share a pixel of chroma in frames of a format of this name."""
    from av import VideoFormat

    of, many = VideoFormat(form), 16
    return many // of.chroma_width(many), many // of.chroma_height(many)

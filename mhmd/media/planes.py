"""The planes of decoded frames as arrays, without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av import VideoFormat, VideoFrame
    from numpy.typing import NDArray

    Samples = NDArray[Any]  # uint8, or uint16 in more than 8 bits


def planes_of(frame: VideoFrame) -> list[Samples]:
    """A planar frame's planes: H×W views of its memory, of one byte a sample, or of two in more than 8 bits."""
    import numpy as np

    views: list[Samples] = []
    for plane in frame.planes:
        form = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
        rows = np.frombuffer(memoryview(plane), form).reshape(-1, plane.line_size // form().itemsize)
        views.append(rows[: plane.height, : plane.width])
    return views


def is_planar_yuv(form: VideoFormat) -> bool:
    """Whether frames of this format have a plane each for Y, Cb and Cr, which numpy can read as they are."""
    if form.is_rgb or form.is_big_endian or len(form.components) < 3:
        return False
    return [component.plane for component in form.components[:3]] == [0, 1, 2]

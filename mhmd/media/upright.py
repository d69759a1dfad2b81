"""How frames are to be turned and mirrored to look as a player shows them."""

from __future__ import annotations

from math import atan2, degrees
from struct import unpack_from
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame


def as_shown(frame: VideoFrame) -> tuple[int, bool]:
    """The turn clockwise, of 0, 90, 180 and 270 degrees, and whether left and right change places before it.

    By the display matrix a, b, u, c, d, v, …: a point x, y, with y downwards, is shown at ax + cy, bx + dy
    (FFmpeg's libavutil/display.h).
    """
    try:
        matrix = bytes(frame.side_data["DISPLAYMATRIX"])  # type: ignore[typeddict-item]  # PyAV's stubs lack it
    except KeyError:
        return 0, False
    except ValueError:  # PyAV does not know all kinds of what frames may have beside them, but always the angle
        return -90 * round(frame.rotation / 90) % 360, False
    a, b, _, c, d, *_ = unpack_from("=9i", matrix)
    mirrored = a * d < b * c
    across, down = (-a, -b) if mirrored else (a, b)
    return 90 * round(degrees(atan2(down, across)) / 90) % 360, mirrored

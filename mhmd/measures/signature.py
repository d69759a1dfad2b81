"""A small signature of a picture's light and colour, on which likeness of phashes is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

LIGHT_GRID, COLOUR_GRID = 8, 4
"""Cells a side. A phash keeps eight frequencies each way, and only which of them are strong; eight cells have how
strong. Colour is coarser: codecs halve it, and a grade or a missing colour shows in large areas."""

LIGHT_BYTES = LIGHT_GRID**2
BYTES = LIGHT_BYTES + 2 * COLOUR_GRID**2
"""Size of a signature: 96 bytes, 130 MB for the 1,353,166 frames of MHMD, to be held in memory at once."""

LIGHT_STEP, COLOUR_STEP = 0.4, 0.5
"""What one level stands for, in CIELAB: 0 to 102 in L; -64 to 63.5 in a and b, and what is beyond ends there."""


def signature(lab: NDArray[np.float32]) -> bytes:
    """The signature of CIELAB H×W×3, of `BYTES` bytes: means of L over 8×8 cells, then of a and b over 4×4.

    L is an unsigned byte a cell, in steps of 0.4; a and b of a cell are signed bytes side by side, in steps of 0.5;
    cells go row by row.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    def means(channel: int, cells: int) -> NDArray[np.float32]:
        small = cv2.resize(cv2.extractChannel(lab, channel), (cells, cells), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32, copy=False)

    light = np.rint(means(0, LIGHT_GRID) / LIGHT_STEP).clip(0, 255).astype(np.uint8)
    ab = np.stack([means(channel, COLOUR_GRID) for channel in (1, 2)], axis=-1)
    colour = np.rint(ab / COLOUR_STEP).clip(-128, 127).astype(np.int8)
    return bytes(light.tobytes() + colour.tobytes())


def signatures_of(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """The signatures as n×96 bytes."""
    import numpy as np

    whole = column.combine_chunks()
    size = whole.type.byte_width
    data = np.frombuffer(whole.buffers()[1] or b"", np.uint8) if len(whole) else np.empty(0, np.uint8)
    return data[whole.offset * size : (whole.offset + len(whole)) * size].reshape(-1, size)

"""Which samples come into which shard: an order that mixes films, and cuts that make even shards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

JSON_BYTES = 1024
"""A sample's JSON takes one block of the tar or two."""
GROWTH, PIXEL_BYTES = 2.0, (0.25, 3.0)
"""What a JPEG that is encoded again is taken to have: so many times the bytes of the stored one by pixel, since less
detail is lost and smaller pictures have more of it by pixel, and within these bounds by pixel."""


def mixed(keys: Sequence[str], seed: int) -> list[int]:
    """Positions of the keys in an order drawn from the seed and each key alone."""
    drawn = [hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys]
    return sorted(range(len(keys)), key=drawn.__getitem__)


def tar_bytes(rows: pa.Table) -> list[int]:
    """How many bytes each sample takes in a tar: at most, where its picture is stored as it is, else much as it may."""
    import numpy as np

    from mhmd.tar import BLOCK_BYTES

    jpeg, mask = (
        np.array([int(ref[ref.rindex(":") + 1 :]) for ref in rows[column].to_pylist()], np.int64)
        for column in ("image_ref", "mask_ref")
    )
    width, height, top, bottom = (rows[of].to_numpy().astype(np.float64) for of in ("width", "height", "top", "bottom"))
    least, most = (bound * width * height + JSON_BYTES for bound in PIXEL_BYTES)
    scaled = jpeg * (height / (bottom - top)) ** 2
    again = np.clip(GROWTH * scaled, least, most).astype(np.int64)
    sizes = [each + -each % BLOCK_BYTES for each in (np.where(rows["as_stored"].to_numpy(), jpeg, again), mask)]
    found: list[int] = (JSON_BYTES + 3 * BLOCK_BYTES + sizes[0] + sizes[1]).tolist()
    return found


def cut(sizes: Sequence[int], limit: int, most: int = 0) -> list[range]:
    """Consecutive ranges of positions, of much the same size, as few as can be.

    Their sizes sum to at most `limit`, but for one that is larger by itself, and each has at most `most` positions
    (0 = any number). Even shards keep all readers busy, where a rest of a few samples would not.
    """
    import numpy as np

    if not sizes:
        return []
    each = np.asarray(sizes, np.int64)
    ends = np.cumsum(each)
    total = int(ends[-1])
    parts = max(1, -(-total // limit), -(-len(sizes) // most) if most else 1)
    while True:
        part = (2 * ends - each) * parts // (2 * total)  # by where its middle lies
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        stops = np.append(starts[1:], len(each))
        held, count = np.add.reduceat(each, starts), stops - starts
        if not np.any((count > 1) & ((held > limit) | (count > (most or len(each))))):
            return [range(start, stop) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        parts += 1 + parts // 64

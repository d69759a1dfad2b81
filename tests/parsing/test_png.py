"""Masks without libpng: the same pixels as OpenCV's, and nothing that OpenCV would not read alike."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.errors import DatasetError
from mhmd.parsing.mask import decode_mask, encode_mask
from mhmd.parsing.png import MAGIC, plain_png

MASK = (np.arange(12 * 31).reshape(12, 31) // 9 % 6).astype(np.uint8)
PNG = encode_mask(MASK)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(about: bytes, rows: bytes, *more: bytes) -> bytes:
    return MAGIC + chunk(b"IHDR", about) + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def about(width: int = 2, height: int = 2, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_masks_of_ours_are_read_as_opencv_reads_them(height: int, width: int, most: int) -> None:
    mask = np.random.default_rng(most).integers(0, most + 1, (height, width)).astype(np.uint8)
    found = plain_png(encode_mask(mask))
    assert found is not None
    assert np.array_equal(found, mask)
    assert found.flags.writeable


def test_parts_of_the_data_are_put_together() -> None:
    data = zlib.compress(b"\0\1\2\0\3\4")
    parts = chunk(b"IHDR", about()), chunk(b"IDAT", data[:5]), chunk(b"IDAT", data[5:]), chunk(b"IEND", b"")
    found = plain_png(MAGIC + b"".join(parts))
    assert found is not None
    assert found.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "other",
    [
        b"",
        MAGIC,
        png(about(), b"\0\1\2\1\3\4"),  # a row is filtered
        png(about(depth=16), b"\0\1\2\3\4\0\1\2\3\4"),
        png(about(depth=4), b"\0\1\0\2"),
        png(about(colour=3), b"\0\1\2\0\3\4", chunk(b"PLTE", bytes(30))),
        png(about(), b"\0\1\2\0\3\4", chunk(b"tRNS", b"\0\1")),
        png(about(interlaced=1), b"\0\1\2\0\3\4"),
        png(about(), b"\0\1\2\0\3"),
        png(about(), b"\0\1\2\0\3\4\0"),
        png(about(width=0), b""),
        png(about(2**31 - 1, 2**31 - 1), b"\0\1\2\0\3\4"),
        png(about(), b"\0\1\2\0\3\4") + b"x",
    ],
)
def test_what_is_not_plain_is_left_to_opencv(other: bytes) -> None:
    assert plain_png(other) is None


def test_a_damaged_one_is_read_as_opencv_reads_it() -> None:
    for at in range(len(PNG)):
        for damaged in (PNG[:at], PNG[:at] + bytes([PNG[at] ^ 1]) + PNG[at + 1 :]):
            wanted = cv2.imdecode(np.frombuffer(damaged, np.uint8), cv2.IMREAD_UNCHANGED) if damaged else None
            assert plain_png(damaged) is None
            if wanted is None or wanted.dtype != np.uint8 or wanted.ndim != 2:
                with pytest.raises(DatasetError):
                    decode_mask(damaged, "k")
            else:
                assert np.array_equal(decode_mask(damaged, "k"), wanted)

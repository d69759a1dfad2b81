"""Hashes as imagehash gives them."""

import cv2
import imagehash
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from mhmd.hashing.phash import phash
from mhmd.hashing.thumbnail import thumbnail
from mhmd.media.jpeg import decode_jpeg, encode_jpeg
from tests.films import scene_texture


@pytest.mark.parametrize("size", [(96, 64), (32, 32), (640, 360)])
def test_the_hash_is_that_of_imagehash(size: tuple[int, int]) -> None:
    for seed in range(8):
        picture = scene_texture(seed, size)
        expected = imagehash.phash(Image.fromarray(picture))
        value = phash(picture)
        assert value == int(str(expected), 16)
        bits = [value >> (63 - bit) & 1 for bit in range(64)]
        assert bits == expected.hash.flatten().tolist()


@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from(["noise", "extremes", "stripes"]), st.integers(0, 9))
@example(2160, 4096, "extremes", 0)
@example(512, 1370, "extremes", 1)
def test_thumbnails_are_those_of_pillow(height: int, width: int, kind: str, seed: int) -> None:
    chance = np.random.default_rng(seed)
    luma = chance.integers(0, 256, (height, width), dtype=np.uint8)
    if kind == "extremes":
        luma = np.where(luma > 127, 255, 0).astype(np.uint8)
    if kind == "stripes":
        luma = np.where(np.arange(width) // 5 % 2, luma, 255 - luma // 8).astype(np.uint8)
    expected = Image.fromarray(luma).resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(thumbnail(luma), expected)


@pytest.mark.parametrize("seed", range(12))
def test_what_rounding_decides_imagehash_decides(seed: int) -> None:
    luma = scene_texture(seed, (32, 32))[..., 0].astype(int)
    mirrored = np.repeat(((luma + luma.T) // 2)[..., None], 3, axis=2).astype(np.uint8)  # frequencies come in pairs
    assert phash(mirrored) == int(str(imagehash.phash(Image.fromarray(mirrored))), 16)


def test_small_changes_move_few_bits_other_pictures_many() -> None:
    picture, other = scene_texture(1, (192, 108)), scene_texture(2, (192, 108))
    near = decode_jpeg(encode_jpeg(cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA), 80))
    hashes = [phash(each) for each in (picture, near, other)]
    assert all(isinstance(value, int) and 0 <= value < 2**64 for value in hashes)
    assert (hashes[0] ^ hashes[1]).bit_count() <= 8
    assert (hashes[0] ^ hashes[2]).bit_count() >= 16


@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_without_structure_have_no_hash(level: int) -> None:
    noise = np.random.default_rng(0).normal(level, 3, (108, 192, 3)).clip(0, 255).astype(np.uint8)
    assert phash(np.full((108, 192, 3), level, np.uint8)) is None
    assert phash(noise) is None
    noise[30:70, 60:120] = 90 if level == 128 else 128
    assert phash(noise) is not None


@pytest.mark.parametrize("slope", [(150, 0), (0, -90), (60, 120)])
def test_a_mere_gradient_has_no_hash(slope: tuple[int, int]) -> None:
    y, x = np.mgrid[-0.5:0.5:270j, -0.5:0.5:480j]
    level = 128 + slope[0] * x + slope[1] * y
    gradient = np.repeat(level[..., None], 3, axis=2).astype(np.uint8)
    assert phash(gradient) is None
    gradient[100:200, 200:300] //= 2
    assert phash(gradient) is not None

"""The engine: batches and threads change nothing, a full GPU halves the batch, a second look sees small figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from mhmd.demo.footage import photograph
from mhmd.errors import TooMuchMemory
from mhmd.media.opencv import cv2
from mhmd.parsing.engine import Engine, highest
from mhmd.parsing.mask import encode_mask, persons, shares
from mhmd.parsing.parser import Parser, load_parser
from mhmd.parsing.second_look import Part, parts, weight


def by_light(logits: Callable[[Tensor], Tensor] | None = None, side: int = 16) -> Parser:
    """A parser that takes what is light for a person."""

    def light(pictures: Tensor) -> Tensor:
        level = pictures.float().mean(dim=3) / 10 - 12.8
        return torch.stack([-level, level], dim=1)

    common = ("background", "other person parts")
    return Parser("light", "none", ("dark", "light"), common, side, side, torch.device("cpu"), logits or light)


def test_a_batch_is_what_single_pictures_are_each_of_its_size() -> None:
    parser = load_parser("selfie-multiclass", "cpu")
    pictures = [photograph("astronaut")[:300], photograph("admiral")[:, :201], np.zeros((1, 1, 3), np.uint8)]
    for picture, parsing in zip(pictures, Engine(parser, batch=2).parse(pictures), strict=True):
        (alone,) = Engine(parser).parse([picture])
        assert parsing.mask.shape == picture.shape[:2]
        assert (parsing.mask == alone.mask).mean() > 0.999
        assert parsing.confidence == pytest.approx(alone.confidence, abs=1e-5)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(2, 7), st.integers(0, 9))
def test_the_highest_of_maps_is_that_of_torch(height: int, width: int, classes: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(classes, 16, 16)).astype(np.float32)
    larger = torch.nn.functional.interpolate(torch.from_numpy(logits)[None], (height, width), mode="bilinear")[0]
    best = highest(logits, (height, width))
    chosen = np.take_along_axis(larger.numpy(), best[None].astype(np.int64), 0)[0]
    np.testing.assert_allclose(chosen, larger.amax(dim=0).numpy(), atol=1e-5)


@given(st.integers(0, 9), st.integers(0, 20), st.integers(0, 20))
def test_parts_are_laid_over_the_maps_as_on_a_gpu(seed: int, top: int, left: int) -> None:
    rng = np.random.default_rng(seed)
    first, closer = (torch.from_numpy(rng.normal(size=(4, 16, 16)).astype(np.float32)) for _ in range(2))
    part = Part(top, top + 23, left, left + 31, rng.random((23, 31), np.float32))
    maps = torch.nn.functional.interpolate(first[None], (50, 60), mode="bilinear")[0]
    near = torch.nn.functional.interpolate(closer[None], (23, 31), mode="bilinear")[0]
    there = (slice(None), slice(top, top + 23), slice(left, left + 31))
    maps[there] = torch.lerp(maps[there], near, torch.from_numpy(part.share))
    best = highest(first.numpy(), (50, 60), [(part, closer.numpy())])
    chosen = np.take_along_axis(maps.numpy(), best[None].astype(np.int64), 0)[0]
    np.testing.assert_allclose(chosen, maps.amax(dim=0).numpy(), atol=1e-5)


def test_a_full_gpu_halves_the_batch_goes_on_and_says_so() -> None:
    whole, sizes, said = by_light(), [], []

    def small_memory(pictures: Tensor) -> Tensor:
        sizes.append(len(pictures))
        if len(pictures) > 3:
            raise torch.OutOfMemoryError("full")
        return whole.logits(pictures)

    pictures = [np.full((20, 30, 3), level, np.uint8) for level in range(0, 250, 25)]
    engine = Engine(by_light(small_memory), batch=8, say=said.append)
    masks = [parsing.mask for parsing in engine.parse(pictures)]
    assert sizes == [8, 4, 2, 2, 2, 2, 2]
    assert said == [f"the GPU's memory is full: {size} pictures at a time from now on" for size in (4, 2)]
    assert [mask.max() for mask in masks] == [level > 128 for level in range(0, 250, 25)]


def test_a_gpu_that_is_full_after_the_first_look_goes_on_with_fewer_pictures() -> None:
    whole, said = by_light(side=32), []

    def little_memory(pictures: Tensor) -> Tensor:
        if pictures.shape[1] == 16 and len(pictures) > 1:
            raise torch.OutOfMemoryError("full")
        return whole.logits(pictures)

    pictures = [np.zeros((320, 640, 3), np.uint8) for _ in range(5)]
    for number, picture in enumerate(pictures):
        picture[100:140, 60 + 80 * number : 100 + 80 * number] = 255
    parser = replace(by_light(little_memory, side=32), closer=0.5)
    engine = Engine(parser, second_look="auto", batch=4, say=said.append)
    found = engine.parse(pictures)
    assert (engine.batch, len(said)) == (1, 2)
    alone = Engine(replace(whole, closer=0.5), second_look="auto")
    for picture, parsing in zip(pictures, found, strict=True):
        (wanted,) = alone.parse([picture])
        assert parsing.looks == wanted.looks == 1
        assert np.array_equal(parsing.mask, wanted.mask)


def test_a_gpu_that_has_no_room_for_the_answers_goes_on_with_fewer_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    softmax, said = Tensor.softmax, []

    def little_memory(logits: Tensor, dim: int) -> Tensor:
        if len(logits) > 2:
            raise torch.OutOfMemoryError("full")
        return softmax(logits, dim)

    monkeypatch.setattr(Tensor, "softmax", little_memory)
    pictures = [np.full((20, 30, 3), level, np.uint8) for level in (0, 255, 0, 255, 255)]
    masks = [parsing.mask for parsing in Engine(by_light(), batch=8, say=said.append).parse(pictures)]
    assert [mask.max() for mask in masks] == [0, 1, 0, 1, 1]
    assert len(said) == 2


def test_no_room_for_one_picture_is_an_error() -> None:
    def no_memory(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(TooMuchMemory, match="no room on cpu for one picture"):
        Engine(by_light(no_memory)).parse([np.zeros((4, 4, 3), np.uint8)])


def test_a_second_look_sees_a_small_figure_more_sharply() -> None:
    picture = np.zeros((320, 640, 3), np.uint8)
    picture[100:140, 200:240] = 255
    picture[110:130:4, 200:240] = 0  # stripes that 16 px a side cannot show
    truth = picture[..., 0] > 0
    off, on = (Engine(by_light(), second_look=look).parse([picture])[0] for look in ("off", "on"))
    assert (off.looks, on.looks) == (0, 1)
    wrong = [(parsing.mask != truth).sum() for parsing in (off, on)]
    assert wrong[1] < wrong[0] / 2


def test_parts_go_to_the_network_at_the_share_that_the_parser_says() -> None:
    sizes: list[tuple[int, ...]] = []

    def noted(pictures: Tensor) -> Tensor:
        sizes.append(tuple(pictures.shape[1:3]))
        return by_light().logits(pictures)

    picture = np.zeros((320, 640, 3), np.uint8)
    picture[100:140, 200:240] = 255
    for closer in (0.75, 0.5):
        Engine(replace(by_light(noted, side=32), closer=closer), second_look="auto").parse([picture])
    assert sizes == [(32, 32), (24, 24), (32, 32), (16, 16)]
    assert 256 * load_parser("selfie-multiclass", "cpu").closer == 192


def test_a_second_look_leaves_large_figures_and_landscapes_alone() -> None:
    picture = np.zeros((320, 640, 3), np.uint8)
    dim = picture + np.uint8(121)  # a person with a probability of a quarter, everywhere
    picture[20:300, 100:500] = 255
    for each in (picture, dim, picture * 0):
        (auto,) = Engine(by_light(), second_look="auto").parse([each])
        (off,) = Engine(by_light()).parse([each])
        assert auto.looks == 0
        assert np.array_equal(auto.mask, off.mask)


chances = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((64, 64), np.float32) ** 8)


@given(chances, st.integers(8, 500), st.integers(8, 500), st.sampled_from(["auto", "on"]))
def test_parts_lie_inside_and_are_small(chance: NDArray[np.float32], height: int, width: int, look: str) -> None:
    found = parts(chance, height, width, look)  # type: ignore[arg-type]  # one of them
    assert len(found) <= 8
    for part in found:
        assert 0 <= part.top < part.bottom <= height
        assert 0 <= part.left < part.right <= width
        assert part.bottom - part.top <= 0.8 * height + 2


def test_parts_around_two_figures() -> None:
    chance = np.zeros((64, 64), np.float32)
    chance[20:28, 10:14] = chance[22:30, 44:48] = 0.9
    chance[50:60, 20:30] = 0.4  # nothing that the first look found
    left, right = sorted(parts(chance, 640, 640, "auto"), key=lambda part: part.left)
    assert (left.top, left.bottom) == (172, 308)  # 8 cells of 10 px, .35 of it more on either side
    assert left.bottom - left.top == left.right - left.left
    assert right.left > left.right
    assert parts(chance, 640, 640, "off") == []


def test_a_part_counts_inside_and_fades_at_edges_that_are_not_the_pictures() -> None:
    share = weight(100, 50, (True, False, False, True))
    assert share[0, -1] == 1
    assert share[50, 25] == 1
    assert share[-1, -1] < 0.1
    assert share[0, 0] < 0.1


def test_what_is_away_from_the_figure_keeps_the_first_answer() -> None:
    """Seen closely, everything here is a person: he ends around his figure, not where the part does."""

    def everywhere(pictures: Tensor) -> Tensor:
        return by_light().logits(pictures if pictures.shape[1] == 32 else torch.full_like(pictures, 255))

    picture = np.zeros((320, 640, 3), np.uint8)
    picture[100:150, 200:250] = 255
    parser = replace(by_light(everywhere, side=32), closer=0.5)
    off, auto = (Engine(parser, second_look=look).parse([picture])[0] for look in ("off", "auto"))
    assert auto.looks == 1
    (part,) = parts(cv2.resize((picture[..., 0] / 255).astype(np.float32), (64, 64)), 320, 640, "auto")
    assert part.bottom - part.top > 80
    assert off.mask[125, 225] == auto.mask[125, 225] == 1
    assert auto.mask.sum() > off.mask.sum()
    for y, x in ((part.top + 8, part.left + 8), (part.bottom - 9, part.right - 9)):
        assert off.mask[y, x] == auto.mask[y, x] == 0
    assert part.share[part.share.shape[0] // 2, part.share.shape[1] // 2] == 1


def test_persons_are_counted_by_figures_and_by_faces() -> None:
    figures, faces = np.zeros((100, 200), np.uint8), np.zeros((100, 200), np.uint8)
    assert persons(figures, faces) == 0
    figures[20:90, 10:40] = figures[20:90, 60:120] = 1
    figures[0:3, 190:193] = 1  # a speck
    assert persons(figures, faces) == 2
    faces[25:35, 65:75] = faces[25:35, 100:110] = 1
    faces[80:81, 70:71] = 1  # a speck, too
    assert persons(figures, faces) == 3


def test_a_mask_is_gray_and_the_same_bytes() -> None:
    import io

    from PIL import Image

    mask = (np.arange(30 * 40).reshape(30, 40) % 6).astype(np.uint8)
    with Image.open(io.BytesIO(encode_mask(mask))) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), mask)
    assert encode_mask(mask.copy()) == encode_mask(mask)
    assert shares(mask, 6) == pytest.approx([1 / 6] * 6)
    assert np.array_equal(cv2.imdecode(np.frombuffer(encode_mask(mask), np.uint8), cv2.IMREAD_UNCHANGED), mask)

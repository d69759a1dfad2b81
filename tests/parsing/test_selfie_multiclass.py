"""The parser that comes with mhmd: its answers on two photographs, its size, its weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mhmd.demo.footage import photograph
from mhmd.errors import RecipeError, WeightsError
from mhmd.parsing.mask import encode_mask, shares
from mhmd.parsing.parser import PARSERS, load_parser
from mhmd.parsing.selfie_multiclass import SelfieMulticlass


@pytest.fixture(scope="module")
def parser() -> SelfieMulticlass:
    return SelfieMulticlass("cpu")


GOLDEN = {
    "astronaut": (0.583, 0.036, 0.007, 0.029, 0.335, 0.011),
    "admiral": (0.424, 0.007, 0.026, 0.106, 0.370, 0.068),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_shares_of_the_classes(parser: SelfieMulticlass, name: str) -> None:
    picture = photograph(name)
    (parsing,) = parser.parse([picture])
    assert (parsing.mask.shape, parsing.mask.dtype) == (picture.shape[:2], np.uint8)
    np.testing.assert_allclose(shares(parsing.mask, 6), GOLDEN[name], atol=0.01)
    assert 0.8 < parsing.confidence < 1


def test_a_batch_is_what_single_pictures_are_each_of_its_size(parser: SelfieMulticlass) -> None:
    pictures = [photograph("astronaut")[:300], photograph("admiral")[:, :201], np.zeros((1, 1, 3), np.uint8)]
    batch = parser.parse(pictures)
    for picture, parsing in zip(pictures, batch, strict=True):
        (alone,) = parser.parse([picture])
        assert parsing.mask.shape == picture.shape[:2]
        assert parsing.mask.tobytes() == alone.mask.tobytes()
        assert parsing.confidence == alone.confidence


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [photograph(name) for name in ("astronaut", "admiral", "cameraman", "coffee")]
    answers = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        parsings = SelfieMulticlass("cpu").parse(pictures)
        answers.append([(parsing.mask.tobytes(), parsing.confidence) for parsing in parsings])
    assert answers[0] == answers[1]


def test_it_loads_without_chatter() -> None:
    code = "import os, mhmd.parsing.parser as p; p.load_parser('selfie-multiclass', 'cpu'); os.write(2, b'heard')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"heard")


def test_weights_that_are_missing_or_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.tflite: No such file"):
        SelfieMulticlass("cpu", tmp_path / "none.tflite")
    (tmp_path / "cut.tflite").write_bytes(b"TFL3")
    with pytest.raises(WeightsError, match=r"cut\.tflite has SHA-256 .*wanted the weights of SHA-256 c6748b12"):
        SelfieMulticlass("cpu", tmp_path / "cut.tflite")


def test_every_parser_is_what_it_says() -> None:
    for name in PARSERS:
        parser = load_parser(name, "cpu")
        assert parser.name == name
        assert parser.clothes <= parser.person <= set(parser.classes)
        assert parser.licence


def test_unknown_parsers_are_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="no parser 'cihp'; wanted one of selfie-multiclass"):
        load_parser("cihp", "cpu")


def test_a_mask_is_gray_and_the_same_bytes(tmp_path: Path) -> None:
    from PIL import Image

    mask = (np.arange(30 * 40).reshape(30, 40) % 6).astype(np.uint8)
    (tmp_path / "mask.png").write_bytes(encode_mask(mask))
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), mask)
    assert encode_mask(mask.copy()) == encode_mask(mask)

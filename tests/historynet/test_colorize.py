from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from mhmd.errors import PictureError, UsageError, WeightsError
from mhmd.historynet import checkpoint
from mhmd.historynet.checkpoint import About
from mhmd.historynet.colorize import colorize
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.model import Generator

LEVEL = 100 / 255


@pytest.fixture
def model(tmp_path: Path, tiny: Callable[..., TrainConfig]) -> Path:
    """An untrained generator made to paint loudly: far out of sRGB's gamut, and differently from place to place."""
    torch.manual_seed(0)
    about = About(tiny(), 1, "", (("a", "b", "c"), ("a", "b", "d")), ("background",))
    generator = Generator(about.config, about.classes)
    with torch.no_grad():
        generator.colour.ab.convolution.weight *= 300
    path = tmp_path / "model" / "model.safetensors"
    path.parent.mkdir()
    checkpoint.write(path, {f"generator.{name}": tensor for name, tensor in generator.state_dict().items()}, about)
    return path


def lightness(rgb: np.ndarray) -> np.ndarray:
    return rgb2lab(rgb / (65535 if rgb.dtype == np.uint16 else 255))[..., 0]


def ramp(height: int, width: int) -> np.ndarray:
    """Every gray from 0 to 255 and, below, noise."""
    gray = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    gray[: height // 2] = np.linspace(0, 255, width).round()
    return gray


def test_lightness_is_kept_at_every_pixel_of_any_size(model: Path, tmp_path: Path) -> None:
    for height, width in ((64, 512), (700, 31), (1, 1)):
        source = tmp_path / f"{height}.png"
        gray = ramp(height, width)
        Image.fromarray(gray).save(source)
        (path,) = colorize(model, [source], tmp_path / "out", "cpu")
        assert path == tmp_path / "out" / f"{height}.png"
        with Image.open(path) as picture:
            assert picture.mode == "RGB"
            rgb = np.asarray(picture)
        assert rgb.shape == (height, width, 3)
        assert np.abs(lightness(rgb) - lightness(np.repeat(gray[..., None], 3, axis=2))).max() < LEVEL
    assert np.ptp(np.asarray(Image.open(tmp_path / "out" / "64.png")).astype(int), axis=2).max() > 60


def test_only_lightness_counts_in_whatever_form_it_comes(model: Path, tmp_path: Path) -> None:
    gray = ramp(40, 60)
    rgb = np.repeat(gray[..., None], 3, axis=2)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise to be looked at
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    Image.fromarray(np.dstack((rgb, gray))).save(tmp_path / "alpha.png")
    cv2.imwrite(str(tmp_path / "deep.png"), rgb.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "deep.tiff"), gray.astype(np.uint16) * 257)
    Image.fromarray(np.rot90(rgb)).save(tmp_path / "turned.png", exif=exif)
    names = ["gray.png", "rgb.png", "alpha.png", "deep.png", "turned.png"]
    out = colorize(model, [tmp_path / name for name in names], tmp_path / "out", "cpu")
    out += colorize(model, [tmp_path / "deep.tiff"], tmp_path / "out2", "cpu")
    first = np.asarray(Image.open(out[0]))
    for path in out:
        np.testing.assert_array_equal(np.asarray(Image.open(path)), first, err_msg=str(path))


def test_sixteen_bits_are_seen(model: Path, tmp_path: Path) -> None:
    """The darkest 8-bit level of a channel holds 257 of 16 bits, and half of them round up."""
    deep = np.linspace(0, 257 * 8, 64 * 64).astype(np.uint16).reshape(64, 64)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    (path,) = colorize(model, [tmp_path / "deep.png"], tmp_path / "out", "cpu")
    wanted = lightness(np.repeat(deep[..., None], 3, axis=2))
    assert np.abs(lightness(np.asarray(Image.open(path))) - wanted).max() < 0.7 * LEVEL


def test_lightness_of_a_colour_picture_is_kept(model: Path, tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "colour.png")
    (path,) = colorize(model, [tmp_path / "colour.png"], tmp_path / "out", "cpu")
    assert np.abs(lightness(np.asarray(Image.open(path))) - lightness(rgb)).max() < LEVEL


def test_bad_pictures_are_told_and_the_others_done(model: Path, tmp_path: Path) -> None:
    good, text, empty = tmp_path / "good.png", tmp_path / "text.jpg", tmp_path / "empty.jpg"
    Image.fromarray(ramp(20, 20)).save(good)
    text.write_text("not a picture")
    empty.touch()
    out = tmp_path / "out"
    with pytest.raises(PictureError) as told:
        colorize(model, [tmp_path / "nowhere.jpg", text, empty, tmp_path, good], out, "cpu")
    message = str(told.value)
    assert "4 of 5 pictures failed" in message
    assert all(word in message for word in ("nowhere.jpg", "text.jpg", "empty.jpg", "is a folder"))
    assert "\n" not in message
    assert [path.name for path in out.iterdir()] == ["good.png"]
    with pytest.raises(PictureError, match=r"text\.jpg is not a picture"):
        colorize(model, [text], out, "cpu")


def test_no_picture_is_written_over(model: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "a.png", tmp_path / "other" / "a.png"):
        Image.fromarray(ramp(20, 20)).save(path)
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(PictureError, match="over itself"):
        colorize(model, [tmp_path / "a.png"], tmp_path, "cpu")
    assert (tmp_path / "a.png").read_bytes() == before
    with pytest.raises(PictureError, match="2 of 2"):
        colorize(model, [tmp_path / "a.png", tmp_path / "other" / "a.png"], tmp_path / "out", "cpu")
    with pytest.raises(UsageError, match="is a file"):
        colorize(model, [tmp_path / "a.png"], tmp_path / "a.png", "cpu")


def test_no_model_no_output(tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        colorize(tmp_path / "none.safetensors", [tmp_path / "a.png"], tmp_path / "out", "cpu")
    assert not (tmp_path / "out").exists()


def test_a_device_that_is_not_there_is_told(model: Path, tmp_path: Path) -> None:
    for device in ("cuda:99", "abacus"):
        with pytest.raises(UsageError, match=device):
            colorize(model, [], tmp_path / "out", device)

"""Colour pictures of any size, keeping their own lightness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mhmd.errors import PictureError, UsageError
from mhmd.historynet.checkpoint import load_generator
from mhmd.historynet.device import torch_device
from mhmd.historynet.lab import lab_to_srgb_keeping_lightness, srgb_to_lab, to_bytes
from mhmd.historynet.model import Generator
from mhmd.historynet.paint import paint
from mhmd.media.opencv import cv2

LONGEST = 4
"""The most that a network sees of a strip's long side, in short sides as it was trained: memory has an end."""
_STRIP_PX = 512
"""Rows turned into RGB at once, so that a large scan does not need memory for all of it."""


def colorize(checkpoint: Path, pictures: Sequence[Path], out_dir: Path, device: str = "auto") -> list[Path]:
    """Colour each picture and write it as `<out_dir>/<stem>.png`; gives these paths, in the pictures' order.

    A picture may have any size, 8 or 16 bits a channel, be gray or colour. Only its lightness is used: its own
    colours and its transparency are dropped, and a camera's note of its orientation is followed. What is written has
    8 bits a channel and the same CIELAB L, within 1/255 of L's range at every pixel: colours that sRGB cannot show at
    that L lose chroma until it can. (Rec. 601 luma is another measure, and a saturated colour of equal L differs in
    it.) The network sees the picture with the short side that it was trained at, or squashed where it was trained so.

    Raises WeightsError and UsageError at once; PictureError at the end, when all other pictures are done, for those
    that cannot be read, or whose output would be written over themselves or over each other's.
    """
    generator, _ = load_generator(checkpoint, torch_device(device))
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{out_dir} is a file", wanted="a folder", do="choose another folder") from None
    targets = [out_dir / f"{picture.stem}.png" for picture in pictures]
    uses = Counter(targets)
    written, errors = [], []
    for picture, target in zip(pictures, targets, strict=True):
        try:
            if uses[target] > 1 or (target.exists() and target.samefile(picture)):
                raise PictureError(
                    f"{picture} would be written to {target}, as another picture is or over itself",
                    wanted="names that differ, and another folder than the pictures'",
                    do="rename it or choose another folder",
                )
            _write(target, _coloured(generator, _lightness(picture)))
            written.append(target)
        except PictureError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise PictureError(
            f"{len(errors)} of {len(pictures)} pictures failed: {' | '.join(error.found for error in errors)}",
            wanted="pictures that can be read and names that differ",
            do="mend or leave out these; the others are done",
        )
    return written


def _lightness(picture: Path) -> NDArray[np.float32]:
    """CIELAB L in [0, 100], (H, W)."""
    if picture.is_dir():
        raise PictureError(f"{picture} is a folder", wanted="a picture", do="name the pictures in it")
    try:
        data = np.frombuffer(picture.read_bytes(), np.uint8)
    except OSError as error:
        raise PictureError(f"{picture}: {error.strerror or error}", wanted="a picture", do="check its path") from None
    try:
        # without IMREAD_UNCHANGED, OpenCV turns the picture as its EXIF says and drops transparency
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except cv2.error as error:
        raise PictureError(f"{picture}: {error.err}", wanted="at most 2^30 pixels", do="make it smaller") from None
    if bgr is None or bgr.dtype not in (np.uint8, np.uint16):
        raise PictureError(
            f"{picture} is not a picture that can be read", wanted="JPEG, PNG or TIFF of 8 or 16 bits", do="convert it"
        )
    strips = [_strip_lightness(bgr[top : top + _STRIP_PX]) for top in range(0, bgr.shape[0], _STRIP_PX)]
    return np.concatenate(strips)


def _strip_lightness(bgr: NDArray[Any]) -> NDArray[np.float32]:  # Any: 8 or 16 bits
    rgb = torch.from_numpy(bgr[..., ::-1].astype(np.float32) / np.iinfo(bgr.dtype).max)
    return srgb_to_lab(rgb.permute(2, 0, 1)[None])[0, 0].numpy()


def _coloured(generator: Generator, lightness: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) of L → (H, W, 3) of 8-bit sRGB."""
    device = next(generator.parameters()).device
    height, width = lightness.shape
    side = generator.config.size_px
    scale = min(side / min(height, width), LONGEST * side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(lightness, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    seen = torch.from_numpy(small).to(device)[None, None] / 100  # 1, 1, h, w
    ab = paint(generator, seen.clamp(0, 1)).ab.cpu()  # 1, 2, h, w
    whole = functional.interpolate(ab, (height, width), mode="bilinear", align_corners=False)  # 1, 2, H, W
    strips = []
    for top in range(0, height, _STRIP_PX):
        rows = slice(top, top + _STRIP_PX)
        lab = torch.cat((torch.from_numpy(lightness[rows])[None, None], whole[:, :, rows]), dim=1)
        strips.append(_bytes(lab))
    return np.concatenate(strips)


def _bytes(lab: Tensor) -> NDArray[np.uint8]:
    return np.asarray(to_bytes(lab_to_srgb_keeping_lightness(lab))[0].permute(1, 2, 0).numpy(), np.uint8)


def _write(path: Path, rgb: NDArray[np.uint8]) -> None:
    encoded, png = cv2.imencode(".png", rgb[..., ::-1])
    assert encoded
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(png.tobytes())
    temporary.replace(path)

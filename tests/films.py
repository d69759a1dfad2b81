"""Small films for tests, made in a fraction of a second, always the same bytes, with their truth beside them."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, chain, cycle, islice
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

Look = Literal["colour", "gray", "black", "blurred"]

VFR_STEPS_MS = (40, 42, 83, 17, 41, 125)
"""Lengths of the frames of a film of variable rate, over and over."""

MATRIX_TAG = {"bt601": 6, "bt709": 1, "bt2020": 9}
SWS_MATRIX = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}


@dataclass(frozen=True)
class Scene:
    """One shot to be made. The same seed and look give the same pictures everywhere; None = its place in the film."""

    frames: int
    look: Look = "colour"
    seed: int | None = None


@dataclass(frozen=True)
class Coding:
    """How pictures become a file. `tagged` says whether the stream names its matrix and range."""

    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    matrix: Literal["bt601", "bt709", "bt2020"] = "bt601"
    full_range: bool = False
    tagged: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MadeFilm:
    """The truth of a made film.

    `cuts` are the first frames of all shots but the first. `times` are seconds of all frames and of the film's end,
    exact in MP4, rounded to ms in Matroska. `bars` px are black at top and bottom. `size` is width, height.
    """

    path: Path
    size: tuple[int, int]
    bars: int
    frames: int
    cuts: tuple[int, ...]
    times: tuple[Fraction, ...]


def make_film(
    path: Path,
    shots: Sequence[int | Scene] = (24, 30, 36),
    *,
    rate: Fraction = Fraction(24),
    size: tuple[int, int] = (192, 108),
    bars: int = 0,
    vfr: bool = False,
    coding: Coding = Coding(),
) -> MadeFilm:
    """A film of these shots, each a number of frames or a Scene, with hard cuts between them.

    Every shot has a colour and a texture of its own, sharp (but for "blurred") and moving 2 px a frame to the left.
    AdaptiveDetector finds all cuts at their exact frame where every shot has 16 frames or more. `bars` px at top and
    bottom are black. With `vfr` frames last `VFR_STEPS_MS` instead of 1 / rate.
    """
    scenes = [shot if isinstance(shot, Scene) else Scene(shot) for shot in shots]
    frames = sum(scene.frames for scene in scenes)
    steps = (Fraction(ms, 1000) for ms in islice(cycle(VFR_STEPS_MS), frames)) if vfr else [1 / rate] * frames
    times = tuple(accumulate(chain([Fraction(0)], steps)))
    inner = (size[0], size[1] - 2 * bars)
    pictures = (
        cv2.copyMakeBorder(picture, bars, bars, 0, 0, cv2.BORDER_CONSTANT)
        for place, scene in enumerate(scenes)
        for picture in scene_pictures(scene, place, inner)
    )
    write_film(path, pictures, times, rate, coding)
    cuts = tuple(accumulate(scene.frames for scene in scenes[:-1]))
    return MadeFilm(path, size, bars, frames, cuts, times)


def scene_pictures(scene: Scene, place: int, size: tuple[int, int]) -> Iterable[Picture]:
    """The RGB pictures of a scene."""
    width, height = size
    if scene.look == "black":
        yield from [np.zeros((height, width, 3), np.uint8)] * scene.frames
        return
    seed = place if scene.seed is None else scene.seed
    texture = scene_texture(seed, (width + 2 * scene.frames, height), scene.look)
    for step in range(scene.frames):
        yield texture[:, 2 * step : 2 * step + width]


def scene_texture(seed: int, size: tuple[int, int], look: Look = "colour") -> Picture:
    """A wide RGB picture that a scene shows a moving part of: its own colour, large blotches and fine grain."""
    width, height = size
    random = np.random.default_rng(seed)
    hue, value = seed * 0.381966 % 1, 0.45 + 0.4 * (seed % 2)
    base = np.array(colorsys.hsv_to_rgb(hue, 0.55, value)) * 255
    blotches = random.normal(0, 32, (max(2, height // 18), max(2, width // 18), 3)).astype(np.float32)
    grain = random.normal(0, 12, (height, width, 1)).astype(np.float32)
    texture = base + cv2.resize(blotches, size, interpolation=cv2.INTER_CUBIC) + grain
    picture = texture.clip(16, 240).astype(np.uint8)
    if look == "gray":
        return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if look == "blurred":
        return cv2.GaussianBlur(picture, (0, 0), height / 12)
    return picture


def write_film(
    path: Path,
    pictures: Iterable[Picture],
    times: Sequence[Fraction],
    rate: Fraction = Fraction(24),
    coding: Coding = Coding(),
) -> None:
    """Encode RGB pictures H×W×3 at these times, s, of which the one more is the film's end.

    The container is that of the path's suffix. Nearly lossless with the default codec, a keyframe every 12 frames and
    at cuts. Tags are written only if asked for.
    """
    defaults = {"crf": "8", "preset": "ultrafast", "g": "12"} if coding.codec == "libx264" else {}
    time_base = Fraction(1, np.lcm.reduce([time.denominator for time in times]))
    scaler = VideoReformatter()
    lengths: dict[int, int] = {}
    with av.open(str(path), "w") as container:
        stream = None
        for picture, time, end in zip(pictures, times, times[1:], strict=False):
            if stream is None:
                height, width = picture.shape[:2]
                stream = container.add_stream(coding.codec, rate=rate, options={**defaults, **coding.options})
                stream.width, stream.height, stream.pix_fmt = width, height, coding.pixel_format
                stream.codec_context.time_base = time_base
                stream.codec_context.thread_count = 1
                if coding.codec != "libx264":
                    stream.bit_rate = 8_000_000
                if coding.tagged:
                    stream.codec_context.colorspace = MATRIX_TAG[coding.matrix]
                    stream.codec_context.color_range = 2 if coding.full_range else 1
            frame = scaler.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24"),
                format=coding.pixel_format,
                src_colorspace=SWS_MATRIX[coding.matrix],
                dst_colorspace=SWS_MATRIX[coding.matrix],
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.JPEG if coding.full_range else ColorRange.MPEG,
            )
            frame.pts, frame.time_base = int(time / time_base), time_base
            if not coding.tagged:
                frame.colorspace, frame.color_range = 2, 0
            lengths[frame.pts] = int((end - time) / time_base)
            _mux(container, stream.encode(frame), lengths)
        if stream is not None:
            _mux(container, stream.encode(None), lengths)


def _mux(container: OutputContainer, packets: Iterable[Packet], lengths: Mapping[int, int]) -> None:
    """The encoder gives every packet the mean length; the muxer believes it for the last one."""
    for packet in packets:
        packet.duration = lengths[packet.pts]
        container.mux(packet)

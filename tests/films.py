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

MATRIX_TAG = {"bt601": 6, "bt709": 1, "bt2020": 9, "smpte240m": 7}
SWS_MATRIX = {
    "bt601": Colorspace.ITU601,
    "bt709": Colorspace.ITU709,
    "bt2020": Colorspace.BT2020,
    "smpte240m": Colorspace.SMPTE240M,
}


@dataclass(frozen=True)
class Scene:
    """One shot to be made. The same seed and look give the same pictures everywhere; None = its place in the film."""

    frames: int
    look: Look = "colour"
    seed: int | None = None


@dataclass(frozen=True)
class Coding:
    """How pictures become a file. `tagged` says whether the stream names its matrix, its range and the last two.

    These, `transfer` and `primaries`, numbers of H.273, are tags alone: pictures are coded as they are.
    """

    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    matrix: Literal["bt601", "bt709", "bt2020", "smpte240m"] = "bt601"
    full_range: bool = False
    tagged: bool = False
    transfer: int = 2
    primaries: int = 2
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
    options: Mapping[str, str] | None = None,
) -> None:
    """Encode RGB pictures H×W×3 at these times, s, of which the one more is the film's end.

    The container is that of the path's suffix. Nearly lossless with the default codec, a keyframe every 12 frames and
    at cuts. Tags are written only if asked for. `options` are the container's.
    """
    defaults = {"crf": "8", "preset": "ultrafast", "g": "12"} if coding.codec == "libx264" else {}
    time_base = Fraction(1, np.lcm.reduce([time.denominator for time in times]))
    scaler = VideoReformatter()
    lengths: dict[int, int] = {}
    with av.open(str(path), "w", options=dict(options or {})) as container:
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
                    stream.codec_context.color_trc = coding.transfer
                    stream.codec_context.color_primaries = coding.primaries
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


def moving_pictures(count: int, size: tuple[int, int] = (192, 144), step_px: int = 3, seed: int = 0) -> list[Picture]:
    """RGB pictures of a texture with strong upright edges that moves to the left: what shows combing best."""
    width, height = size
    texture = scene_texture(seed, (width + count * step_px, height)).copy()
    bars = np.arange(texture.shape[1]) // 12 % 2 == 1
    texture[:, bars] = texture[:, bars] // 3
    return [texture[:, place * step_px : place * step_px + width] for place in range(count)]


def interlaced_pictures(pictures: Sequence[Picture], *, top_first: bool = True) -> list[Picture]:
    """Pictures of twice the rate, woven: even lines of one, odd lines of the next, or the other way round."""
    pairs = zip(pictures[0::2], pictures[1::2], strict=True)
    return [woven(first, second) if top_first else woven(second, first) for first, second in pairs]


def telecined_pictures(pictures: Sequence[Picture]) -> list[Picture]:
    """Pictures of 24 a second, four at a time, as five of 30: 3:2 pulldown, its second and third woven of two."""
    found = []
    for a, b, c, d in zip(pictures[0::4], pictures[1::4], pictures[2::4], pictures[3::4], strict=True):
        found += [a, woven(a, b), woven(b, c), c, d]
    return found


def woven(top: Picture, bottom: Picture) -> Picture:
    """The even lines of one picture and the odd lines of another."""
    picture = top.copy()
    picture[1::2] = bottom[1::2]
    return picture


def evenly(count: int, rate: Fraction) -> list[Fraction]:
    """The times of so many frames of one length, and of their end, s."""
    return [place / rate for place in range(count + 1)]


HDR_CHART = {
    "black": (0, 0, 0),
    "dark": (0.2, 0.2, 0.2),
    "middle gray": (0.41, 0.41, 0.41),
    "skin": (0.8, 0.58, 0.48),
    "dark skin": (0.45, 0.3, 0.24),
    "red": (0.6, 0.1, 0.1),
    "green": (0.15, 0.5, 0.2),
    "blue": (0.1, 0.15, 0.6),
    "white": (1, 1, 1),
}
"""Patches of `hdr_film` as an ordinary screen shows them (BT.709 primaries, gamma 2.4), 1 = white."""

HDR_WHITE_NITS = 203


def hdr_film(
    path: Path,
    transfer: str,
    size: tuple[int, int] = (288, 32),
    pixel_format: str = "yuv444p10le",
    *,
    primaries: bool = True,
) -> Path:
    """12 frames of `HDR_CHART`, patches 32 px wide in a row: 10 bit BT.2020 in PQ ("smpte2084") or HLG, tagged.

    `primaries` says whether these are tagged, too.
    """
    to_bt2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    nits = np.array(list(HDR_CHART.values())) ** 2.4 * HDR_WHITE_NITS @ to_bt2020.T
    red, green, blue = (_pq(nits) if transfer == "smpte2084" else _hlg(nits)).T
    luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
    patches = [64 + 876 * luma, 512 + 896 * (blue - luma) / 1.8814, 512 + 896 * (red - luma) / 1.4746]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        (stream.width, stream.height), stream.pix_fmt = size, pixel_format
        context = stream.codec_context
        context.color_trc, context.color_primaries = 16 if transfer == "smpte2084" else 18, 9 if primaries else 2
        context.colorspace, context.color_range = 9, 1
        frame = av.VideoFrame(*size, pixel_format)
        for plane, values in zip(frame.planes, patches, strict=True):
            lines = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            lines[:, : plane.width] = np.repeat(values.round(), 32 if plane.width == size[0] else 16)[: plane.width]
            plane.update(lines.tobytes())
        frame.color_trc, frame.color_primaries = context.color_trc, context.color_primaries
        frame.colorspace, frame.color_range = context.colorspace, context.color_range
        for number in range(12):
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084: signal, 0 to 1, of luminance, cd/m²."""
    light = (nits / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * light) / (1 + 2392 / 128 * light)) ** (2523 / 32)


def _hlg(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100: signal, 0 to 1, of luminance, cd/m², on a screen of 1000 cd/m², whose gamma is 1.2."""
    shown = nits / 1000
    luminance = shown @ [[0.2627], [0.678], [0.0593]]
    light = shown * np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), a * np.log(np.maximum(12 * light - b, 1e-9)) + c)

"""What a film is, found before it is decoded: size, rate, colour, bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable
from mhmd.media.bars import Bars, formats_of
from mhmd.media.black import black_of
from mhmd.media.colour import Colour, colour_of
from mhmd.media.container import MAX_PIXELS, opened, packets_of
from mhmd.media.glance import Glance
from mhmd.media.interlace import FieldOrder, Scan, Scanning, may_be_telecined, scanning_of, thinned
from mhmd.media.upright import as_shown

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

SAMPLES = 24, 100
"""At fewest and at most so many points of the film, evenly spread, have their keyframes looked at."""

SAMPLE_EVERY_S = 15.0
"""Between these bounds there is one point in each such part, s: a keyframe costs as much as ten frames or so, and of a
short film a hundred would cost a fifth of decoding it."""

ENOUGH_SAMPLES = 8
"""With fewer keyframes than this, frames from the film's beginning are looked at instead."""

FIRST_FRAMES, EVERY = 240, 10
"""Of how many of the first frames one in how many is looked at."""

RUNS, RUN_FRAMES = 5, 32
"""Runs of consecutive frames, evenly spread, that tell how the film was scanned, and their length."""

BOTTOM_FIRST = (3, 4)
"""FFmpeg's field orders in which the odd lines are shown first, whichever field is coded first."""

HDR_TRANSFERS = ("smpte2084", "arib_std_b67")
"""PQ and HLG: shown as they are, such films look washed out."""

MAX_PIXEL_ASPECT = 4
"""Pixels wider or taller than this by their other side are a mistake in the header; anamorphic film has 2."""

PACKETS_A_KEYFRAME = 4
"""Packets from a keyframe on that may be needed until its frame comes out: two fields, a header of its own."""

WHOLE_FRAMES = ("mov", "matroska")
"""In these containers a packet holds a whole frame: the decoder need not be given more to let it out."""


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a decoded frame that is picture, px."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Probe:
    """What a film says of itself, and what a few frames of it show.

    `time_base` is the length of a tick, s. `rate` is None when the container does not tell. `frames` is an estimate,
    for progress alone, at least 1. Bars of its `formats` are black up to the luma `black`. `coded` is the colour in
    which the film is coded, `colour` that in which a decoder gives its frames: the same, but for HDR films, which are
    tone-mapped. `pixel_aspect` is a pixel's width by its height. As shown, frames have left and right exchanged if
    `mirrored`, and are then turned clockwise by `rotation_deg`, of 0, 90, 180 and 270.
    """

    codec: str
    width: int
    height: int
    time_base: Fraction
    rate: Fraction | None
    frames: int
    pixel_format: str
    coded: Colour
    formats: tuple[Bars, ...]
    black: int
    pixel_aspect: Fraction
    rotation_deg: int
    mirrored: bool
    monochrome: bool
    scanning: Scanning

    @property
    def scan(self) -> Scan:
        """Progressive, interlaced or telecined."""
        return self.scanning.scan

    @property
    def hdr(self) -> bool:
        """Whether the film's light is coded as PQ or HLG."""
        return self.coded.transfer in HDR_TRANSFERS

    @property
    def colour(self) -> Colour:
        """The colour in which frames come from a decoder."""
        return replace(self.coded, matrix="bt709", range="limited") if self.hdr else self.coded

    def crop(self, bars: Bars) -> Crop:
        """What lies inside bars."""
        return Crop(bars.left, bars.top, self.width - bars.left - bars.right, self.height - bars.top - bars.bottom)


def probe_film(path: Path, color_matrix: str | None = None) -> Probe:
    """What the film is. `color_matrix` overrides the stream's tag.

    Raises FilmMissing, and FilmUnreadable when the file is no film or not one frame of it can be decoded.
    """
    with opened(path) as (container, stream):
        _check_encryption(container, stream, path)
        rate, seconds = stream.average_rate or None, declared_seconds(container, stream)
        samples = _samples(container, stream, path)
        first = next(samples, None)
        if first is None:
            raise no_frame(path)
        coded = colour_of(first, color_matrix)
        glance = Glance(coded)
        rotation_deg, mirrored = as_shown(first)
        black, lumas = black_of(glance.look(sample) for sample in chain([first], samples))
        return Probe(
            codec=stream.codec_context.name,
            width=first.width,
            height=first.height,
            time_base=time_base_of(stream),
            rate=rate,
            frames=max(1, stream.frames or round(seconds * float(rate or 25))),
            pixel_format=first.format.name,
            coded=coded,
            formats=formats_of(lumas, black),
            black=black,
            pixel_aspect=_pixel_aspect(stream),
            rotation_deg=rotation_deg,
            mirrored=mirrored,
            monochrome=glance.monochrome,
            scanning=_scanning(path, rate, glance),
        )


def declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """How long the film is by its container, s; 0 when it does not tell.

    The lesser of what the stream and the container say: sound may go on longer, and an edit list may cut. An AVI's
    number of frames is believed first, because FFmpeg shortens the duration of a file that was cut off. Matroska
    says when the film ends, not how long it is.
    """
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    durations = []
    if stream.duration is not None:
        durations.append(float(stream.duration * time_base_of(stream)))
    if container.duration is not None:
        start = max(0, container.start_time or 0) if "matroska" in container.format.name else 0
        durations.append((container.duration - start) / 1_000_000)
    return min(durations, default=0.0)


def time_base_of(stream: VideoStream) -> Fraction:
    """The length of a tick, s."""
    assert stream.time_base is not None, "FFmpeg gives every video stream a time base"
    return stream.time_base


def no_frame(path: Path, why: str = "") -> FilmUnreadable:
    """The error for a film of which nothing can be decoded; `why` in words of the decoder's."""
    return FilmUnreadable(
        f"{path}: not one frame can be decoded" + (f" ({why})" if why else ""),
        wanted=f"a film that plays: not cut off, damaged or encrypted, with frames of at most {MAX_PIXELS} px",
        do="copy or convert it again",
    )


def _check_encryption(container: InputContainer, stream: VideoStream, path: Path) -> None:
    first = next(packets_of(container, stream), None)
    if first is not None and first.has_sidedata("encryption_info"):
        raise FilmUnreadable(
            f"{path} is encrypted", wanted="a film without copy protection", do="get an unprotected copy"
        )


def _pixel_aspect(stream: VideoStream) -> Fraction:
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        return Fraction(1)
    return aspect


def _samples(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    """Frames spread over the film, or its first ones, all of one size. Hardly more than one is held at a time."""
    keyframes = _keyframes(container, stream)
    head = list(islice(keyframes, ENOUGH_SAMPLES))
    if len(head) < ENOUGH_SAMPLES:
        with opened(path) as (again, its_stream):
            samples: Iterator[VideoFrame] = islice(_frames(again, its_stream), 0, FIRST_FRAMES, EVERY)
            yield from _of_one_size(chain(samples, head) if head else samples)
    else:
        yield from _of_one_size(chain(head, keyframes))


def _of_one_size(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    size = None
    for frame in frames:
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) == size:
            yield frame


def _scanning(path: Path, rate: Fraction | None, glance: Glance) -> Scanning:
    """How the film was scanned. Only where something speaks for fields, more of it is decoded."""
    flagged = glance.flagged * 2 > glance.frames
    if not (glance.flagged or glance.combed or may_be_telecined(rate)):
        return Scanning("progressive")
    with opened(path) as (container, stream):
        order: FieldOrder = "bff" if stream.codec_context.field_order in BOTTOM_FIRST else "tff"
        return scanning_of(_runs(container, stream, glance), rate, flagged=flagged, order=order)


def _runs(container: InputContainer, stream: VideoStream, glance: Glance) -> Iterator[list[NDArray[np.int16]]]:
    for point in range(RUNS):
        if _seek(container, stream, (2 * point + 1) / (2 * RUNS)):
            frames = _of_one_size(islice(_frames(container, stream), RUN_FRAMES))
            yield [thinned(glance.luma(frame)) for frame in frames]


def _seek(container: InputContainer, stream: VideoStream, share: float) -> bool:
    """Go to the last keyframe before this share of the film. Whether that can be done."""
    import av

    try:
        if stream.duration is not None:
            container.seek((stream.start_time or 0) + int(share * stream.duration), stream=stream)
        elif container.duration is not None:
            container.seek((container.start_time or 0) + int(share * container.duration))
        else:
            return False
    except av.FFmpegError:
        return False
    return True


def _keyframes(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The keyframes at points spread over the film, each once. Those that cannot be decoded are left out."""
    import av

    seen: set[int | None] = set()
    points = round(min(SAMPLES[1], max(SAMPLES[0], declared_seconds(container, stream) / SAMPLE_EVERY_S)))
    for point in range(points):
        if not _seek(container, stream, (2 * point + 1) / (2 * points)):
            continue
        try:
            frame = _next_keyframe(container, stream, seen)
        except av.FFmpegError:
            continue
        if frame is not None:
            yield frame


def _next_keyframe(container: InputContainer, stream: VideoStream, seen: set[int | None]) -> VideoFrame | None:
    packets = (packet for packet in packets_of(container, stream) if packet.size)
    for packet in islice((packet for packet in packets if packet.is_keyframe), 1):
        if packet.dts in seen:
            return None
        seen.add(packet.dts)
        frames = stream.decode(packet)
        whole = any(name in container.format.name for name in WHOLE_FRAMES)
        for follower in islice(packets, 0 if whole else PACKETS_A_KEYFRAME - 1):
            if frames:
                break
            frames = stream.decode(follower)
        frames = frames or stream.decode(None)
        return frames[0] if frames else None
    return None


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames from here on that can be decoded."""
    import av

    packets = packets_of(container, stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            yield from stream.decode(packet)
        except av.FFmpegError:
            continue

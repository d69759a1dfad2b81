"""What a film is, found before it is decoded: size, rate, colour, bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable
from mhmd.media.bars import Bars, formats_of
from mhmd.media.colour import Colour, ToRgb, colour_of
from mhmd.media.container import MAX_PIXELS, opened

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

SAMPLES = 24
"""Frames that are looked at, spread over the film."""

ENOUGH_SAMPLES = 8
"""With fewer keyframes than this, frames from the film's beginning are looked at instead, one in `EVERY`."""

EVERY = 10

PACKETS_A_KEYFRAME = 4
"""Packets after a keyframe that may be needed until its frame comes out: two fields, a header of its own."""


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
    for progress alone, at least 1.
    """

    codec: str
    width: int
    height: int
    time_base: Fraction
    rate: Fraction | None
    frames: int
    pixel_format: str
    colour: Colour
    formats: tuple[Bars, ...]
    interlaced: bool
    rotation_deg: int = 0
    pixel_aspect: Fraction = Fraction(1)

    def crop(self, bars: Bars) -> Crop:
        """What lies inside bars."""
        return Crop(bars.left, bars.top, self.width - bars.left - bars.right, self.height - bars.top - bars.bottom)


def probe_film(path: Path, color_matrix: str | None = None) -> Probe:
    """What the film is. `color_matrix` overrides the stream's tag.

    Raises FilmMissing, and FilmUnreadable when the file is no film or not one frame of it can be decoded.
    """
    with opened(path) as (container, stream):
        rate = stream.average_rate
        time_base = time_base_of(stream)
        codec = stream.codec_context.name
        frames = max(1, stream.frames or round(declared_seconds(container, stream) * float(rate or 25)))
        first_packet = next(container.demux(stream), None)
        if first_packet is not None and first_packet.has_sidedata("encryption_info"):
            raise FilmUnreadable(
                f"{path} is encrypted", wanted="a film without copy protection", do="get an unprotected copy"
            )
        samples = list(_keyframes(container, stream))
    if len(samples) < ENOUGH_SAMPLES:
        with opened(path) as (container, stream):
            samples = list(islice(_first_frames(container, stream), 0, SAMPLES * EVERY, EVERY)) or samples
    if not samples:
        raise no_frame(path)
    first = samples[0]
    samples = [sample for sample in samples if (sample.width, sample.height) == (first.width, first.height)]
    colour = colour_of(first, color_matrix)
    to_rgb = ToRgb(colour)
    return Probe(
        codec=codec,
        width=first.width,
        height=first.height,
        time_base=time_base,
        rate=rate or None,
        frames=frames,
        pixel_format=first.format.name,
        colour=colour,
        formats=formats_of(to_rgb.luma(sample) for sample in samples),
        interlaced=sum(sample.interlaced_frame for sample in samples) * 2 > len(samples),
    )


def declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """How long the film is by its container, s; 0 when it does not tell.

    The lesser of what the stream and the container say: sound may go on longer, and an edit list may cut. An AVI's
    number of frames is believed first, because FFmpeg shortens the duration of a file that was cut off.
    """
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    durations = []
    if stream.duration is not None:
        durations.append(float(stream.duration * time_base_of(stream)))
    if container.duration is not None:
        durations.append(container.duration / 1_000_000)
    return min(durations, default=0.0)


def time_base_of(stream: VideoStream) -> Fraction:
    """The length of a tick, s."""
    assert stream.time_base is not None, "FFmpeg gives every video stream a time base"
    return stream.time_base


def no_frame(path: Path) -> FilmUnreadable:
    """The error for a film of which nothing can be decoded."""
    return FilmUnreadable(
        f"{path}: not one frame can be decoded",
        wanted=f"a film that plays: not cut off, damaged or encrypted, with frames of at most {MAX_PIXELS} px",
        do="copy or convert it again",
    )


def _keyframes(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The keyframes at up to `SAMPLES` points of the film, each once. Those that cannot be decoded are left out."""
    import av

    if stream.duration is None and container.duration is None:
        return
    seen = set()
    for sample in range(SAMPLES):
        share = (2 * sample + 1) / (2 * SAMPLES)
        try:
            if stream.duration is not None:
                container.seek((stream.start_time or 0) + int(share * stream.duration), stream=stream)
            else:
                container.seek((container.start_time or 0) + int(share * (container.duration or 0)))
            frame = _next_keyframe(container, stream)
        except av.FFmpegError:
            continue
        if frame is not None and frame.pts not in seen:
            seen.add(frame.pts)
            yield frame


def _next_keyframe(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    packets = (packet for packet in container.demux(stream) if packet.size)
    for packet in islice((packet for packet in packets if packet.is_keyframe), 1):
        frames = stream.decode(packet)
        for follower in islice(packets, PACKETS_A_KEYFRAME - 1):
            if frames:
                break
            frames = stream.decode(follower)
        frames = frames or stream.decode(None)
        return frames[0] if frames else None
    return None


def _first_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The film's first frames that can be decoded."""
    import av

    for packet in container.demux(stream):
        try:
            yield from stream.decode(packet)
        except av.InvalidDataError:
            continue

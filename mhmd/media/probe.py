"""What a film is, found before it is decoded: size, rate, colour, bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable
from mhmd.media.aspect import MAX_OTHERS, PixelAspect
from mhmd.media.bars import Bars, at_whole_chroma, formats_of
from mhmd.media.black import black_of
from mhmd.media.colour import HDR_TRANSFERS, WIDE_PRIMARIES, Colour, Tags, colour_of, tags_in, tags_of
from mhmd.media.container import declared_seconds, no_frame, opened, packets_of, time_base_of
from mhmd.media.decode import mixed_light
from mhmd.media.dolby import refuse_ipt
from mhmd.media.glance import Glance
from mhmd.media.interlace import FieldOrder, Scan, Scanning, may_be_telecined, scanning_of, thinned
from mhmd.media.planes import chroma_step
from mhmd.media.samples import decoded, runs_at, samples_of, spread_runs
from mhmd.media.upright import as_shown

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

BOTTOM_FIRST = (3, 4)
"""FFmpeg's field orders in which the odd lines are shown first, whichever field is coded first."""


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

    `time_base` is the length of a tick, s. `rate` is None when the container does not tell. `frames` is an
    estimate, for progress alone, at least 1. Bars of its `formats` are black up to the luma `black`. `tags` are
    those of the first frame. `coded` is the colour in which the film is coded, `colour` that in which a decoder
    gives its frames: the same, but for HDR films, which are tone-mapped, and for wide colours. `pixel_aspect` is a
    pixel's width by its height. As shown, frames have left and right exchanged if `mirrored`, and are then turned
    clockwise by `rotation_deg`, of 0, 90, 180 and 270.
    """

    codec: str
    width: int
    height: int
    time_base: Fraction
    rate: Fraction | None
    frames: int
    pixel_format: str
    tags: Tags
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
        return self.coded.transfer in HDR_TRANSFERS.values()

    @property
    def wide(self) -> bool:
        """Whether its colours, in ordinary light, are coded by primaries beyond those of an ordinary screen."""
        return not self.hdr and self.coded.primaries in WIDE_PRIMARIES.values()

    @property
    def colour(self) -> Colour:
        """The colour in which frames come from a decoder."""
        return replace(self.coded, matrix="bt709", range="limited") if self.hdr or self.wide else self.coded

    @property
    def frame_format(self) -> str:
        """The pixel format of the frames that come from a decoder, in FFmpeg's words."""
        return "yuv444p" if self.hdr else "yuv444p10le" if self.wide else self.pixel_format

    @property
    def frame_bytes(self) -> int:
        """The size of a decoded frame, about: the same whichever decoder gives it."""
        from av import VideoFormat

        return max(1, self.width * self.height * VideoFormat(self.frame_format).padded_bits_per_pixel // 8)

    def crop(self, bars: Bars) -> Crop:
        """What lies inside bars."""
        return Crop(bars.left, bars.top, self.width - bars.left - bars.right, self.height - bars.top - bars.bottom)


def probe_film(path: Path, color_matrix: str | None = None) -> Probe:
    """What the film is. `color_matrix` overrides the stream's tag.

    Raises FilmMissing, and FilmUnreadable when the file is no film or not one frame of it can be decoded.
    """
    with opened(path) as (container, stream):
        rate, seconds = stream.average_rate or None, declared_seconds(container, stream)
        container_tags = tags_in(stream.codec_context)
        first = _first_frame(container, stream, path)
        if color_matrix is None:
            refuse_ipt(first, stream.codec_context, path)
        coded = colour_of(first, color_matrix, container_tags)
        glance, pixel_aspect = Glance(coded), PixelAspect(stream, path)
        rotation_deg, mirrored = as_shown(first)
        samples = pixel_aspect.noted(samples_of(container, stream, path, (first.width, first.height)))
        black, lumas = black_of(glance.look(sample) for sample in samples)
        formats = _formats(lumas, black, first.format.name)
        _check_light(glance.lights, path)
        return Probe(
            codec=stream.codec_context.name,
            width=first.width,
            height=first.height,
            time_base=time_base_of(stream),
            rate=rate,
            frames=max(1, stream.frames or round(seconds * float(rate or 25))),
            pixel_format=first.format.name,
            tags=tags_of(first),
            coded=coded,
            formats=formats,
            black=black,
            pixel_aspect=pixel_aspect.found(),
            rotation_deg=rotation_deg,
            mirrored=mirrored,
            monochrome=glance.monochrome,
            scanning=_scanning(path, rate, glance),
        )


def _formats(lumas: Iterable[NDArray[np.uint8]], black: int, form: str) -> tuple[Bars, ...]:
    """The bars of each format that a film of this pixel format has."""
    step = chroma_step(form)
    return tuple(dict.fromkeys(at_whole_chroma(bars, *step) for bars in formats_of(lumas, black)))


def _check_light(lights: Counter[str], path: Path) -> None:
    """Raise FilmUnreadable for a film of which more is in another light than what is before and after a film."""
    total, (usual, *others) = lights.total(), lights.most_common() or [("", 0)]
    if sum(count for _, count in others) > MAX_OTHERS * total:
        light, count = others[0]
        raise mixed_light(path, f"{usual[0]}, but in {light} in {count} of {total} frames looked at")


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    """The first one that can be decoded. It tells the colour: keyframes elsewhere may be of another recording."""
    packets = packets_of(container, stream)
    head = list(islice(packets, 1))
    if any(packet.has_sidedata("encryption_info") for packet in head):
        raise FilmUnreadable(
            f"{path} is encrypted", wanted="a film without copy protection", do="get an unprotected copy"
        )
    for frame in decoded(stream, chain(head, packets)):
        return frame
    raise no_frame(path)


def _scanning(path: Path, rate: Fraction | None, glance: Glance) -> Scanning:
    """How the film was scanned. Only where something speaks for fields, more of it is decoded."""
    flagged = glance.flagged * 2 > glance.frames
    if not (glance.flagged or glance.combed or may_be_telecined(rate)):
        return Scanning("progressive")
    with opened(path) as (container, stream):
        order: FieldOrder = "bff" if stream.codec_context.field_order in BOTTOM_FIRST else "tff"
        runs = spread_runs(container, stream), runs_at(glance.combed, container, stream)
        spread, combed = (([thinned(glance.luma(frame)) for frame in run] for run in each) for each in runs)
        return scanning_of(spread, combed, rate, flagged=flagged, order=order)

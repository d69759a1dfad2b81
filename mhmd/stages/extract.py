"""extract: Decode each film once, find its shots, and store frames of them with every measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import islice
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from mhmd.config import Config
from mhmd.errors import FilmUnreadable
from mhmd.inputs import Inputs, Progress
from mhmd.records import Film, Frame, Shot
from mhmd.sampling import Candidate, Grid, Pick, Sampler, spread
from mhmd.shots import DETECTORS, detector, shots_of
from mhmd.sink import Sink
from mhmd.stage import Stage
from mhmd.watch import Watch

if TYPE_CHECKING:
    import numpy as np
    from cv2.typing import MatLike
    from numpy.typing import NDArray

    from mhmd.inputs import FilmSource
    from mhmd.media.colour import Colour
    from mhmd.media.decode import Decoded, Decoder
    from mhmd.media.probe import Crop, Probe

    Picture = NDArray[np.uint8]

HD_BYTES = 1920 * 1080 * 3 // 2
"""A decoded frame of HD, in 8 bits."""

TOGETHER, TOGETHER_BYTES = 16, 16 * HD_BYTES
"""Frames that each work is done on before the next, where they are no larger than this together; and pictures that are
stored before they are measured: each work finds its code and tables in the caches. Under a second in any case."""

CACHED_BYTES = 4 * HD_BYTES
"""Frames of no more than this together are decoded before they are scaled down: the caches still hold them."""

HELD_BYTES = 70 * HD_BYTES
"""Frames that wait to be stored are no larger than this together: of larger ones than HD in 8 bits fewer wait."""

FEW_HELD, MANY_HELD = 12, 240
"""So many wait in any case; and where as many may, each frame does: as many as the cascade is behind at most."""

LONGEST_CELL_S = Fraction(3, 20)
"""Of each such stretch one frame may be stored: few to hold in memory, and some in every shot that is to be seen."""

SHORT_INSIDE_S, SHORTEST_CELL_S = Fraction(3, 5), Fraction(1, 25)
"""The inside of a shot of a second, which is to give `min_per_shot`: three cells for each, so that its part
has one of its own. No shorter cells than these: at 24 frames a second every frame may then be stored."""


class ExtractConfig(Config):
    """Which frames are stored, and how."""

    detector: str = Field("cascade", description=f"what finds the shots: {', '.join(DETECTORS)}")
    decoder: Literal["pyav", "ffmpeg"] = Field(
        "pyav", description="what decodes; films that need FFmpeg's filters go to ffmpeg by themselves"
    )
    hwaccel: Literal["none", "cuda"] = Field("none", description="hardware to decode on; cuda means ffmpeg")
    interval_s: float = Field(0.55, gt=0, le=3600, description="the sharpest frame of each such stretch of a shot, s")
    guard_s: float = Field(0.2, ge=0, le=60, description="nothing is stored nearer than this to an end of a shot, s")
    min_per_shot: int = Field(1, ge=0, le=20, description="frames of a shot too short for so many intervals")
    max_per_shot: int = Field(0, ge=0, description="frames of a shot, evenly spread; 0 = no limit")
    max_per_film: int = Field(0, ge=0, description="frames of a film, evenly spread; 0 = no limit")
    short_side_px: int = Field(
        512, ge=0, le=8192, description="short side of stored frames, px; smaller ones stay as they are; 0 keeps all"
    )
    jpeg_quality: int = Field(95, ge=1, le=100, description="JPEG quality of stored frames")
    max_damage: float = Field(0.05, ge=0, le=1, description="share of a film that may be undecodable before it fails")

    @field_validator("detector")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DETECTORS:
            raise ValueError(f"one of {', '.join(DETECTORS)}")
        return name


@dataclass(frozen=True, slots=True)
class Still:
    """A frame as it is stored, but for the bytes of its JPEG."""

    index: int
    pts: int
    ticks: int
    shot: int
    crop: Crop
    colour: Colour
    blend: float


def exact(seconds: float) -> Fraction:
    """The decimal number that was written, not the nearest binary one: 0.2 s are 5 frames of 25 a second."""
    return Fraction(str(seconds))


def grid_of(config: ExtractConfig, time_base: Fraction, most: int = 0) -> Grid:
    """The grid that a config asks for, in ticks of this length, s, where no more than `most` frames wait."""
    interval, guard = exact(config.interval_s), exact(config.guard_s)
    enough = max(SHORTEST_CELL_S, SHORT_INSIDE_S / (3 * max(1, config.min_per_shot)))
    if most >= MANY_HELD:
        enough = SHORTEST_CELL_S
    cell = min(interval / 4, LONGEST_CELL_S, enough)
    return Grid(cell / time_base, interval / time_base, guard / time_base, config.min_per_shot)


def stills(
    decoder: Decoder, probe: Probe, config: ExtractConfig, sampler: Sampler, watch: Watch, progress: Progress
) -> Iterator[tuple[Still, bytes]]:
    """Decode the film once; the frames to store with their JPEGs, as soon as they are sure."""
    from mhmd.media.jpeg import encode_jpeg
    from mhmd.media.pictures import StoredPictures

    small, stored = watch.small, StoredPictures(probe, config.short_side_px)
    frames, size_bytes = iter(decoder), probe.frame_bytes
    in_caches, at_once = (max(1, min(TOGETHER, most // size_bytes)) for most in (CACHED_BYTES, TOGETHER_BYTES))

    def reduced() -> Iterator[tuple[Decoded, list[MatLike]]]:
        while run := list(islice(frames, in_caches)):
            yield from [(decoded, small.reduced(decoded.frame)) for decoded in run]

    def still(pick: Pick) -> tuple[Still, bytes]:
        candidate, crop = pick.candidate, probe.crop(watch.bars(pick))
        colour, blend = stored.colour(candidate.frame), watch.blend(pick)
        jpeg = encode_jpeg(stored(candidate.frame, crop), config.jpeg_quality)
        return Still(candidate.index, candidate.pts, candidate.ticks, pick.shot, crop, colour, blend), jpeg

    seen, picks = reduced(), list[Pick]()
    while together := list(islice(seen, at_once)):
        wholes = [small.coloured(planes) for _, planes in together]
        for (decoded, _), whole, sharp in zip(together, wholes, watch.sharpness(wholes), strict=True):
            index, ticks = decoded.index, decoded.ticks
            if not decoded.suspect:
                sampler.offer(Candidate(index, decoded.pts, ticks, sharp, decoded.frame))
            picks += sampler.feed(index, ticks, float(ticks * probe.time_base), whole[small.part])
        if len(picks) >= at_once:
            yield from map(still, picks)
            picks.clear()
        progress(index, max(probe.frames, index))
    watch.finish()
    picks += sampler.finish(decoder.frames, decoder.end_ticks)
    yield from map(still, picks)
    progress(decoder.frames, decoder.frames)


def limited(found: Iterator[tuple[Still, bytes]], per_shot: int, per_film: int) -> Iterator[tuple[Still, bytes]]:
    """No more than so many of each shot, and of the film, evenly spread; 0 = no limit.

    Which those are is known at the end only; until then the JPEGs wait in a file.
    """
    if not per_shot and not per_film:
        yield from found
        return
    with TemporaryFile(prefix="mhmd-") as file:
        of_shot: dict[int, list[tuple[Still, int, int]]] = defaultdict(list)
        for still, jpeg in found:
            of_shot[still.shot].append((still, file.tell(), len(jpeg)))
            file.write(jpeg)
        left = [shot[place] for shot in of_shot.values() for place in spread(len(shot), per_shot)]
        for still, offset, size in (left[place] for place in spread(len(left), per_film)):
            file.seek(offset)
            yield still, file.read(size)


def frame_row(film_id: str, probe: Probe, still: Still, stored: Picture, ref: str) -> Frame:
    """The row of a stored frame. All is measured of the picture as stored, so that it can be measured again."""
    from mhmd.hashing.phash import phash
    from mhmd.measures import measure

    return Frame(
        film_id=film_id,
        frame_id=frame_id(film_id, still.pts),
        shot=still.shot,
        frame_index=still.index,
        pts=still.pts,
        time_base_num=probe.time_base.numerator,
        time_base_den=probe.time_base.denominator,
        time_s=float(still.ticks * probe.time_base),
        width=stored.shape[1],
        height=stored.shape[0],
        crop_x=still.crop.x,
        crop_y=still.crop.y,
        crop_w=still.crop.w,
        crop_h=still.crop.h,
        color_matrix=still.colour.matrix,
        color_range=still.colour.range,
        matrix_source=still.colour.source,
        phash=phash(stored),
        blend=still.blend,
        ref=ref,
        **asdict(measure(stored)),
    )


def film_row(film: FilmSource, decoder: Decoder, probe: Probe) -> Film:
    """The row of a film that was decoded to its end."""
    rate = probe.rate or Fraction(0)
    return Film(
        film_id=film.film_id,
        sha256=film.sha256,
        duration_s=float(decoder.end_ticks * probe.time_base),
        frames=decoder.frames,
        codec=probe.codec,
        width=probe.width,
        height=probe.height,
        rate_num=rate.numerator,
        rate_den=rate.denominator,
        pixel_format=probe.pixel_format,
        color_matrix=probe.colour.matrix,
        color_range=probe.colour.range,
        color_primaries=probe.colour.primaries,
        color_transfer=probe.colour.transfer,
        matrix_source=probe.colour.source,
        bar_left=probe.formats[0].left,
        bar_top=probe.formats[0].top,
        bar_right=probe.formats[0].right,
        bar_bottom=probe.formats[0].bottom,
        pixel_aspect_num=probe.pixel_aspect.numerator,
        pixel_aspect_den=probe.pixel_aspect.denominator,
        rotation_deg=probe.rotation_deg,
        mirrored=probe.mirrored,
        monochrome=probe.monochrome,
        interlaced=probe.scan != "progressive",
        telecined=probe.scan == "telecined",
        decoder=decoder.name,
        filters=decoder.filters,
        decode_errors=decoder.errors,
    )


def frame_id(film_id: str, pts: int) -> str:
    """The frame's name, unique in the corpus."""
    return f"{film_id}_{pts:010d}"


def run(inputs: Inputs, config: ExtractConfig, sink: Sink) -> None:
    """Write one film's shots, its frames with their JPEGs, and its own row. Raises UnitErrors of films."""
    from mhmd.media.decoders import decoder_for
    from mhmd.media.jpeg import decode_jpeg
    from mhmd.media.probe import probe_film

    film = inputs.film
    probe = probe_film(film.path, film.color_matrix)
    hwaccel = "" if config.hwaccel == "none" else config.hwaccel
    decoder = decoder_for(film.path, probe, max_damage=config.max_damage, name=config.decoder, hwaccel=hwaccel)
    watch = Watch(probe)
    most = max(FEW_HELD, HELD_BYTES // probe.frame_bytes)
    sampler = Sampler(detector(config.detector), grid_of(config, probe.time_base, most), watch.delay_frames, most)
    found = stills(decoder, probe, config, sampler, watch, sink.progress)
    frames = []
    chosen = limited(found, config.max_per_shot, config.max_per_film)
    while together := list(islice(chosen, TOGETHER)):
        for still, jpeg in together:
            ref = sink.put(f"{frame_id(film.film_id, still.pts)}.jpg", jpeg)
            frames.append(frame_row(film.film_id, probe, still, decode_jpeg(jpeg), ref))
    if decoder.frames < 2:
        raise FilmUnreadable(f"{film.path} has one frame", wanted="a film", do="take it out of the films manifest")
    if decoder.damage:
        shown = f"; {decoder.suspects} of {decoder.frames} frames may show it and are not stored"
        sink.note(decoder.damage + shown * (decoder.suspects > 0))
    seconds = {frame: float(ticks * probe.time_base) for frame, ticks in sampler.boundaries.items()}
    sink.rows(Shot, shots_of(film.film_id, sampler.transitions, seconds, decoder.frames))
    sink.rows(Frame, frames)
    sink.rows(Film, [film_row(film, decoder, probe)])


STAGE = Stage(
    name="extract",
    version=11,
    config=ExtractConfig,
    scope="film",
    reads=(),
    writes=(Shot, Frame, Film),
    run=run,
    film=True,
    bytes_to="frames",
)

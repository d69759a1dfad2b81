"""extract: Decode each film once, find its shots, and store frames of them with every measure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from mhmd.config import Config
from mhmd.inputs import Inputs, Progress
from mhmd.records import Film, Frame, Shot
from mhmd.shots import DETECTORS, Detector, Transition, shots_of
from mhmd.sink import Sink
from mhmd.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mhmd.inputs import FilmSource
    from mhmd.media.decode import Decoder
    from mhmd.media.probe import Probe

    Picture = NDArray[np.uint8]

PROGRESS_FRAMES = 8
"""Frames between two calls of progress: under a second even where a frame takes a tenth of one."""


class ExtractConfig(Config):
    """Which frames are stored, and how."""

    detector: str = Field("adaptive", description=f"what finds the shots: {', '.join(DETECTORS)}")
    interval_s: float = Field(1.0, gt=0, le=3600, description="one frame at most is stored in each such interval, s")
    guard_s: float = Field(0.2, ge=0, le=60, description="nothing is stored nearer than this to an end of a shot, s")
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


class Grid:
    """Picks the first frame at or after each multiple of a step, exactly."""

    def __init__(self, step_ticks: Fraction) -> None:
        self._step = step_ticks
        self._next = Fraction(0)

    def takes(self, ticks: int) -> bool:
        """Whether the frame at this time from the film's first frame is picked. To be asked in order."""
        if ticks < self._next:
            return False
        self._next = (ticks // self._step + 1) * self._step
        return True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picked frame, cut out and scaled, that waits until its shot is known."""

    index: int
    pts: int
    ticks: int
    picture: Picture


class Waiting:
    """Shows a film to a detector, and holds candidates until no transition can still come near them.

    Times are ticks of the film's time base from its first frame; `boundaries` has those at which shots begin and end,
    by frame. What it holds is bounded by the detector's lag and the guard, whatever the film's length.
    """

    def __init__(self, detector: Detector, guard_ticks: Fraction) -> None:
        self.transitions: list[Transition] = []
        self.boundaries = {0: 0}
        self._detector = detector
        self._guard = guard_ticks
        self._recent: deque[tuple[int, int]] = deque(maxlen=detector.lag + 1)
        self._candidates: deque[Candidate] = deque()

    def __len__(self) -> int:
        """How many candidates wait."""
        return len(self._candidates)

    def add(self, candidate: Candidate) -> None:
        """Let a candidate wait."""
        self._candidates.append(candidate)

    def feed(self, index: int, ticks: int, time_s: float, bgr: Picture) -> list[tuple[Candidate, int]]:
        """Show the next frame to the detector: the candidates that are now sure to be kept, with their shots."""
        self._recent.append((index, ticks))
        self._note(self._detector.feed(index, time_s, bgr))
        return self._release(self._recent[0][1], over=False)

    def finish(self, frames: int, end_ticks: int) -> list[tuple[Candidate, int]]:
        """When the film of `frames` frames is over: the last candidates."""
        self._note(self._detector.finish())
        self.boundaries[frames] = end_ticks
        return self._release(end_ticks, over=True)

    def _note(self, found: Sequence[Transition]) -> None:
        times = dict(self._recent)
        for transition in found:
            self.transitions.append(transition)
            for frame in (transition.start_frame, transition.end_frame):
                self.boundaries[frame] = times[frame]

    def _release(self, settled_ticks: int, *, over: bool) -> list[tuple[Candidate, int]]:
        """The first candidates whose fate is settled: their shot has ended, or goes on for longer than the guard."""
        kept = []
        while self._candidates:
            candidate = self._candidates[0]
            shot = self._shot_of(candidate.index)
            closed = shot < len(self.transitions)
            if not (closed or over) and settled_ticks - candidate.ticks < self._guard:
                break
            self._candidates.popleft()
            end_ticks = self.boundaries[self.transitions[shot].start_frame] if closed else settled_ticks
            if self._inside(candidate, shot, end_ticks):
                kept.append((candidate, shot))
        return kept

    def _shot_of(self, index: int) -> int:
        """How many transitions start at frame `index` or before: the number of the frame's shot."""
        number = len(self.transitions)
        while number and self.transitions[number - 1].start_frame > index:
            number -= 1
        return number

    def _inside(self, candidate: Candidate, shot: int, end_ticks: int) -> bool:
        """Whether it is far enough from both ends; one within a transition lies before the start of its shot."""
        start_frame = self.transitions[shot - 1].end_frame if shot else 0
        start_ticks = self.boundaries[start_frame]
        return candidate.ticks - start_ticks >= self._guard and end_ticks - candidate.ticks >= self._guard


def exact(seconds: float) -> Fraction:
    """The decimal number that was written, not the nearest binary one: 0.2 s are 5 frames of 25 a second."""
    return Fraction(str(seconds))


def kept_candidates(
    decoder: Decoder, probe: Probe, config: ExtractConfig, waiting: Waiting, progress: Progress
) -> Iterator[tuple[Candidate, int]]:
    """Decode the film once; the frames to store, as soon as they are sure, with the number of their shot."""
    from mhmd.media.pictures import Pictures

    pictures = Pictures(probe, config.short_side_px)
    grid = Grid(exact(config.interval_s) / probe.time_base)
    for decoded in decoder:
        index, ticks = decoded.index, decoded.ticks
        if not decoded.suspect and grid.takes(ticks):
            waiting.add(Candidate(index, decoded.pts, ticks, pictures.stored(decoded.frame)))
        yield from waiting.feed(index, ticks, float(ticks * probe.time_base), pictures.small(decoded.frame))
        if index % PROGRESS_FRAMES == 0:
            progress(index, max(probe.frames, index))
    yield from waiting.finish(decoder.frames, decoder.end_ticks)
    progress(decoder.frames, decoder.frames)


def frame_row(film_id: str, probe: Probe, candidate: Candidate, shot: int, stored: Picture, ref: str) -> Frame:
    """The row of a stored frame. All is measured of the picture as stored, so that it can be measured again."""
    from mhmd.hashing import phash
    from mhmd.measures import measure

    return Frame(
        film_id=film_id,
        frame_id=frame_id(film_id, candidate.pts),
        shot=shot,
        frame_index=candidate.index,
        pts=candidate.pts,
        time_base_num=probe.time_base.numerator,
        time_base_den=probe.time_base.denominator,
        time_s=float(candidate.ticks * probe.time_base),
        width=stored.shape[1],
        height=stored.shape[0],
        crop_x=probe.crop.x,
        crop_y=probe.crop.y,
        crop_w=probe.crop.w,
        crop_h=probe.crop.h,
        color_matrix=probe.colour.matrix,
        color_range=probe.colour.range,
        matrix_source=probe.colour.source,
        phash=phash(stored),
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
        bar_left=probe.bars.left,
        bar_top=probe.bars.top,
        bar_right=probe.bars.right,
        bar_bottom=probe.bars.bottom,
        interlaced=probe.interlaced,
        decode_errors=decoder.errors,
    )


def frame_id(film_id: str, pts: int) -> str:
    """The frame's name, unique in the corpus."""
    return f"{film_id}_{pts:010d}"


def run(inputs: Inputs, config: ExtractConfig, sink: Sink) -> None:
    """Write one film's shots, its frames with their JPEGs, and its own row. Raises UnitErrors of films."""
    from mhmd.media.decode import Decoder
    from mhmd.media.jpeg import decode_jpeg, encode_jpeg
    from mhmd.media.probe import probe_film

    film = inputs.film
    probe = probe_film(film.path, film.color_matrix)
    decoder = Decoder(film.path, config.max_damage)
    waiting = Waiting(DETECTORS[config.detector](), exact(config.guard_s) / probe.time_base)
    frames = []
    for candidate, shot in kept_candidates(decoder, probe, config, waiting, sink.progress):
        jpeg = encode_jpeg(candidate.picture, config.jpeg_quality)
        ref = sink.put(f"{frame_id(film.film_id, candidate.pts)}.jpg", jpeg)
        frames.append(frame_row(film.film_id, probe, candidate, shot, decode_jpeg(jpeg), ref))
    seconds = {frame: float(ticks * probe.time_base) for frame, ticks in waiting.boundaries.items()}
    sink.rows(Shot, shots_of(film.film_id, waiting.transitions, seconds, decoder.frames))
    sink.rows(Frame, frames)
    sink.rows(Film, [film_row(film, decoder, probe)])


STAGE = Stage(
    name="extract",
    version=1,
    config=ExtractConfig,
    scope="film",
    reads=(),
    writes=(Shot, Frame, Film),
    run=run,
    film=True,
    bytes_to="frames",
)

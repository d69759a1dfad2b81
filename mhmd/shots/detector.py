"""What a detector of shots is, what it finds, and shots made of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mhmd.records import Shot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Transition:
    """What lies between two shots: frames `[start_frame, end_frame)` belong to neither; a cut has none.

    `kind` is cut, dissolve or fade. `score` is the detector's, in its own unit, higher = surer.
    """

    start_frame: int
    end_frame: int
    kind: str
    score: float


class Detector(Protocol):
    """Finds transitions while a film goes by.

    Transitions come in order, disjoint, with at least one frame before, between and after them, and not before
    their last frame was fed.
    """

    @property
    def settled(self) -> int:
        """Every transition that starts before this frame has been reported. Never falls."""

    def feed(self, index: int, time_s: float, bgr: NDArray[np.uint8]) -> list[Transition]:
        """Takes the next frame, scaled down and without bars (h×w×3, BGR); gives the transitions now certain."""

    def finish(self) -> list[Transition]:
        """The transitions that remain when the film is over."""


def joined(found: Iterable[Transition], gap: int) -> list[Transition]:
    """The transitions in order, gradual ones as one with all that lie less than `gap` frames from them.

    A cut to black and the fade that follows, or two halves of one dissolve, are one transition. A fade in any part is a
    fade of the whole; the surest part gives the score.
    """
    done: list[Transition] = []
    for this in sorted(found, key=lambda transition: (transition.start_frame, transition.end_frame)):
        last = done[-1] if done else None
        if last and this.start_frame - last.end_frame < gap and not last.kind == this.kind == "cut":
            done[-1] = Transition(
                last.start_frame,
                max(last.end_frame, this.end_frame),
                "fade" if "fade" in (last.kind, this.kind) else "dissolve",
                max(last.score, this.score),
            )
        elif last is None or this.start_frame > last.end_frame:
            done.append(this)
    return done


def within(found: Sequence[Transition], first: int, end: int) -> list[Transition]:
    """The transitions cut down to frames [first, end); cuts outside are left out."""
    cuts = [t for t in found if t.kind == "cut" and first <= t.start_frame <= end]
    slow = [
        replace(t, start_frame=max(t.start_frame, first), end_frame=min(t.end_frame, end))
        for t in found
        if t.kind != "cut" and max(t.start_frame, first) < min(t.end_frame, end)
    ]
    return sorted(cuts + slow, key=lambda transition: transition.start_frame)


def shots_of(film_id: str, transitions: Sequence[Transition], seconds: Mapping[int, float], frames: int) -> list[Shot]:
    """The shots of a film of `frames` frames, in order.

    `seconds` gives the time from the film's first frame of frame 0, of every transition's two frames, and under
    `frames` the film's end.
    """
    starts = [Transition(0, 0, "start", 0.0), *transitions]
    ends = [*(transition.start_frame for transition in transitions), frames]
    return [
        Shot(
            film_id=film_id,
            shot=number,
            start_frame=start.end_frame,
            end_frame=end,
            start_s=seconds[start.end_frame],
            end_s=seconds[end],
            transition=start.kind,
            score=start.score,
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]

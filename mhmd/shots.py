"""Where shots begin: detectors that are fed a film frame by frame, and shots made of what they find.

A new detector is a class with the methods of `Detector` and a line in `DETECTORS`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


class Adaptive:
    """Hard cuts by PySceneDetect's AdaptiveDetector with its defaults; dissolves and fades go unseen.

    A frame begins a shot when it differs from the one before (mean of hue, saturation and value, 0 to 255) by 15 or
    more and by 3 times the mean difference of the two frames on either side, and the shot before has 15 frames or
    more. That ratio, at most 255, is the score. https://www.scenedetect.com/docs/latest/api/detectors.html
    """

    WINDOW_FRAMES = 2
    RATIO_MAX = 255.0

    def __init__(self) -> None:
        import mhmd.media.opencv  # noqa: F401  # first: it says what is missing where OpenCV does not load

        # isort: split
        from scenedetect import AdaptiveDetector

        self._detector = AdaptiveDetector(window_width=self.WINDOW_FRAMES)
        self._settled = 0
        self._scores: deque[float] = deque(maxlen=2 * self.WINDOW_FRAMES + 1)

    @property
    def settled(self) -> int:
        """A frame is judged when the window after it is full."""
        return self._settled

    def feed(self, index: int, time_s: float, bgr: NDArray[np.uint8]) -> list[Transition]:
        """Judges the frame two before `index`. Time does not enter: the detector's unit is the frame."""
        del time_s
        from scenedetect import FrameTimecode

        self._settled = max(0, index + 1 - self.WINDOW_FRAMES)
        cuts = self._detector.process_frame(FrameTimecode(index, fps=1.0), bgr)
        self._scores.append(float(self._detector._frame_score or 0))
        return [Transition(cut.frame_num, cut.frame_num, "cut", self._ratio()) for cut in cuts]

    def finish(self) -> list[Transition]:
        """Nothing: a cut in the last two frames is not judged."""
        return []

    def _ratio(self) -> float:
        scores = list(self._scores)
        middle = scores.pop(self.WINDOW_FRAMES)
        mean = sum(scores) / len(scores)
        return min(middle / mean, self.RATIO_MAX) if mean > 0 else self.RATIO_MAX


DETECTORS: Mapping[str, Callable[[], Detector]] = {"adaptive": Adaptive}
"""Every detector by the name that the knob `detector` takes."""


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

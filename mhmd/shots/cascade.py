"""Transitions by cheap scores, and by TransNet V2 where these leave a doubt."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhmd.shots.detector import Transition, joined, within
from mhmd.shots.scores import DELAY, MIXED, NEAR, SMEARED_MIN, Scorer, Scores, plain, tiny
from mhmd.shots.transnetv2 import ABRUPT, GAP, runs, transition_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mhmd.shots.lean import LeanTransNet

    Pictures = NDArray[np.uint8]

CLEAR_CHANGE, CLEAR_APART = 0.4, 1.6
"""From these on, both, a cut is clear: of 13,900 frames without one, none came so far."""
DOUBT_CHANGE, DOUBT_APART, DOUBT_SMEARED = 0.25, 0.8, 2.0
"""From these on the network is asked."""
CUT_MIN = 0.55
"""Mean of the cheap evidence, 1 for a clear cut, and the network's first prediction that makes a cut of a doubt."""
SLOW_BLEND, SLOW_FRAMES = 0.35, 3
"""Blend, and frames in a row that have it, from which the network is asked for a dissolve or fade."""
EDGE_BLEND, EDGE_FRAMES = 0.2, 24
"""Blend from which a dissolve or fade may have begun, and frames for which that is held possible."""
PART, SURE = 1 / 3, 0.75
"""Share of the highest second prediction that the frames of a dissolve or fade have; less than sure, all blended ones
belong to it, too."""
SLOW_MIN = 0.5
"""Mean of the highest blend and of the network's second prediction that makes a dissolve or fade of a doubt."""
QUIET = 8
"""Frames without suspicion that end a suspicious stretch."""
GROW = 6
"""Frames before and after a suspicious stretch that a transition may reach to."""
LONGEST = 100
"""Frames after which a suspicious stretch is judged even if it goes on."""
CONTEXT = 16
"""Frames before and after a suspicious stretch that the network sees at least."""
SLACK = 3
"""Frames before and after a run of blended ones where the network's second prediction is looked for."""
MANY = 0.5
"""Of the network's second prediction, the paper's."""
WINDOW = 48
"""Frames that the network sees at least."""


class Cascade:
    """Cuts, dissolves and fades: cheap scores settle what is clear, TransNet V2 sees the stretches in doubt only,
    on the CPU and without torch.

    The score, 0 to 1, is 1 - 1 / apart² of a clear cut; of a doubtful one and of a dissolve or fade it is the mean of
    the cheap evidence and the network's prediction.
    """

    def __init__(self) -> None:
        self._network: LeanTransNet | None = None
        self._scorer = Scorer()
        self._pictures: deque[Pictures] = deque(maxlen=LONGEST + 2 * DELAY + CONTEXT + QUIET)
        self._fed = 0
        self._stretch: list[Scores] = []
        self._untold = EDGE_FRAMES  # frames since the last that was more than an edge
        self._calm = QUIET  # frames since the last that was suspicious
        self._scored = 0
        self._free = 1  # the first frame that the next transition may have

    @property
    def settled(self) -> int:
        """30 frames behind where nothing is suspicious, else before the suspicious stretch: 138 at most."""
        return max(0, (self._stretch[0].frame if self._stretch else self._scored) - GROW)

    def feed(self, index: int, time_s: float, bgr: Pictures) -> list[Transition]:
        """Judges the frame 24 before `index`, or a suspicious stretch of frames that ends before it."""
        del index, time_s
        picture = tiny(bgr)
        self._pictures.append(picture)
        self._fed += 1
        scores = self._scorer.feed(picture)
        return self._weighed(scores) if scores else []

    def finish(self) -> list[Transition]:
        """Judges the last frames."""
        found = [transition for scores in self._scorer.finish() for transition in self._weighed(scores)]
        return found + self._judged(self._fed - 1)

    def _weighed(self, scores: Scores) -> list[Transition]:
        self._scored = scores.frame + 1
        telling = scores.blend >= SLOW_BLEND or _clear(scores) or _doubtful(scores)
        self._calm = 0 if telling or scores.blend >= EDGE_BLEND else self._calm + 1
        self._untold = 0 if telling else self._untold + 1
        self._stretch.append(scores)
        over = self._calm >= QUIET or len(self._stretch) == LONGEST
        if not over and self._untold < EDGE_FRAMES:
            return []
        found = self._judged(self._scored)
        self._stretch = [] if over else self._stretch[-EDGE_FRAMES:]
        return found

    def _judged(self, end: int) -> list[Transition]:
        """What the suspicious stretch holds, which is over; nothing may reach beyond frame `end`."""
        stretch = self._stretch
        if not stretch:
            return []
        found = [Transition(s.frame, s.frame, "cut", round(1 - s.apart**-2, 4)) for s in _clear_cuts(stretch)]
        slow, cuts = _slow(stretch), _doubts(stretch, [cut.start_frame for cut in found])
        if doubts := sorted(slow + cuts):
            window = self._seen(doubts[0].first, max(doubt.end for doubt in doubts))
            judged = [window.slow(doubt) for doubt in slow] + [window.cut(doubt) for doubt in cuts]
            found += [transition for transition in judged if transition]
        found = within(joined(found, GAP), max(self._free, stretch[0].frame - GROW), end)
        self._free = found[-1].end_frame + 1 if found else self._free
        return found

    def _seen(self, first: int, end: int) -> _Window:
        """What the network makes of frames [first, end); it sees some on either side, at the film's ends repeated."""
        if self._network is None:
            from mhmd.shots.lean import LeanTransNet

            self._network = LeanTransNet()
        margin = max(CONTEXT, (WINDOW - (end - first) + 1) // 2)
        held = self._fed - len(self._pictures)
        frames = range(first - margin, end + margin)
        pictures = np.stack([self._pictures[min(max(frame, 0), self._fed - 1) - held] for frame in frames])
        return _Window(frames.start, pictures, self._network(pictures[None])[0])


class _Doubt(NamedTuple):
    """Frames [first, end) that may lie in a slow transition or begin a shot, and the cheap evidence for it, 0 to 1."""

    first: int
    end: int
    evidence: float


class _Window(NamedTuple):
    """Pictures N×27×48×3 from frame `first` on, and the network's predictions for them, N×2."""

    first: int
    pictures: Pictures
    predictions: NDArray[np.float32]

    def slow(self, doubt: _Doubt) -> Transition | None:
        """The dissolve or fade in the frames in doubt, if there is one."""
        a, b = doubt.first - self.first, doubt.end - self.first
        highest = float(self.predictions[a - SLACK : b + SLACK, 1].max())
        score = (doubt.evidence + highest) / 2
        if score < SLOW_MIN:
            return None
        near = [(x, y) for x, y in runs(self.predictions[:, 1] > highest * PART) if x < b + SLACK and y > a - SLACK]
        parts = [(x, y) for x, y in near if y - x > ABRUPT] or near  # but for cuts
        start, end = parts[0][0], parts[-1][1]
        if highest < SURE:
            start, end = min(start, a), max(end, b)
        kind = "fade" if any(plain(picture) for picture in self.pictures[start - 1 : end + 1]) else "dissolve"
        return Transition(start + self.first, end + self.first, kind, round(score, 4))

    def cut(self, doubt: _Doubt) -> Transition | None:
        """The cut before one of the frames in doubt, if there is one."""
        a, b = doubt.first - self.first - 1, doubt.end - self.first + MIXED
        middle = a + int(self.predictions[a:b, 0].argmax())
        score = (doubt.evidence + float(self.predictions[middle, 0])) / 2
        if score < CUT_MIN:
            return None
        parts = [(x, y) for x, y in runs(self.predictions[:, 1] > MANY) if x <= middle < y] or [(middle, middle + 1)]
        return transition_of(parts[0][0] + self.first, parts[0][1] + self.first, score, self.pictures, self.first)


def _clear(scores: Scores) -> bool:
    return scores.change >= CLEAR_CHANGE and scores.apart >= CLEAR_APART and not scores.returns


def _doubtful(scores: Scores) -> bool:
    return (scores.change >= DOUBT_CHANGE and scores.apart >= DOUBT_APART) or scores.smeared >= DOUBT_SMEARED


def _clear_cuts(stretch: Sequence[Scores]) -> list[Scores]:
    """Those frames that begin shots; of several close together the one farthest apart."""
    clear = [scores for scores in stretch if _clear(scores)]
    return [s for s in clear if all(s.apart >= other.apart for other in clear if abs(other.frame - s.frame) < NEAR)]


def _doubts(stretch: Sequence[Scores], cuts: Sequence[int]) -> list[_Doubt]:
    """The runs of frames that may begin a shot, away from cuts that are clear."""
    marked = [_doubtful(s) and all(abs(s.frame - cut) >= NEAR for cut in cuts) for s in stretch]
    return [
        _Doubt(stretch[first].frame, stretch[end - 1].frame + 1, max(map(_evidence, stretch[first:end])))
        for first, end in runs(np.array(marked))
    ]


def _evidence(scores: Scores) -> float:
    return min(1.0, max(scores.change * scores.apart, SMEARED_MIN * scores.smeared) / CLEAR_APART)


def _slow(stretch: Sequence[Scores]) -> list[_Doubt]:
    """The runs of frames that may lie in a dissolve or fade."""
    blends = np.array([scores.blend for scores in stretch])
    return [
        _Doubt(stretch[first].frame, stretch[end - 1].frame + 1, float(blends[first:end].max()))
        for first, end in runs(blends >= SLOW_BLEND)
        if end - first >= SLOW_FRAMES
    ]

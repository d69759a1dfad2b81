"""What may be a transition by the cheap scores, and what the network makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhmd.shots.detector import Transition
from mhmd.shots.scores import MIXED, NEAR, SMEARED_MIN, Scores, plain
from mhmd.shots.transnetv2 import ABRUPT, runs, transition_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Frames = NDArray[np.int64]
    Pictures = NDArray[np.uint8]

CLEAR_CHANGE, CLEAR_APART = 0.4, 1.6
"""From these on, both, a cut is clear: of 13,900 frames without one, none came so far."""
DOUBT_CHANGE, DOUBT_APART, DOUBT_SMEARED = 0.25, 0.8, 2.0
"""From these on the network is asked."""
SUDDEN = 2.0
"""From this on a sudden step counts as if the sides were so far apart: in fast motion neither side keeps together."""
CUT_MIN = 0.55
"""Mean of the cheap evidence, 1 for a clear cut, and the network's first prediction that makes a cut of a doubt."""
SLOW_BLEND, SLOW_FRAMES = 0.35, 3
"""Blend, and numbered frames in a row that have it, from which the network is asked for a dissolve or fade."""
PART, SURE = 1 / 3, 0.75
"""Share of the highest second prediction that the frames of a dissolve or fade have; less than sure, all blended ones
belong to it, too."""
FAR_CHANGE, FAR_FRAMES, FAR_EVIDENCE = 0.65, 8, 0.3
"""Change, and numbered frames in a row that have it away from all that is found, from which the network is asked for a
dissolve between moving pictures, which are no mix of those before and after; and how much that tells."""
SLOW_MIN = 0.5
"""Mean of the highest blend and of the network's second prediction that makes a dissolve or fade of a doubt."""
SLACK = 3
"""Pictures before and after a run of blended ones where the network's second prediction is looked for."""
MANY = 0.5
"""Of the network's second prediction, the paper's."""
SAME = 0.97
"""Correlation of two pictures' light from which they are the same in another light: of dissolves between shots of the
same landscape the ends come to .95."""
BLACK = 24
"""Greatest level of what may be a bar."""
STRIDES = (18, 36)
"""Numbered frames in a row with such a blend beyond which the network sees every second one, or every third: of films
it knows changes of up to a second and sees no slower ones, but it sees those of three seconds at thrice the speed."""


class Moment(NamedTuple):
    """A numbered frame, how it is mixed, and the scores of it and of the frames before the next number."""

    number: int
    blend: float
    change: float
    scores: Sequence[Scores]


class Doubt(NamedTuple):
    """Frames [first, end) that may begin a shot, and the cheap evidence for it, 0 to 1; or those, or numbers, that may
    lie in a slow transition, of which the network is to see every `stride`th number.
    """

    first: int
    end: int
    evidence: float
    stride: int = 0


class Window(NamedTuple):
    """Frames N, their pictures N×27×48×3, and the network's predictions for them, N×2."""

    frames: Frames
    pictures: Pictures
    predictions: NDArray[np.float32]

    def slow(self, doubt: Doubt, cuts: Frames, least: float = 0.0) -> Transition | None:
        """The dissolve or fade in the frames in doubt, if there is one that is more than these cuts.

        The network or the cheap evidence must tell of it with `least`, if that is not 0, and the network with half.
        A shot that only changes its light has no transition.
        """
        a = int(np.searchsorted(self.frames, doubt.first, side="right")) - 1
        b = int(np.searchsorted(self.frames, doubt.end))
        slow = self.predictions[:, 1].copy()
        for place in np.searchsorted(self.frames, cuts):
            slow[max(0, place - 2) : place + 1] = 0
        highest = float(slow[max(0, a - SLACK) : b + SLACK].max())
        score = (doubt.evidence + highest) / 2
        if score < SLOW_MIN or (least and (max(highest, doubt.evidence) < least or highest < MANY)):
            return None
        near = [(x, y) for x, y in runs(self.predictions[:, 1] > highest * PART) if x < b + SLACK and y > a - SLACK]
        parts = [(x, y) for x, y in near if y - x > ABRUPT] or near  # but for cuts
        start, stop = parts[0][0], parts[-1][1]
        if highest < SURE and doubt.evidence >= SLOW_BLEND:
            start, stop = min(start, a), max(stop, b)
        seen = self.pictures[max(0, start - 1) : stop + 1]
        kind = "fade" if any(map(plain, seen)) else "dissolve"
        if kind == "dissolve" and is_relit(seen[0], seen[-1]):
            return None
        start_frame = int(self.frames[start - 1]) + 1 if start else int(self.frames[0])
        end_frame = int(self.frames[min(stop, len(self.frames) - 1)])
        return Transition(start_frame, end_frame, kind, round(score, 4)) if start_frame < end_frame else None

    def cut(self, doubt: Doubt) -> Transition | None:
        """The cut before one of the frames in doubt, if there is one."""
        first = int(self.frames[0])
        a, b = doubt.first - first - 1, doubt.end - first + MIXED
        middle = a + int(self.predictions[a:b, 0].argmax())
        score = (doubt.evidence + float(self.predictions[middle, 0])) / 2
        if score < CUT_MIN:
            return None
        parts = [(x, y) for x, y in runs(self.predictions[:, 1] > MANY) if x <= middle < y] or [(middle, middle + 1)]
        return transition_of(parts[0][0] + first, parts[0][1] + first, score, self.pictures, first)


def is_relit(before: Pictures, after: Pictures) -> bool:
    """Whether two pictures show the same in another light: one could be made of the other by gain and lift.

    What is black in both counts for nothing: bars are the same in all pictures.
    """
    lit = (before.max(axis=-1) > BLACK) | (after.max(axis=-1) > BLACK)
    if not lit.any():
        return False
    one, other = (picture[lit].mean(axis=-1, dtype=np.float64) for picture in (before, after))
    one, other = one - one.mean(), other - other.mean()
    return bool(one @ other > SAME * np.sqrt(one @ one * (other @ other)))


def is_clear(scores: Scores) -> bool:
    return scores.change >= CLEAR_CHANGE and scores.apart >= CLEAR_APART and not scores.returns


def is_doubtful(scores: Scores) -> bool:
    return (scores.change >= DOUBT_CHANGE and scores.apart >= DOUBT_APART) or scores.smeared >= DOUBT_SMEARED


def clear_cuts(stretch: Sequence[Scores]) -> list[Scores]:
    """Those frames that begin shots; of several close together the one farthest apart."""
    clear = [scores for scores in stretch if is_clear(scores)]
    return [s for s in clear if all(s.apart >= other.apart for other in clear if abs(other.frame - s.frame) < NEAR)]


def cuts_in_doubt(stretch: Sequence[Scores], cuts: Frames) -> list[Doubt]:
    """The runs of frames that may begin a shot, away from cuts that are clear."""
    marked = [is_doubtful(s) and all(abs(s.frame - cut) >= NEAR for cut in cuts) for s in stretch]
    return [
        Doubt(stretch[first].frame, stretch[end - 1].frame + 1, max(map(_evidence, stretch[first:end])))
        for first, end in runs(np.array(marked))
    ]


def _evidence(scores: Scores) -> float:
    sudden = scores.sudden >= SUDDEN and not scores.returns
    apart = max(scores.apart, scores.sudden) if sudden else scores.apart
    return min(1.0, max(scores.change * apart, SMEARED_MIN * scores.smeared) / CLEAR_APART)


def slow_in_doubt(stretch: Sequence[Moment]) -> list[Doubt]:
    """The runs of numbers that may lie in a dissolve or fade."""
    blends = np.array([moment.blend for moment in stretch])
    return [
        Doubt(
            stretch[first].number,
            stretch[end - 1].number + 1,
            float(blends[first:end].max()),
            1 + sum(end - first > longest for longest in STRIDES),
        )
        for first, end in runs(blends >= SLOW_BLEND)
        if end - first >= SLOW_FRAMES
    ]


def far_in_doubt(stretch: Sequence[Moment]) -> list[Doubt]:
    """The runs of numbers around which pictures change altogether."""
    changed = np.array([moment.change >= FAR_CHANGE for moment in stretch], bool)
    return [
        Doubt(stretch[first].number, stretch[end - 1].number + 1, FAR_EVIDENCE, 1)
        for first, end in runs(changed)
        if end - first >= FAR_FRAMES
    ]

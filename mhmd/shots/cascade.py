"""Transitions by cheap scores, and by TransNet V2 where these leave a doubt."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from mhmd.blas import all_threads
from mhmd.shots.blend import Blends, Mix
from mhmd.shots.detector import Transition, joined, within
from mhmd.shots.doubts import (
    FAR_CHANGE,
    SLOW_BLEND,
    SURE,
    Doubt,
    Moment,
    Window,
    clear_cuts,
    cuts_in_doubt,
    far_in_doubt,
    is_clear,
    is_doubtful,
    slow_in_doubt,
)
from mhmd.shots.scores import CHANGE_STEP, Scorer, Scores, plain, tiny
from mhmd.shots.transnetv2 import GAP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mhmd.shots.lean import LeanTransNet

    Frames = NDArray[np.int64]
    Pictures = NDArray[np.uint8]

EDGE_BLEND, EDGE_FRAMES = 0.2, 24
"""Blend from which a dissolve or fade may have begun, and numbered frames for which that is held possible."""
QUIET = 8
"""Numbered frames without suspicion that end a suspicious stretch."""
GROW = 6
"""Numbered frames before and after a suspicious stretch that a transition may reach to."""
LONGEST = 100
"""Numbered frames after which a suspicious stretch is judged even if it goes on."""
HOLD = 50
"""So many of black or white between two fades do not count: they are judged together."""
REACH = CHANGE_STEP + 2
"""So many numbered frames around a transition change because of it."""
CONTEXT = 16
"""Pictures before and after what is in doubt that the network sees at least."""
WINDOW = 48
"""Pictures that the network sees at least."""
SLOWEST, AGAIN = 3, 6
"""At thrice the speed the network sees once more what it did not see at another one, unless there are fewer numbers."""
LEAST_STEP_S = 2 / 75
"""Frames get numbers when they are as far apart: every one at 24 to 30 a second, every second at 48 to 60."""
MAX_STEP = 5
"""Of so many frames one gets a number at the least, whatever the times are."""
HELD = 240
"""Numbered frames of which the pictures are held: the longest stretch, and all that is seen on either side of it."""


class Cascade:
    """Cuts, dissolves and fades: cheap scores settle what is clear, TransNet V2 sees the stretches in doubt only,
    on the CPU and without torch.

    Cuts are looked for from frame to frame, slow changes among about 25 frames a second: these are what numbers count.
    The score, 0 to 1, is 1 - 1 / apart² of a clear cut; of a doubtful one and of a dissolve or fade it is the mean of
    the cheap evidence and the network's prediction.
    """

    def __init__(self) -> None:
        self._network: LeanTransNet | None = None
        self._scorer, self._blends = Scorer(), Blends()
        self._pictures: deque[Pictures] = deque(maxlen=MAX_STEP * HELD)
        self._fed = 0
        self._numbered: deque[int] = deque(maxlen=HELD)  # the frames that have numbers
        self._numbers = 0
        self._entered_s = 0.0  # when the last of them did
        self._scores: deque[Scores] = deque()  # of frames whose blend is not known yet
        self._stretch: list[Moment] = []
        self._untold = EDGE_FRAMES  # moments since the last that was more than an edge
        self._calm = QUIET  # moments since the last that was suspicious
        self._held = 0  # moments of the stretch that are black or white, and calm
        self._cut = -REACH - 1  # the last number that a clear cut begins with
        self._weighed = 0
        self._free = 1  # the first frame that the next transition may have
        self._open: list[Transition] = []  # one that was found and may go on where its stretch was broken off

    @property
    def settled(self) -> int:
        """30 numbered frames behind where nothing is suspicious, else before the suspicious stretch: 188 at most.

        Or before a transition that goes on in the next stretch.
        """
        if self._open:
            return self._open[0].start_frame
        return self._frame((self._stretch[0].number if self._stretch else self._weighed) - GROW)

    def feed(self, index: int, time_s: float, bgr: Pictures) -> list[Transition]:
        """Judges the numbered frame 24 before this one, or a suspicious stretch of frames that ends before it."""
        del index
        picture = tiny(bgr)
        self._pictures.append(picture)
        self._fed += 1
        scores = self._scorer.feed(picture)
        if scores:
            self._scores.append(scores)
        if not self._enters(time_s):
            return []
        self._numbered.append(self._fed - 1)
        self._numbers, self._entered_s = self._numbers + 1, time_s
        return [transition for mix in self._blends.feed([picture]) for transition in self._weigh(mix)]

    def finish(self) -> list[Transition]:
        """Judges the last frames."""
        self._scores.extend(self._scorer.finish())
        found = [transition for mix in self._blends.finish() for transition in self._weigh(mix)]
        return found + self._judged(self._fed - 1)

    def _enters(self, time_s: float) -> bool:
        """Whether the frame that was fed gets a number."""
        since = self._fed - 1 - self._numbered[-1] if self._numbered else MAX_STEP
        return since >= MAX_STEP or time_s - self._entered_s >= LEAST_STEP_S

    def _frame(self, number: int) -> int:
        """The frame of this number; the first or the one after the last of those held, where it lies beyond them."""
        place = number - self._numbers
        return self._numbered[max(place, -len(self._numbered))] if place < 0 and self._numbered else self._fed

    def _weigh(self, mix: Mix) -> list[Transition]:
        """Takes what the next number is mixed of."""
        number, self._weighed = self._weighed, self._weighed + 1
        first, end = self._frame(number), self._frame(number + 1)
        scores = [self._scores.popleft() for _ in range(first, end)]
        if any(map(is_clear, scores)):
            self._cut = number
        if mix.change >= FAR_CHANGE and self._explains(number, self._pictures[first - self._fed]):
            mix = mix._replace(change=0.0)
        slow = mix.blend >= SLOW_BLEND or mix.change >= FAR_CHANGE
        telling = slow or any(is_clear(each) or is_doubtful(each) for each in scores)
        suspicious = telling or mix.blend >= EDGE_BLEND
        held = not suspicious and self._calm < QUIET and plain(self._pictures[first - self._fed])
        self._held += held
        self._calm = 0 if suspicious else self._calm + (not held)
        self._untold = 0 if telling else self._untold + (not held)
        self._stretch.append(Moment(number, mix.blend, mix.change, scores))
        over = self._calm >= QUIET or len(self._stretch) - min(self._held, HOLD) >= LONGEST
        if not over and self._untold < EDGE_FRAMES:
            return []
        found = self._judged(end)
        self._stretch, self._held = ([] if over else self._stretch[-EDGE_FRAMES:]), 0
        return found

    def _explains(self, number: int, picture: Pictures) -> bool:
        """Whether a clear cut before or after a number is why it changes, or that it is black or white."""
        return number - self._cut <= REACH or any(map(is_clear, self._scores)) or plain(picture)

    def _judged(self, end: int) -> list[Transition]:
        """What the suspicious stretch holds, which is over; nothing may reach beyond frame `end`."""
        if not self._stretch:
            return []
        scores = [each for moment in self._stretch for each in moment.scores]
        found = [Transition(s.frame, s.frame, "cut", round(1 - s.apart**-2, 4)) for s in clear_cuts(scores)]
        clear = np.array([cut.start_frame for cut in found])
        left, cuts = slow_in_doubt(self._stretch), cuts_in_doubt(scores, clear)
        if len(scores) == len(self._stretch):  # every frame has a number
            short = [self._in_frames(doubt) for doubt in left if doubt.stride == 1]
            abrupt, slow = self._dense(short, cuts, clear)
            left = self._unseen(left, slow)
            strides = range(2, SLOWEST + 1)
        else:
            abrupt, slow = self._dense((), cuts, clear)
            strides = range(1, SLOWEST + 1)
        for stride in strides:
            slow += self._sparse([doubt for doubt in left if _may_last(doubt, stride)], stride, clear)
            left = self._unseen(left, slow)
        found += abrupt + slow
        found += self._sparse(far_in_doubt(self._unexplained(found)), 1, clear)
        first = self._frame(self._stretch[0].number - GROW)
        found = within(joined(self._through_black(found), GAP), max(self._free, first), end)
        self._free = found[-1].end_frame + 1 if found else self._free
        broken_off = self._calm < QUIET and not self._open and end < self._fed - 1
        found, self._open = joined([*self._open, *found], GAP), []
        if broken_off and found and found[-1].kind != "cut" and end - found[-1].end_frame < GAP:
            self._open = [found.pop()]
        return found

    def _through_black(self, found: Sequence[Transition]) -> Iterator[Transition]:
        """The transitions; two, not both cuts, with nothing but black or white between reach to each other."""
        held = self._fed - len(self._pictures)
        ordered = sorted(found, key=lambda each: each.start_frame)
        for this, after in zip_longest(ordered, ordered[1:]):
            end = after.start_frame if after else this.end_frame
            between = [self._pictures[frame - held] for frame in range(this.end_frame, end)]
            slow = after is not None and {this.kind, after.kind} != {"cut"}
            through = slow and len(between) > 0 and all(map(plain, between))
            yield replace(this, end_frame=end) if through else this

    def _dense(
        self, slow: Sequence[Doubt], cuts: Sequence[Doubt], clear: Frames
    ) -> tuple[list[Transition], list[Transition]]:
        """What the cuts in doubt are, and the slow changes among numbers that follow each other as frames do."""
        abrupt, lasting = list[Transition | None](), list[Transition | None]()
        for near in _near([*slow, *cuts], 1):
            first, end = near[0].first, max(each.end for each in near)
            margin = max(CONTEXT, (WINDOW - (end - first) + 1) // 2)
            window = self._window(range(first - margin, end + margin))
            abrupt += [window.cut(doubt) for doubt in near if not doubt.stride]
            lasting += [window.slow(doubt, clear) for doubt in near if doubt.stride]
        return [each for each in abrupt if each], [each for each in lasting if each]

    def _sparse(self, slow: Sequence[Doubt], stride: int, clear: Frames) -> Iterator[Transition]:
        """The slow changes in numbers in doubt, of which every `stride`th is looked at."""
        for near in _near(slow, stride):
            first, end = near[0].first, max(each.end for each in near)
            margin = max(CONTEXT * stride, (WINDOW - (end - first) + 1) // 2)
            numbers = range(first - margin, min(end + margin, self._numbers), stride)
            window = self._window([self._frame(number) for number in numbers])
            for doubt in near:
                found = window.slow(self._in_frames(doubt), clear, SURE if stride > 1 else 0.0)
                if found:
                    yield found

    def _unseen(self, doubts: Sequence[Doubt], slow: Sequence[Transition]) -> list[Doubt]:
        """The doubts about numbers of which none is in one of these slow transitions."""
        return [
            doubt
            for doubt in doubts
            if not any(
                each.start_frame < self._frame(doubt.end) and each.end_frame > self._frame(doubt.first) for each in slow
            )
        ]

    def _unexplained(self, found: Sequence[Transition]) -> list[Moment]:
        """The moments of the stretch, without change where it is that of a transition, found or maybe yet to come."""
        at = [(self._free - 1, self._free), *((each.start_frame, each.end_frame + 1) for each in found)]
        done = self._calm >= QUIET

        def explained(number: int) -> bool:
            first, end = self._frame(number - REACH), self._frame(number + REACH + 1)
            return any(a < end and b > first for a, b in at) or not (done or number + REACH <= self._stretch[-1].number)

        return [each._replace(change=0.0) if explained(each.number) else each for each in self._stretch]

    def _in_frames(self, doubt: Doubt) -> Doubt:
        """The frames of the numbers in doubt."""
        return doubt._replace(first=self._frame(doubt.first), end=self._frame(doubt.end))

    def _window(self, frames: Sequence[int]) -> Window:
        """What the network makes of these frames; at the film's ends they are repeated."""
        if self._network is None:
            from mhmd.shots.lean import LeanTransNet

            self._network = LeanTransNet()
        held = self._fed - len(self._pictures)
        pictures = np.stack([self._pictures[min(max(frame, held), self._fed - 1) - held] for frame in frames])
        with all_threads():
            return Window(np.array(frames), pictures, self._network(pictures[None])[0])


def _may_last(doubt: Doubt, stride: int) -> bool:
    """Whether the numbers in doubt are to be seen with this stride: theirs, or in the end, if they are not few, all."""
    return stride == doubt.stride or (stride == SLOWEST and doubt.end - doubt.first >= AGAIN)


def _near(doubts: Sequence[Doubt], stride: int) -> list[list[Doubt]]:
    """The doubts in groups of which one window shows all: those with less than twice the context between them."""
    groups: list[list[Doubt]] = []
    for doubt in sorted(doubts):
        if groups and doubt.first - max(each.end for each in groups[-1]) < 2 * CONTEXT * stride:
            groups[-1].append(doubt)
        else:
            groups.append([doubt])
    return groups

"""Which frames of a film are stored: the sharpest of each interval of a shot, away from the shot's ends.

The definition, in ticks of the film's time base from its first frame. A candidate is the sharpest frame of a cell on
a grid that begins with the film. It lies inside a shot when it is at least the guard away from both of the shot's
ends. Windows of the interval's length follow each other from the first instant inside the shot; each that is whole, or
at least half, gives its sharpest candidate. Where that makes fewer than the minimum, the inside of the shot is cut
into that many equal windows instead.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from mhmd.shots import Detector, Transition

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from numpy.typing import NDArray

PIECES, FEW_PIECES, MOST_PIECES = 8, 2, 40
"""Candidates are held in so many pieces of each frame that a short shot is to give: enough to choose from. Of shots
that are to give many frames in fewer, but no fewer than the second number: each piece is a decoded frame in memory."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A decoded frame that may be stored. `sharpness` is compared within a window, in any unit."""

    index: int
    pts: int
    ticks: int
    sharpness: float
    frame: VideoFrame


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate to be stored, the number of its shot, and frames [first, end) of that shot that are known so far."""

    candidate: Candidate
    shot: int
    first_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The lengths of the definition, in ticks, and how many frames a shot gives at least where it has them."""

    cell_ticks: Fraction
    interval_ticks: Fraction
    guard_ticks: Fraction
    min_per_shot: int

    @property
    def pieces(self) -> int:
        """In how many pieces of a short shot a candidate is held."""
        least = max(1, self.min_per_shot)
        return max(FEW_PIECES * least, min(PIECES * least, MOST_PIECES))


class Sampler:
    """Shows a film to a detector, and holds candidates until no transition can still come near them.

    `transitions` are those found; `boundaries` has the ticks at which shots begin and end, by frame. What is held is
    bounded by how far the detector is behind, the guard and the interval, whatever the film's length.
    """

    def __init__(self, detector: Detector, grid: Grid, delay_frames: int, most: int = sys.maxsize) -> None:
        """`delay_frames` are waited in any case: what else is to be known of a pick comes that much later.

        No more than `most` candidates wait, 2 at least: of the two nearest to each other the less sharp one goes.
        """
        self.transitions: list[Transition] = []
        self.boundaries = {0: 0}
        self._detector = detector
        self._grid = grid
        self._guard = grid.guard_ticks
        self._delay = delay_frames
        self._most = most
        self._ticks: deque[tuple[int, int]] = deque()
        self._candidates: deque[Candidate] = deque()
        self._windows = Windows(grid, grid.guard_ticks)
        self._shot = 0
        self._cell = -1

    def __len__(self) -> int:
        """How many candidates are held."""
        return len(self._candidates) + len(self._windows)

    def offer(self, candidate: Candidate) -> None:
        """Take a candidate, or leave it for a sharper one of its cell. To be called before `feed` of its frame."""
        cell = candidate.ticks // self._grid.cell_ticks
        if cell == self._cell and self._candidates:
            candidate = _sharper(self._candidates.pop(), candidate)
        self._cell = cell
        self._candidates.append(candidate)
        if len(self._candidates) > self._most:
            self._merge()

    def feed(self, index: int, ticks: int, time_s: float, bgr: NDArray[np.uint8]) -> list[Pick]:
        """Show the next frame to the detector: the picks that are now sure, in order."""
        self._ticks.append((index, ticks))
        self._note(self._detector.feed(index, time_s, bgr))
        settled = max(0, min(self._detector.settled, index + 1 - self._delay))
        while len(self._ticks) > 1 and self._ticks[0][0] < settled:
            self._ticks.popleft()
        return self._release(*self._ticks[0], over=False)

    def finish(self, frames: int, end_ticks: int) -> list[Pick]:
        """When the film of `frames` frames is over: the last picks."""
        self._note(self._detector.finish())
        self.boundaries[frames] = end_ticks
        picks = self._release(frames, end_ticks, over=True) + self._turn_to(len(self.transitions))
        return picks + self._picks(self._windows.end(end_ticks - self._guard), frames)

    def _merge(self) -> None:
        """Let one candidate go: the less sharp of the two nearest, but not the newest, which may still be replaced."""
        waiting = self._candidates
        place = min(range(len(waiting) - 2), key=lambda at: waiting[at + 1].ticks - waiting[at].ticks)
        waiting[place] = _sharper(waiting[place], waiting[place + 1])
        del waiting[place + 1]

    def _note(self, found: Sequence[Transition]) -> None:
        times = dict(self._ticks) if found else {}
        for transition in found:
            self.transitions.append(transition)
            for frame in (transition.start_frame, transition.end_frame):
                self.boundaries[frame] = times[frame]

    def _release(self, settled_frame: int, settled_ticks: int, *, over: bool) -> list[Pick]:
        """The picks among the first candidates whose fate is settled.

        That of a candidate is when its shot has ended, or is known to go on for longer than the guard. The newest may
        still give way to a sharper one of its cell.
        """
        picks: list[Pick] = []
        while self._candidates and (over or len(self._candidates) > 1):
            candidate = self._candidates[0]
            shot = self._shot_of(candidate.index)
            closed = shot < len(self.transitions)
            sure = closed or settled_ticks - candidate.ticks >= self._guard
            if not over and not (sure and candidate.index < settled_frame):
                break
            self._candidates.popleft()
            picks += self._turn_to(shot)
            end_frame = self.transitions[shot].start_frame if closed else settled_frame
            end_ticks = self.boundaries[end_frame] if closed else settled_ticks
            start_ticks = self.boundaries[self._start(shot)]
            if candidate.ticks - start_ticks >= self._guard and end_ticks - candidate.ticks >= self._guard:
                picks += self._picks(self._windows.add(candidate), end_frame)
        return picks

    def _turn_to(self, shot: int) -> list[Pick]:
        """End the shots before this one."""
        picks: list[Pick] = []
        while self._shot < shot:
            end_frame = self.transitions[self._shot].start_frame
            picks += self._picks(self._windows.end(self.boundaries[end_frame] - self._guard), end_frame)
            self._shot += 1
            self._windows = Windows(self._grid, self.boundaries[self._start(self._shot)] + self._guard)
        return picks

    def _picks(self, candidates: Iterable[Candidate], end_frame: int) -> list[Pick]:
        return [Pick(each, self._shot, self._start(self._shot), end_frame) for each in candidates]

    def _start(self, shot: int) -> int:
        return self.transitions[shot - 1].end_frame if shot else 0

    def _shot_of(self, index: int) -> int:
        """How many transitions start at frame `index` or before: the number of the frame's shot."""
        number = len(self.transitions)
        while number and self.transitions[number - 1].start_frame > index:
            number -= 1
        return number


class Windows:
    """The windows of one shot, from its first instant inside the guard. Candidates come in order."""

    def __init__(self, grid: Grid, start_ticks: Fraction) -> None:
        self._grid = grid
        self._start = start_ticks
        self._best: dict[int, Candidate] = {}
        self._pieces: dict[int, Candidate] = {}
        self._piece_ticks = grid.cell_ticks
        self._streaming = False

    def __len__(self) -> int:
        return len(self._best) + len(self._pieces)

    def add(self, candidate: Candidate) -> list[Candidate]:
        """Take the next candidate: what is now sure to be picked."""
        complete: list[Candidate] = []
        window = int((candidate.ticks - self._start) // self._grid.interval_ticks)
        if window not in self._best and (self._streaming or len(self._best) >= max(1, self._grid.min_per_shot)):
            complete, self._best, self._pieces, self._streaming = [*self._best.values()], {}, {}, True
        self._best[window] = _sharper(self._best.get(window), candidate)
        if not self._streaming:
            self._add_piece(candidate)
        return complete

    def end(self, end_ticks: Fraction) -> list[Candidate]:
        """What else is picked when the shot's inside ends here."""
        length, least = self._grid.interval_ticks, self._grid.min_per_shot
        whole = [best for at, best in self._best.items() if self._start + (at + Fraction(1, 2)) * length <= end_ticks]
        if self._streaming or len(whole) >= least:
            return whole
        parts: dict[int, Candidate] = {}
        for candidate in self._pieces.values():
            part = int((candidate.ticks - self._start) * least // max(end_ticks - self._start, Fraction(1)))
            part = min(part, least - 1)
            parts[part] = _sharper(parts.get(part), candidate)
        return list(parts.values())

    def _add_piece(self, candidate: Candidate) -> None:
        """Hold the sharpest of each piece of the shot; pieces become twice as long when there are too many."""
        pieces = [*self._pieces.values(), candidate]
        while True:
            self._pieces = {}
            for each in pieces:
                piece = int((each.ticks - self._start) // self._piece_ticks)
                self._pieces[piece] = _sharper(self._pieces.get(piece), each)
            if len(self._pieces) <= self._grid.pieces:
                return
            self._piece_ticks *= 2


def spread(count: int, most: int) -> list[int]:
    """Which of `count` things stay when there may be `most` (0 = any number): evenly spread, in order."""
    if not most or count <= most:
        return list(range(count))
    return [(2 * place + 1) * count // (2 * most) for place in range(most)]


def _sharper(one: Candidate | None, other: Candidate) -> Candidate:
    """The sharper of two candidates, the earlier if they are alike."""
    return other if one is None or other.sharpness > one.sharpness else one

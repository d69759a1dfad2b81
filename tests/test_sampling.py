"""Which candidates are picked, against the definition applied to the whole film at once."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mhmd.sampling import MOST_PIECES, Candidate, Grid, Pick, Sampler, spread
from mhmd.shots import Transition
from mhmd.stages.extract import MANY_HELD, ExtractConfig, grid_of
from tests.films import Picture

STEP = 10
"""Ticks of a frame."""

NOTHING = np.zeros((1, 1, 3), np.uint8)


class Scripted:
    """A detector that reports given transitions some frames late, or at the end."""

    def __init__(self, lag: int, transitions: list[Transition]) -> None:
        self.settled = 0
        self._lag = lag
        self._left = list(transitions)

    def feed(self, index: int, time_s: float, bgr: Picture) -> list[Transition]:
        del time_s, bgr
        self.settled = max(0, index + 1 - self._lag)
        due = [each for each in self._left if max(each.start_frame + self._lag, each.end_frame) <= index]
        self._left = [each for each in self._left if each not in due]
        return due

    def finish(self) -> list[Transition]:
        return self._left


def transitions_of(gaps: list[tuple[int, int]]) -> list[Transition]:
    """Transitions after shots of so many frames, with so many frames in between."""
    transitions, frame = [], 0
    for shot, between in gaps:
        start = frame + shot
        transitions.append(Transition(start, start + between, "dissolve" if between else "cut", 1.0))
        frame = start + between
    return transitions


def picked(sharpness: list[int], transitions: list[Transition], lag: int, grid: Grid) -> tuple[list[Pick], int]:
    """What the sampler picks of a film, and the most candidates that it held."""
    sampler = Sampler(Scripted(lag, transitions), grid, 0)
    picks, most = [], 0
    for index, value in enumerate(sharpness):
        sampler.offer(Candidate(index, index * STEP + 5, index * STEP, value, None))  # type: ignore[arg-type]  # not looked at
        picks += sampler.feed(index, index * STEP, 0.0, NOTHING)
        most = max(most, len(sampler))
    return picks + sampler.finish(len(sharpness), len(sharpness) * STEP), most


def defined(sharpness: list[int], transitions: list[Transition], grid: Grid) -> list[tuple[int, int]]:
    """Frames and shots by the definition."""

    def sharpest(key: dict[int, int]) -> list[int]:
        groups = [[frame for frame in key if key[frame] == group] for group in sorted(set(key.values()))]
        return [max(each, key=lambda frame: (sharpness[frame], -frame)) for each in groups]

    interval, least, most = grid.interval_ticks, grid.min_per_shot, grid.pieces
    candidates = sharpest({frame: int(frame * STEP // grid.cell_ticks) for frame in range(len(sharpness))})
    starts = [0, *(each.end_frame for each in transitions)]
    ends = [*(each.start_frame for each in transitions), len(sharpness)]
    found = []
    for shot, (first, end) in enumerate(zip(starts, ends, strict=True)):
        low, high = first * STEP + grid.guard_ticks, end * STEP - grid.guard_ticks
        inside = [f for f in candidates if low <= f * STEP <= high and first <= f < end]
        window = {f: int((f * STEP - low) // interval) for f in inside}
        chosen = sharpest({f: w for f, w in window.items() if low + (w + Fraction(1, 2)) * interval <= high})
        if len(chosen) < least:
            piece = grid.cell_ticks
            while len(held := sharpest({f: int((f * STEP - low) // piece) for f in inside})) > most:
                piece *= 2
            chosen = sharpest({f: min(least - 1, int((f * STEP - low) * least // max(high - low, 1))) for f in held})
        found += [(frame, shot) for frame in chosen]
    return found


@example(0, 0, Fraction(21), Fraction(11), 0, [(1, 0)], 1, None)  # the last shot has no candidate of its own
@given(
    lag=st.integers(0, 12),
    guard=st.integers(0, 60),
    interval=st.fractions(5, 300, max_denominator=7),
    cell=st.fractions(5, 60, max_denominator=7),
    minimum=st.integers(0, 4),
    gaps=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=5),
    tail=st.integers(1, 60),
    data=st.data(),
)
def test_picks_are_those_of_the_definition(
    lag: int,
    guard: int,
    interval: Fraction,
    cell: Fraction,
    minimum: int,
    gaps: list[tuple[int, int]],
    tail: int,
    data: st.DataObject | None,
) -> None:
    transitions = transitions_of(gaps)
    frames = sum(shot + between for shot, between in gaps) + tail
    sharpness = data.draw(st.lists(st.integers(0, 9), min_size=frames, max_size=frames)) if data else [0] * frames
    lag = max([lag, *(each.end_frame - each.start_frame for each in transitions)])
    grid = Grid(min(cell, interval), interval, Fraction(guard), minimum)
    picks, most = picked(sharpness, transitions, lag, grid)
    assert [(pick.candidate.index, pick.shot) for pick in picks] == defined(sharpness, transitions, grid)
    assert most <= lag + 3 + guard // STEP + grid.pieces + minimum + 2
    for pick in picks:
        assert pick.first_frame <= pick.candidate.index < pick.end_frame


@given(
    rate=st.sampled_from([24, 25]),
    least=st.integers(1, 14),
    shots=st.lists(st.integers(26, 90), min_size=1, max_size=4),
    data=st.data(),
)
def test_every_shot_of_a_second_gives_the_minimum(rate: int, least: int, shots: list[int], data: st.DataObject) -> None:
    grid = grid_of(ExtractConfig(min_per_shot=least), Fraction(1, rate * STEP))
    sharpness = data.draw(st.lists(st.integers(0, 9), min_size=sum(shots), max_size=sum(shots)))
    picks, most = picked(sharpness, transitions_of([(frames, 0) for frames in shots[:-1]]), 30, grid)
    assert all(sum(pick.shot == shot for pick in picks) >= least for shot in range(len(shots)))
    assert most <= 30 + 3 + rate // 5 + MOST_PIECES + least + 2


@given(rate=st.sampled_from([24, 25]), shots=st.lists(st.integers(11, 40), min_size=1, max_size=8), data=st.data())
def test_where_all_frames_may_wait_shots_give_one_that_have_one(
    rate: int, shots: list[int], data: st.DataObject
) -> None:
    """A frame that is .2 s from both ends."""
    grid = grid_of(ExtractConfig(), Fraction(1, rate * STEP), MANY_HELD)
    sharpness = data.draw(st.lists(st.integers(0, 9), min_size=sum(shots), max_size=sum(shots)))
    picks, _ = picked(sharpness, transitions_of([(frames, 0) for frames in shots[:-1]]), 30, grid)
    assert {pick.shot for pick in picks} == set(range(len(shots)))


@pytest.mark.parametrize("most", [2, 3, 8, 30])
def test_no_more_candidates_wait_than_are_let(most: int) -> None:
    """While the detector is far behind; still one of each window, as long as that many wait."""
    grid = Grid(Fraction(STEP), Fraction(10 * STEP), Fraction(0), 0)
    sharpness = [7 * index % 10 for index in range(200)]
    sampler = Sampler(Scripted(100, []), grid, 0, most)
    picks = []
    for index, value in enumerate(sharpness):
        sampler.offer(Candidate(index, index, index * STEP, value, None))  # type: ignore[arg-type]  # not looked at
        picks += sampler.feed(index, index * STEP, 0.0, NOTHING)
        assert len(sampler) <= most + 2
    picks += sampler.finish(200, 200 * STEP)
    assert most < 30 or {pick.candidate.index // 10 for pick in picks} == set(range(20))
    assert len(picks) > most // 2


def test_the_sharpest_of_each_second() -> None:
    sharpness = [frame % 7 for frame in range(100)]
    picks, _ = picked(sharpness, [], 2, Grid(Fraction(25), Fraction(100), Fraction(0), 1))
    assert [pick.candidate.index for pick in picks] == [6, 13, 20, 34, 41, 55, 62, 76, 83, 90]


def test_a_transition_at_the_newest_frame_is_waited_for() -> None:
    transitions = transitions_of([(20, 6)])
    picks, _ = picked([1] * 60, transitions, 8, Grid(Fraction(10), Fraction(20), Fraction(30), 1))
    assert all(pick.candidate.index <= 17 or pick.candidate.index >= 29 for pick in picks)


@pytest.mark.parametrize(("count", "most"), [(10, 0), (10, 10), (10, 11), (0, 3)])
def test_a_limit_that_is_not_reached_takes_nothing_away(count: int, most: int) -> None:
    assert spread(count, most) == list(range(count))


@given(st.integers(1, 500), st.integers(1, 100))
def test_a_limit_spreads_evenly(count: int, most: int) -> None:
    kept = spread(count, most)
    assert len(kept) == min(count, most)
    steps = [after - before for before, after in pairwise(kept)]
    assert not steps or max(steps) - min(steps) <= 1
    assert abs(kept[0] - (count - 1 - kept[-1])) <= 1

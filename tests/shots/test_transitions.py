"""Transitions joined and cut down, and shots made of them."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mhmd.shots import Transition, shots_of
from mhmd.shots.detector import joined, within
from mhmd.shots.transnetv2 import transition_of

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=12)


def transitions(spans: list[tuple[int, int]]) -> list[Transition]:
    return [Transition(start, start + n, "dissolve" if n else "cut", n / 100) for start, n in spans]


@given(SPANS, st.integers(1, 9))
def test_joined_transitions_are_in_order_and_cover_the_same(spans: list[tuple[int, int]], gap: int) -> None:
    parts = transitions(spans)
    done = joined(parts, gap)
    assert all(a.end_frame < b.start_frame for a, b in pairwise(done))
    slow = [each for each in done if each.kind != "cut"]
    for part in parts:
        assert any(each.start_frame <= part.start_frame and part.end_frame <= each.end_frame for each in done)
    for each in slow:
        for other in done:
            assert other is each or abs(other.start_frame - each.end_frame) >= gap or other.start_frame < each.end_frame


def test_a_cut_joins_the_fade_after_it() -> None:
    parts = [Transition(40, 58, "fade", 0.6), Transition(36, 36, "cut", 0.9), Transition(80, 80, "cut", 0.9)]
    assert joined(parts, 8) == [Transition(36, 58, "fade", 0.9), Transition(80, 80, "cut", 0.9)]
    assert joined(parts, 4)[0] == Transition(36, 36, "cut", 0.9)


def test_what_the_network_sees_at_the_last_frame_begins_after_it() -> None:
    last = np.zeros((1, 27, 48, 3), np.uint8)
    cut = transition_of(29, 30, 0.6, last, 29)
    assert cut == Transition(30, 30, "cut", 0.6)
    assert within([cut], 0, 29) == []


@given(SPANS, st.integers(0, 40), st.integers(0, 40))
def test_within_leaves_nothing_outside(spans: list[tuple[int, int]], first: int, length: int) -> None:
    for each in within(transitions(spans), first, first + length):
        assert first <= each.start_frame <= each.end_frame <= first + length
        assert (each.kind == "cut") == (each.start_frame == each.end_frame)


def test_shots_lie_between_transitions() -> None:
    transitions = [Transition(10, 10, "cut", 4.5), Transition(30, 36, "dissolve", 0.8)]
    seconds = {0: 0.0, 10: 0.4, 30: 1.2, 36: 1.44, 50: 2.0}
    shots = shots_of("alpha", transitions, seconds, 50)
    assert [(s.shot, s.start_frame, s.end_frame, s.start_s, s.end_s, s.transition, s.score) for s in shots] == [
        (0, 0, 10, 0.0, 0.4, "start", 0.0),
        (1, 10, 30, 0.4, 1.2, "cut", 4.5),
        (2, 36, 50, 1.44, 2.0, "dissolve", 0.8),
    ]
    assert {shot.film_id for shot in shots} == {"alpha"}

"""Which row of the labels manifest gives each attribute of a frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mhmd.labels.paint import expanded
from mhmd.manifest.cells import seconds
from tests.labels.given import CHINA, entry, frames, labelled


def test_uncovered_frames_have_no_label() -> None:
    assert labelled(frames(0.0)) == [
        {"film_id": "a", "frame_id": "a_0000000000", "label_id": -1, "era": None, "nationality": None,
         "garment": None, "source": None, "confidence": None}
    ]  # fmt: skip


def test_a_film_without_frames() -> None:
    assert labelled(frames(), entry(**CHINA, garment="formal"), entry(start_s=0.0, end_s=9.0, garment="formal")) == []


def test_a_range_is_half_open_and_refines_one_attribute() -> None:
    rows = labelled(
        frames(1.0, 2.0, 3.0),
        entry(**CHINA, garment="formal", confidence=0.9),
        entry(start_s=2.0, end_s=3.0, garment="communist uniform", confidence=0.4),
    )
    assert [row["label_id"] for row in rows] == [13, 11, 13]
    assert [row["source"] for row in rows] == ["film", "range", "film"]
    assert [row["confidence"] for row in rows] == [0.9, 0.4, 0.9]
    assert rows[1]["era"] == "During WWII"


def test_a_frame_row_wins_over_ranges_and_film() -> None:
    rows = labelled(
        frames(1.0, 2.0),
        entry(**CHINA, garment="formal"),
        entry(start_s=0.0, end_s=9.0, garment="non-formal"),
        entry(frame_id="a_0000002000", garment="communist uniform"),
    )
    assert [(row["label_id"], row["source"]) for row in rows] == [(14, "range"), (11, "frame")]


def test_a_frame_keeps_the_attributes_it_has() -> None:
    (row,) = labelled(frames(1.0), entry(era="After WWII"), entry(start_s=0.0, end_s=2.0, garment="formal"))
    assert (row["label_id"], row["era"], row["nationality"], row["garment"]) == (-1, "After WWII", None, "formal")


def test_overlapping_ranges_that_agree_are_fine() -> None:
    row = entry(start_s=0.0, end_s=2.0, **CHINA, garment="formal")
    assert [r["label_id"] for r in labelled(frames(1.0), row, row)] == [13]


def test_a_shot_and_what_of_it_lies_in_a_range() -> None:
    rows = labelled(
        frames(0.0, 1.0, 2.0, 3.0),
        entry(**CHINA),
        entry(shot=0, start_s=1.0, end_s=2.001, garment="formal"),
        entry(shot=1, start_s=1.999, end_s=9.0, garment="non-formal"),
    )
    assert [row["label_id"] for row in rows] == [-1, 13, 14, 14]


@given(st.integers(0, 10**7), st.sampled_from([(1001, 30000), (1, 25), (1001, 24000), (1, 90000), (1, 1000)]))
def test_times_compare_as_the_exact_numbers_do(ticks: int, base: tuple[int, int]) -> None:
    """A range from the time as written, to any number of digits, begins with the frame or just after it."""
    time = Fraction(ticks * base[0], base[1])
    shown = frames(float(time))
    for digits in (3, 6, 9, 17):
        written = f"{float(time):.{digits}f}"
        exact = Fraction(written)
        start_s = seconds(written)
        assert start_s is not None
        labels = labelled(shown, entry(start_s=start_s, end_s=start_s + 1, era="After WWII"))
        assert (labels[0]["era"] == "After WWII") == (exact <= time or float(exact) == float(time))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8), st.integers(1, 30))
def test_rows_are_taken_some_at_a_time(intervals: list[tuple[int, int]], most: int) -> None:
    rows = np.arange(len(intervals))
    first, after = (np.array(ends, np.int64) for ends in (zip(*intervals, strict=True) if intervals else ((), ())))
    parts = [*expanded(rows, first, after, most)]
    assert all(len(row) <= most or len(set(row)) == 1 for row, _ in parts)
    pairs = [pair for row, frame in parts for pair in zip(row.tolist(), frame.tolist(), strict=True)]
    assert pairs == [(row, frame) for row, (start, end) in enumerate(intervals) for frame in range(start, end)]

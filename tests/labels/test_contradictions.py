"""Rows that contradict each other or the film are refused."""

from __future__ import annotations

import numpy as np
import pytest

from mhmd.entries import LabelEntry
from mhmd.errors import ManifestError
from mhmd.labels.paint import Paint
from mhmd.labels.rows import Extent, Rows
from mhmd.stages.label import label_frames
from mhmd.storage import table_of
from tests.labels.given import TAXONOMY, entry, frames, labelled


@pytest.mark.parametrize("place", [{}, {"start_s": 0.0, "end_s": 2.0}, {"shot": 0}, {"frame_id": "a_0000001000"}])
def test_rows_of_the_same_precision_that_differ_are_refused(place: dict[str, object]) -> None:
    with pytest.raises(ManifestError, match=r"row 4, garment: 'non-formal' differs from 'formal' in row 2: both hold"):
        labelled(
            frames(1.0),
            entry(**place, garment="formal"),
            entry(start_s=5.0, end_s=6.0, garment="communist uniform"),
            entry(**place, garment="non-formal"),
        )


def test_a_shot_and_a_range_are_of_the_same_precision() -> None:
    with pytest.raises(ManifestError, match=r"row 3, garment: .* differs from .* in row 2"):
        labelled(frames(1.0), entry(shot=0, garment="formal"), entry(start_s=0.5, end_s=1.5, garment="non-formal"))


def test_a_combination_without_a_label_names_its_rows() -> None:
    message = r"row 3, garment: no label is Before WWII / Japan / formal; .* it comes together with row 2;"
    with pytest.raises(ManifestError, match=message):
        labelled(
            frames(1.0), entry(era="Before WWII", nationality="Japan"), entry(start_s=0.0, end_s=2.0, garment="formal")
        )


def test_names_that_meet_on_a_frame_must_have_a_label_though_one_is_missing() -> None:
    with pytest.raises(ManifestError, match=r"row 3, nationality: no label is .*; it comes together with row 2"):
        labelled(frames(1.0), entry(era="Before WWII"), entry(start_s=0.0, end_s=2.0, nationality="Japan"))


def test_ranges_that_differ_are_refused_where_no_frame_lies_too() -> None:
    rows = [entry(start_s=0.0, end_s=0.6, garment="formal"), entry(start_s=0.5, end_s=0.9, garment="non-formal")]
    with pytest.raises(ManifestError, match="row 3, garment: 'non-formal' differs from 'formal' in row 2"):
        labelled(frames(1.0), *rows)
    extent = Extent(4.0, 2, ((0.0, 2.0), (2.0, 4.0)))
    shot = entry(shot=1, garment="formal")
    apart, over = (entry(start_s=1.0, end_s=end_s, garment="non-formal") for end_s in (2.0, 2.1))
    assert len(label_frames(frames(1.0), table_of(LabelEntry, [shot, apart]), TAXONOMY, extent)) == 1
    with pytest.raises(ManifestError, match=r"row 3, garment: .* differs from 'formal' in row 2"):
        label_frames(frames(1.0), table_of(LabelEntry, [shot, over]), TAXONOMY, extent)


def test_a_range_outside_its_shot_is_refused() -> None:
    extent = Extent(4.0, 2, ((0.0, 2.0), (2.0, 4.0)))
    rows = table_of(LabelEntry, [entry(shot=0, start_s=2.5, end_s=3.0, garment="formal")])
    with pytest.raises(ManifestError, match=r"row 2, shot: 0 lies at 0\.000 to 2\.000 s, outside the row's range"):
        label_frames(frames(1.0), rows, TAXONOMY, extent)


def test_everything_that_does_not_fit_the_film_is_told_at_once() -> None:
    table = table_of(
        LabelEntry,
        [
            entry(frame_id="a_0000777000", garment="formal"),
            entry(start_s=1.0, end_s=4.06, garment="formal"),
            entry(start_s=4.0, end_s=4.04, garment="formal"),
            entry(shot=2, garment="formal"),
            entry(start_s=1.0, end_s=4.0, garment="non-formal"),
        ],
    )
    with pytest.raises(ManifestError) as caught:
        label_frames(frames(1.0, 3.0), table, TAXONOMY, Extent(4.0, 2), "labels.csv")
    assert caught.value.found.split("; ") == [
        "labels.csv: row 2, frame_id: 'a_0000777000' is not among the film's stored frames",
        "row 3, end_s: 4.06 is beyond the film's end at 4.000 s",
        "row 4, start_s: 4 is beyond the film's end at 4.000 s",
        "row 5, shot: 2 is none of the film's 2 shots, which count from 0",
        "row 6, garment: 'non-formal' differs from 'formal' in row 3: both hold for the same frames",
    ]


def test_rows_that_differ_are_found_whether_they_come_together_or_not() -> None:
    rows = Rows(table_of(LabelEntry, [entry(garment="formal"), entry(garment="non-formal")]), TAXONOMY)
    of = {row: (np.array([row]), np.array([0])) for row in (0, 1)}
    both = (np.array([0, 1]), np.array([0, 0]))
    for pairs in ([of[0], of[1]], [of[1], of[0]], [both]):
        paint = Paint(rows, 1, TAXONOMY)
        paint.level(iter(pairs))
        assert [(problem.row, problem.column) for problem in paint.problems] == [(3, "garment")]

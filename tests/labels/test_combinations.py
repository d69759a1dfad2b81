"""Names that no label has together are refused, whether a frame is stored where their rows meet or not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.entries import LabelEntry
from mhmd.errors import ManifestError
from mhmd.labels.combine import GAP_S
from mhmd.labels.join import alone, join
from mhmd.labels.rows import Extent
from mhmd.stages.label import label_frames
from mhmd.storage import table_of
from tests.labels.given import TAXONOMY, entry, frames

FOUR = Extent(4.0, 2, ((0.0, 2.0), (2.0, 4.0)))
GERMANY = {"era": "During WWII", "nationality": "Germany"}


def told(entries: list[LabelEntry], *times_s: float, extent: Extent = FOUR) -> list[tuple[int, str]]:
    found = join(frames(*times_s), table_of(LabelEntry, entries), TAXONOMY, extent).problems
    return [(problem.row, problem.column) for problem in found]


def test_a_range_refines_a_film_to_names_of_no_label_where_no_frame_lies() -> None:
    rows = [entry(**GERMANY), entry(start_s=1.0, end_s=3.0, garment="communist uniform")]
    assert told(rows) == told(rows, 0.0) == told(rows, 2.0) == [(3, "garment")]
    with pytest.raises(
        ManifestError, match=r"row 3, garment: no label is During WWII / Germany / communist uniform; .*2"
    ):
        label_frames(frames(0.0), table_of(LabelEntry, rows), TAXONOMY, FOUR)


def test_what_covers_it_wholly_makes_it_good_and_what_covers_it_in_part_does_not() -> None:
    rows = [entry(**GERMANY), entry(start_s=1.0, end_s=3.0, garment="communist uniform")]
    assert told([*rows, entry(start_s=0.5, end_s=3.0, nationality="China")]) == []
    assert told([*rows, entry(start_s=1.0, end_s=2.0, nationality="China")]) == [(3, "garment")]
    assert told([*rows, entry(shot=0, nationality="China"), entry(shot=1, nationality="China")]) == []
    assert told([*rows, entry(shot=0, nationality="China")]) == [(3, "garment")]
    assert told([*rows, entry(shot=0, nationality="China")], 2.5) == [(3, "garment")]


def test_a_stretch_with_frames_is_what_its_frames_are() -> None:
    rows = [entry(**GERMANY, garment="formal"), entry(start_s=1.0, end_s=3.0, nationality="Japan")]
    single = entry(frame_id="a_0000002000", garment="military uniform")
    assert told(rows, 2.0) == [(3, "garment")]
    assert told([*rows, single], 2.0) == []


def test_ends_that_were_rounded_leave_no_gap() -> None:
    rows = [entry(**GERMANY), entry(start_s=0.0, end_s=2.04, nationality="China")]
    uniforms = entry(start_s=0.0, end_s=2.0 + 2 * GAP_S, garment="communist uniform")
    assert told([rows[0], entry(start_s=0.0, end_s=2.06, nationality="China"), uniforms]) == []
    assert told([*rows, uniforms]) == [(4, "garment")]


def test_rows_whose_place_is_not_known_may_make_it_good() -> None:
    rows = [entry(**GERMANY), entry(start_s=1.0, end_s=3.0, garment="communist uniform")]
    shot = entry(shot=0, nationality="China")
    frame = entry(frame_id="a_0000000001", nationality="China")
    for more, wanted in (([], [4]), ([shot], []), ([frame], [])):
        table = table_of(LabelEntry, [entry(start_s=0.0, end_s=0.5, garment="formal"), *rows, *more])
        assert [problem.row for problem in alone(table, TAXONOMY)] == wanted


ticks = st.integers(0, 8)
names = {
    "era": st.sampled_from([None, "Before WWII", "During WWII"]),
    "nationality": st.sampled_from([None, None, "China", "Japan", "Germany"]),
    "garment": st.sampled_from([None, None, "formal", "communist uniform", "military uniform"]),
}
given_names = st.fixed_dictionaries(names)
ranges = st.builds(
    lambda a, b, given: entry(start_s=min(a, b) / 2, end_s=max(a, b) / 2, **given), ticks, ticks, given_names
).filter(lambda row: row.start_s != row.end_s)
shots = st.builds(lambda shot, given: entry(shot=shot, **given), st.integers(0, 1), given_names)
films = st.builds(lambda given: entry(**given), given_names)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(films, ranges, shots), max_size=5), st.lists(st.integers(0, 7), max_size=4, unique=True))
def test_it_is_what_a_look_at_each_stretch_gives(entries: list[LabelEntry], stored: list[int]) -> None:
    """Halves of a second stand for all times: no row begins or ends within one."""
    found = {column for _, column in told(entries, *(tick / 2 for tick in stored))}
    wrong = [problem for tick in range(8) if (problem := looked_at(tick / 2 + 0.25, entries))]
    if "differ" in wrong:
        assert found
    else:
        assert bool(found) == ("no label" in wrong)


def looked_at(time_s: float, entries: list[LabelEntry]) -> str:
    """What is wrong at a time."""
    trio: list[str | None] = []
    for attribute in names:
        values: dict[int, set[str]] = {0: set(), 1: set()}
        for row in entries:
            level = int(row.start_s is not None or row.shot is not None)
            start_s, end_s = (0.0, 4.0) if row.start_s is None else (row.start_s, row.end_s or 0.0)
            holds = start_s <= time_s < end_s and (row.shot is None or row.shot == time_s // 2)
            if holds and (name := getattr(row, attribute)) is not None:
                values[level].add(name)
        if any(len(of) > 1 for of in values.values()):
            return "differ"
        trio.append(next(iter(values[1] or values[0]), None))
    return "" if TAXONOMY.fits(*trio) else "no label"

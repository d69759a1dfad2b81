"""Labels of frames: which row of the labels manifest gives each attribute, and which contradictions are refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.entries import LabelEntry
from mhmd.errors import ManifestError
from mhmd.inputs import Inputs
from mhmd.labels.join import Paint, expanded
from mhmd.labels.rows import Extent, Rows
from mhmd.make import make
from mhmd.manifest.tabular import seconds
from mhmd.records import Film, Label, Shot, columns_of
from mhmd.sink import Sink
from mhmd.stage import Where
from mhmd.stages.label import STAGE, LabelConfig, label_frames, run
from mhmd.storage import Storage, schema_of, table_of
from mhmd.taxonomy import Taxonomy, load_taxonomy

TAXONOMY = load_taxonomy()
CHINA = {"era": "During WWII", "nationality": "China"}


def frames(*times_s: float) -> pa.Table:
    ids = [f"a_{round(time * 1000):010}" for time in times_s]
    return pa.table(
        {
            "film_id": pa.array(["a"] * len(ids), pa.string()),
            "frame_id": pa.array(ids, pa.string()),
            "shot": pa.array([int(time) // 2 for time in times_s], pa.int32()),
            "time_s": pa.array(times_s, pa.float64()),
        }
    )


def entry(**values: object) -> LabelEntry:
    return LabelEntry(film_id="a", **values)  # type: ignore[arg-type]


def labelled(table: pa.Table, *entries: LabelEntry) -> list[dict[str, object]]:
    result = label_frames(table, table_of(LabelEntry, entries), TAXONOMY)
    assert result.schema == schema_of(Label)
    return result.to_pylist()


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


def test_a_shot_and_what_of_it_lies_in_a_range() -> None:
    rows = labelled(
        frames(0.0, 1.0, 2.0, 3.0),
        entry(**CHINA),
        entry(shot=0, start_s=1.0, end_s=2.001, garment="formal"),
        entry(shot=1, start_s=1.999, end_s=9.0, garment="non-formal"),
    )
    assert [row["label_id"] for row in rows] == [-1, 13, 14, 14]


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


seconds_of = st.integers(0, 12).map(float)
names = {
    "era": st.sampled_from([None, "During WWII"]),
    "nationality": st.sampled_from([None, "China"]),
    "garment": st.sampled_from([None, "formal", "non-formal", "communist uniform"]),
    "confidence": st.sampled_from([None, 0.25, 0.75]),
}
given_names = st.fixed_dictionaries(names)
shots = st.sampled_from([None, None, 0, 1, 2, 5])
ranges = st.builds(
    lambda a, b, shot, given: entry(start_s=min(a, b), end_s=max(a, b), shot=shot, **given),
    seconds_of,
    seconds_of,
    shots,
    given_names,
)
whole_shots = st.builds(lambda shot, given: entry(shot=shot, **given), st.integers(0, 6), given_names)
films = st.builds(lambda given: entry(**given), given_names)
singles = st.builds(lambda at, given: entry(frame_id=f"a_{at * 1000:010}", **given), st.integers(0, 12), given_names)
rows_of_all_kinds = st.lists(st.one_of(ranges, whole_shots, films, singles), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(seconds_of, max_size=6, unique=True), rows_of_all_kinds)
def test_it_is_what_a_loop_over_frames_and_rows_gives(times_s: list[float], entries: list[LabelEntry]) -> None:
    table = frames(*times_s)
    present = set(table["frame_id"].to_pylist())
    entries = [row for row in entries if row.frame_id is None or row.frame_id in present]
    wanted = [naive(row, entries, TAXONOMY) for row in table.to_pylist()]
    if None in wanted or any(overlap_and_differ(*pair) for pair in combinations(entries, 2)):
        with pytest.raises(ManifestError, match="differs from"):
            labelled(table, *entries)
    else:
        rows = labelled(table, *entries)
        names = ("label_id", "era", "nationality", "garment", "source", "confidence")
        assert [tuple(row[name] for name in names) for row in rows] == wanted


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8), st.integers(1, 30))
def test_rows_are_taken_some_at_a_time(intervals: list[tuple[int, int]], most: int) -> None:
    rows = np.arange(len(intervals))
    first, after = (np.array(ends, np.int64) for ends in (zip(*intervals, strict=True) if intervals else ((), ())))
    parts = [*expanded(rows, first, after, most)]
    assert all(len(row) <= most or len(set(row)) == 1 for row, _ in parts)
    pairs = [pair for row, frame in parts for pair in zip(row.tolist(), frame.tolist(), strict=True)]
    assert pairs == [(row, frame) for row, (start, end) in enumerate(intervals) for frame in range(start, end)]


def test_rows_that_differ_are_found_whether_they_come_together_or_not() -> None:
    rows = Rows(table_of(LabelEntry, [entry(garment="formal"), entry(garment="non-formal")]), TAXONOMY)
    of = {row: (np.array([row]), np.array([0])) for row in (0, 1)}
    both = (np.array([0, 1]), np.array([0, 0]))
    for pairs in ([of[0], of[1]], [of[1], of[0]], [both]):
        paint = Paint(rows, 1, TAXONOMY)
        paint.level(iter(pairs))
        assert [(problem.row, problem.column) for problem in paint.problems] == [(3, "garment")]


def overlap_and_differ(one: LabelEntry, other: LabelEntry) -> bool:
    """Whether two rows of films, or two of ranges without a shot, say different things of the same time."""
    if any(row.frame_id is not None or row.shot is not None for row in (one, other)):
        return False
    if (one.start_s is None) != (other.start_s is None):
        return False
    times = [(0.0, 1.0) if row.start_s is None else (row.start_s, row.end_s or 0.0) for row in (one, other)]
    together = max(start for start, _ in times) < min(end for _, end in times)
    pairs = [(getattr(one, each), getattr(other, each)) for each in ("era", "nationality", "garment")]
    return together and any(None not in pair and pair[0] != pair[1] for pair in pairs)


def naive(frame: dict[str, Any], entries: list[LabelEntry], taxonomy: Taxonomy) -> tuple[object, ...] | None:
    """The label of a frame; None when rows contradict each other."""
    values: list[str | None] = []
    precisions = [-1]
    confidences: list[float] = []
    for attribute in ("era", "nationality", "garment"):
        by_precision: dict[int, list[LabelEntry]] = {}
        for row in entries:
            in_shot = row.shot is None or row.shot == frame["shot"]
            in_range = row.start_s is None or row.end_s is None or row.start_s <= frame["time_s"] < row.end_s
            if row.frame_id is not None:
                precision, holds = 2, row.frame_id == frame["frame_id"]
            else:
                precision, holds = int(row.shot is not None or row.start_s is not None), in_shot and in_range
            if holds and getattr(row, attribute) is not None:
                by_precision.setdefault(precision, []).append(row)
        if any(len({getattr(row, attribute) for row in rows}) > 1 for rows in by_precision.values()):
            return None
        best = max(by_precision, default=-1)
        precisions.append(best)
        winners = by_precision.get(best, [])
        confidences += [row.confidence for row in winners if row.confidence is not None]
        values.append(getattr(winners[0], attribute) if winners else None)
    source = (None, "film", "range", "frame")[max(precisions) + 1]
    return (taxonomy.label_id(*values), *values, source, min(confidences, default=None))


@pytest.fixture
def place(tmp_path: Path) -> Where:
    """A workspace of the films a and b of two frames each, and where the labels manifest goes."""
    storage = Storage(str(tmp_path / "data"))
    film = {column.field: {"string": "", "bool": False}.get(column.arrow, 4) for column in columns_of(Film)}
    shot = {column.field: {"string": ""}.get(column.arrow, 0) for column in columns_of(Shot)}
    for name in "ab":
        shown = frames(1.0, 2.0)
        ids = [frame.replace("a_", f"{name}_") for frame in shown["frame_id"].to_pylist()]
        shown = shown.set_column(1, "frame_id", pa.array(ids)).set_column(0, "film_id", pa.array([name] * 2))
        storage.write_table(f"frames/{name}.parquet", shown)
        storage.write_table(f"films/{name}.parquet", table_of(Film, [Film(**film | {"film_id": name})]))
        storage.write_table(f"shots/{name}.parquet", table_of(Shot, [Shot(**shot)] * 2))
    return Where(data=storage.url, labels=str(tmp_path / "labels.csv"))


def test_the_stage_writes_what_the_manifests_say(place: Where) -> None:
    storage = Storage(place.data)
    Path(place.labels).write_text(
        "film_id,era,nationality,garment\na,post-war,chinese,Formal\nb,After WWII,China,non-formal\n"
    )
    told: list[tuple[int, int]] = []
    sink = Sink(storage, "a", STAGE.writes, STAGE.bytes_to, lambda done, total, _stored: told.append((done, total)))
    run(Inputs(STAGE, place, storage, "a", ["a"]), LabelConfig(), sink)
    sink.commit("digest", {"a": {}})
    assert storage.table("labels/a.parquet")["label_id"].to_pylist() == [29, 29]
    assert told == [(2, 2)]


def test_one_film_that_does_not_fit_keeps_all_from_being_written(place: Where) -> None:
    rows = ["a,,,,After WWII,China,formal", "", "b,1,1.5,,,,formal", "b,1,9,,,,formal", "c,,,,After WWII,,"]
    header = "film_id,start_s,end_s,frame_id,era,nationality,garment"
    Path(place.labels).write_text("\n".join([header, *rows, "a,,,a_0000000007,,,formal"]))
    with pytest.raises(ManifestError) as caught:
        make(STAGE, LabelConfig(), place, on="serial")
    assert caught.value.found.removeprefix(f"{place.labels}: ").split("; ") == [
        "row 5, end_s: 9 is beyond the film's end at 4.000 s",
        "row 6, film_id: 'c' is no film of the films manifest or the workspace",
        "row 7, frame_id: 'a_0000000007' is not among the film's stored frames",
    ]
    assert not Storage(place.data).names("labels", ".parquet")


def test_a_row_above_makes_no_other_film_stale(place: Where) -> None:
    lines = ["film_id,era,nationality,garment", "b,After WWII,China,formal"]
    Path(place.labels).write_text("\n".join(lines))
    make(STAGE, LabelConfig(), place, on="serial")
    Path(place.labels).write_text("\n".join([lines[0], "a,After WWII,China,formal", lines[1]]))
    made = make(STAGE, LabelConfig(), place, on="serial")
    assert {outcome.unit: outcome.status for outcome in made.outcomes} == {"a": "made", "b": "fresh"}


def test_a_film_of_the_manifest_without_frames_may_be_labelled(place: Where) -> None:
    films = Path(place.labels).with_name("films.csv")
    films.write_text("film_id,title,path\na,A,a.mp4\nb,B,b.mp4\nc,C,c.mp4\n")
    Path(place.labels).write_text("film_id,era\na,After WWII\nc,After WWII\n")
    made = make(STAGE, LabelConfig(), replace(place, films=str(films)), on="serial")
    assert made.count("made") == 2

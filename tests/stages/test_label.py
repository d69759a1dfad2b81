"""Labels of frames: which row of the labels manifest gives each attribute, and which contradictions are refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.entries import LabelEntry
from mhmd.errors import ManifestError
from mhmd.inputs import Inputs
from mhmd.records import Label
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
            "time_s": pa.array(times_s, pa.float64()),
        }
    )


def entry(**values: object) -> LabelEntry:
    names = ("start_s", "end_s", "frame_id", "era", "nationality", "garment", "confidence")
    return LabelEntry("a", **(dict.fromkeys(names) | values))  # type: ignore[arg-type]


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
        entry(frame_id="a_0000777000", garment="national military uniform"),
    )
    assert [(row["label_id"], row["source"]) for row in rows] == [(14, "range"), (11, "frame")]


def test_a_frame_keeps_the_attributes_it_has() -> None:
    (row,) = labelled(frames(1.0), entry(era="After WWII"), entry(start_s=0.0, end_s=2.0, garment="formal"))
    assert (row["label_id"], row["era"], row["nationality"], row["garment"]) == (-1, "After WWII", None, "formal")


def test_overlapping_ranges_that_agree_are_fine() -> None:
    row = entry(start_s=0.0, end_s=2.0, **CHINA, garment="formal")
    assert [r["label_id"] for r in labelled(frames(1.0), row, row)] == [13]


@pytest.mark.parametrize("place", [{}, {"start_s": 0.0, "end_s": 2.0}, {"frame_id": "a_0000001000"}])
def test_rows_of_the_same_precision_that_differ_are_refused(place: dict[str, object]) -> None:
    with pytest.raises(ManifestError, match=r"row 1 of a .*formal.* and row 3 of a .*non-formal.* differ on garment"):
        labelled(
            frames(1.0),
            entry(**place, garment="formal"),
            entry(start_s=5.0, end_s=6.0, garment="communist uniform"),
            entry(**place, garment="non-formal"),
        )


def test_a_combination_without_a_label_names_its_rows() -> None:
    message = r"row 1 of a \(all of it: Before WWII, Japan\) and row 2 of a \(0 to 2 s: formal\)"
    with pytest.raises(ManifestError, match=message):
        labelled(
            frames(1.0), entry(era="Before WWII", nationality="Japan"), entry(start_s=0.0, end_s=2.0, garment="formal")
        )


seconds = st.integers(0, 12).map(float)
names = {
    "era": st.sampled_from([None, "During WWII"]),
    "nationality": st.sampled_from([None, "China"]),
    "garment": st.sampled_from([None, "formal", "non-formal", "communist uniform"]),
    "confidence": st.sampled_from([None, 0.25, 0.75]),
}
ranges = st.builds(
    lambda a, b, given: entry(start_s=min(a, b), end_s=max(a, b), **given),
    seconds,
    seconds,
    st.fixed_dictionaries(names),
)
films = st.builds(lambda given: entry(**given), st.fixed_dictionaries(names))
singles = st.builds(
    lambda at, given: entry(frame_id=f"a_{at * 1000:010}", **given), st.integers(0, 12), st.fixed_dictionaries(names)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(seconds, max_size=6, unique=True), st.lists(st.one_of(ranges, films, singles), max_size=5))
def test_it_is_what_a_loop_over_frames_and_rows_gives(times_s: list[float], entries: list[LabelEntry]) -> None:
    table = frames(*times_s)
    wanted = [naive(row["frame_id"], row["time_s"], entries, TAXONOMY) for row in table.to_pylist()]
    if None in wanted:
        with pytest.raises(ManifestError, match="differ on"):
            labelled(table, *entries)
    else:
        rows = labelled(table, *entries)
        assert [
            (row["label_id"], row["era"], row["nationality"], row["garment"], row["source"]) for row in rows
        ] == wanted


def naive(frame_id: str, time_s: float, entries: list[LabelEntry], taxonomy: Taxonomy) -> tuple[object, ...] | None:
    """The label of a frame; None when rows contradict each other."""
    values: list[str | None] = []
    precisions = [-1]
    for attribute in ("era", "nationality", "garment"):
        by_precision: dict[int, set[str]] = {}
        for row in entries:
            value = getattr(row, attribute)
            if row.frame_id is not None:
                precision, holds = 2, row.frame_id == frame_id
            elif row.start_s is not None and row.end_s is not None:
                precision, holds = 1, row.start_s <= time_s < row.end_s
            else:
                precision, holds = 0, True
            if holds and value is not None:
                by_precision.setdefault(precision, set()).add(value)
        if any(len(given) > 1 for given in by_precision.values()):
            return None
        best = max(by_precision, default=-1)
        precisions.append(best)
        values.append(min(by_precision[best]) if best >= 0 else None)
    source = (None, "film", "range", "frame")[max(precisions) + 1]
    return (taxonomy.label_id(*values), *values, source)


def test_the_stage_writes_what_the_manifests_say(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "data"))
    shown = frames(1.0, 2.0)
    storage.write_table("frames/a.parquet", shown)
    (tmp_path / "labels.csv").write_text(
        "film_id,era,nationality,garment\na,After WWII,China,formal\nb,After WWII,China,non-formal\n"
    )
    told: list[tuple[int, int]] = []
    sink = Sink(storage, "a", STAGE.writes, STAGE.bytes_to, lambda done, total, _stored: told.append((done, total)))
    where = Where(data=storage.url, labels=str(tmp_path / "labels.csv"))
    run(Inputs(STAGE, where, storage, "a", ["a"]), LabelConfig(), sink)
    sink.commit("digest", {"a": {}})
    assert storage.table("labels/a.parquet")["label_id"].to_pylist() == [29, 29]
    assert told == [(2, 2)]

"""The join gives what a loop over frames and rows gives."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.entries import LabelEntry
from mhmd.errors import ManifestError
from mhmd.taxonomy import Taxonomy
from tests.labels.given import TAXONOMY, entry, frames, labelled

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


def overlap_and_differ(one: LabelEntry, other: LabelEntry) -> bool:
    """Whether two rows of films, of ranges without a shot, or of the same shot say different things of the same."""
    if any(row.frame_id is not None for row in (one, other)) or one.shot != other.shot:
        return False
    if (one.start_s is None) != (other.start_s is None) or (one.shot is not None and one.start_s is not None):
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

"""Rows that are wrong in themselves hide nothing of the others, and make nothing of them wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mhmd.labels.films import contradictions
from mhmd.labels.rows import Extent
from mhmd.manifest.labelled import check_labels
from mhmd.manifest.problems import Problem
from mhmd.manifest.read import read_taxonomy
from mhmd.resources import resource
from tests.labels.given import TAXONOMY, frames

NAMES = read_taxonomy(resource("manifests/labels.parquet"))
HEADER = ("film_id", "start_s", "end_s", "shot", "frame_id", "era", "nationality", "garment", "confidence")
EXTENT = Extent(4.0, 2, ((0.0, 2.0), (2.0, 4.0)))
SPOILT = tuple(
    (column, value)
    for column, values in {
        "start_s": ("one", "99"), "end_s": ("0",), "shot": ("-3", "1.5"), "frame_id": ("b_0000000001",), "era": ("xx",),
        "nationality": ("xx",), "garment": ("xx",), "confidence": ("7", "x"), "film_id": ("", " a", "c"),
    }.items()
    for value in values
)  # fmt: skip


def told(path: Path, rows: list[dict[str, str]], stored: list[float] | None) -> tuple[Problem, ...]:
    """All problems of a labels manifest for the film a with frames stored at these times, or not extracted."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADER, restval="")
        writer.writeheader()
        writer.writerows(rows)
    checked = check_labels(path, NAMES)
    there = None if stored is None else (frames(*stored), EXTENT)
    return checked.also(contradictions(checked, TAXONOMY, {"a"}, lambda *_: there)).problems


half = st.integers(0, 8).map(lambda tick: tick / 2)
ranges = st.tuples(half, half).filter(lambda ends: ends[0] < ends[1]).map(
    lambda ends: {"start_s": str(ends[0]), "end_s": str(ends[1])}
)  # fmt: skip
places = st.one_of(st.just({}), ranges, st.sampled_from([{"shot": "0"}, {"shot": "1"}, {"frame_id": "a_0000001000"}]))
trios = st.fixed_dictionaries(
    {
        "era": st.sampled_from(["", "During WWII"]),
        "nationality": st.sampled_from(["", "China", "Germany", "Japan"]),
        "garment": st.sampled_from(["", "formal", "communist uniform", "military uniform"]),
    }
)
lines = st.builds(lambda place, trio: {"film_id": "a", **place, **trio}, places, trios)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(
    st.lists(lines, min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(SPOILT)), min_size=1, max_size=3),
    st.sampled_from([None, [1.0], [0.0, 1.0, 2.5]]),
)
def test_spoilt_cells_are_told_of_their_rows_alone(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, str]],
    spoilt: list[tuple[int, tuple[str, str]]],
    stored: list[float] | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.csv"
    assume(not told(path, rows, stored))
    bad = {}
    for place, (column, value) in spoilt:
        if place < len(rows):
            bad.setdefault(place, rows[place] | {})[column] = value
    problems = told(path, [bad.get(place, row) for place, row in enumerate(rows)], stored)
    assert {problem.row for problem in problems} <= {0, *(place + 2 for place in bad)}
    assert all(problem.row for problem in problems)


def test_rows_hide_nothing_of_each_other_but_what_they_may_make_good(tmp_path: Path) -> None:
    film = {"film_id": "a", "era": "During WWII", "nationality": "Germany"}
    uniform = {"film_id": "a", "start_s": "1", "end_s": "2", "garment": "communist uniform"}
    wrong = {"film_id": "a", "start_s": "3", "end_s": "x", "garment": "formal"}
    every = [wrong, wrong | {"nationality": "China"}, wrong | {"nationality": "xx"}]
    problems = [told(tmp_path / "labels.csv", [film, uniform, last], []) for last in every]
    assert [sorted({problem.row for problem in found}) for found in problems] == [[3, 4], [4], [4]]


@settings(max_examples=300, deadline=None)
@given(st.lists(lines, min_size=1, max_size=6), st.lists(half.filter(lambda time_s: time_s < 4), unique=True))
def test_what_is_sound_beside_the_film_is_sound_without_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], stored: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.csv"
    if not told(path, rows, stored):
        assert not told(path, rows, None)

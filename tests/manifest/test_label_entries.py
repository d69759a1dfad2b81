"""The labels manifest: what is accepted, and that everything wrong is told at once by row and column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from mhmd.entries import LabelEntry
from mhmd.manifest.labelled import read_labels
from mhmd.manifest.problems import ROW
from mhmd.storage import schema_of
from mhmd.taxonomy import ATTRIBUTES
from tests.manifest.given import TAXONOMY, refusal, written


def test_names_may_be_spelt_in_other_ways(tmp_path: Path) -> None:
    rows = [
        ("  pre-war ", "USSR", "FORMAL"),
        ("during_WWII", "britain & france", "non formal"),
        ("WW2", "us", "Military"),
    ]
    path = written(tmp_path, film_id=list("abc"), **dict(zip(ATTRIBUTES, zip(*rows, strict=True), strict=True)))
    names = read_labels(path, TAXONOMY).select(ATTRIBUTES).to_pylist()
    assert [tuple(row.values()) for row in names] == [
        ("Before WWII", "Russia", "formal"),
        ("During WWII", "Britain and France", "non-formal"),
        ("During WWII", "America", "military uniform"),
    ]


def test_a_row_that_stands_twice_is_told_and_one_that_says_nothing_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,shot,garment,note\na,1,formal,x\na,2,,\na,1,Formal,x\na,1,formal,\n")
    assert refusal(path, read_labels) == "row 4, film_id: 'a' and all else stands in a row above, too"
    path.write_text("film_id,era,garment\na,wartime,toga\na,wartime,\na,wartime,gown\n")
    assert refusal(path, read_labels).split("; ") == [
        "row 2, garment: 'toga' is not in the taxonomy",
        "row 4, garment: 'gown' is not in the taxonomy",
    ]
    path.write_text("film_id,shot,garment\na,1,formal\na,2,\na,3,formal\n")
    table = read_labels(path, TAXONOMY)
    assert table.select(["shot", ROW]).to_pylist() == [{"shot": 1, ROW: 2}, {"shot": 3, ROW: 4}]


def test_everything_wrong_with_labels_is_told_at_once(tmp_path: Path) -> None:
    rows = [
        {"film_id": "a", "start_s": 5.0, "end_s": 5.0, "era": "After WWII"},
        {"film_id": "a", "start_s": 5.0, "era": "After WWII"},
        {"film_id": "a", "end_s": 5.0, "era": "After WWII"},
        {"film_id": "a", "start_s": -1.0, "end_s": 5.0, "era": "after wwi"},
        {"film_id": "a", "frame_id": "b_0000000001", "nationality": "Narnia"},
        {"film_id": "a", "frame_id": "a_0000000001", "start_s": 1.0, "end_s": 2.0, "era": "After WWII"},
        {"film_id": "a", "confidence": 0.5},
        {"film_id": "a", "era": "Before WWII", "nationality": "America", "garment": "non-formal", "confidence": 1.5},
    ]
    assert refusal(written(tmp_path, **pd.DataFrame(rows)), read_labels).split("; row ") == [
        "row 2, end_s: 5 is not after start_s",
        "3, end_s: is empty beside a start_s",
        "4, start_s: is empty beside an end_s",
        "5, era: 'after wwi' is not in the taxonomy, did you mean 'After WWII'?",
        "5, start_s: -1 is below 0",
        "6, frame_id: 'b_0000000001' is no frame of this row's film",
        "6, nationality: 'Narnia' is not in the taxonomy",
        "7, frame_id: 'a_0000000001' stands beside a range",
        "9, confidence: 1.5 is not between 0 and 1",
        "9, garment: no label is Before WWII / America / non-formal; garments there: military uniform, formal",
    ]


def test_wrong_types_hide_no_wrong_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,start_s,end_s,garment\na,one,2,formal\na,1,2,armour\na,3,x,toga\n")
    assert refusal(path, read_labels).split("; row ") == [
        "row 2, start_s: 'one' is not seconds or h:mm:ss.fff",
        "3, garment: 'armour' is not in the taxonomy",
        "4, end_s: 'x' is not seconds or h:mm:ss.fff",
        "4, garment: 'toga' is not in the taxonomy",
    ]


def test_a_labels_manifest_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,era\n")
    wanted = [field.with_nullable(True) for field in schema_of(LabelEntry)]
    assert read_labels(path, TAXONOMY).schema.equals(pa.schema([*wanted, pa.field(ROW, pa.int64())]))

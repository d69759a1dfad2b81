"""Columns and cells: their names and types, numbers and times as people write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from mhmd.manifest.labelled import read_labels
from mhmd.manifest.read import read_films
from tests.manifest.given import TAXONOMY, refusal, written


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, film=["a", "b"], title=["A", "a"])
    assert refusal(path).split("; ") == [
        "column film_id: is missing, the file has film, title",
        "column path: is missing, the file has film, title",
        "row 3, title: 'a' is another spelling of 'A' in row 2",
    ]
    path = written(tmp_path, film_id=["a", "a"], title=["A", "B"], path=["1", "2"])
    assert refusal(path, read_labels) == (
        "column era: is missing, and so are nationality and garment, the file has film_id, title, path"
    )


def test_columns_may_be_spelt_in_other_ways_and_what_is_nearly_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("Film ID,TITLE, path ,Exclude,Split,mine\na,A,a.mp4,taken down,val,x\n")
    row = read_films(path).to_pylist()[0]
    assert (row["exclude"], row["split"], row["mine"]) == ("taken down", "val", "x")
    path.write_text("film_id, Start_s,End-S,garment\na,1,2,formal\n")
    assert read_labels(path, TAXONOMY).select(["start_s", "end_s"]).to_pylist() == [{"start_s": 1.0, "end_s": 2.0}]
    path.write_text("film_id,title,path,excluded,group_\na,A,a.mp4,x,g\n")
    assert refusal(path) == "column excluded: is nearly exclude"
    path.write_text("film_id,title,path,Path\na,A,a.mp4,b.mp4\n")
    assert refusal(path) == "column path: stands twice"


def test_wrong_types_are_named(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, film_id=[1], title=["A"], path=["a"])) == "column film_id: is int64, not string"
    path = written(tmp_path, film_id=["a"], start_s=["1"], end_s=[True], era=["After WWII"])
    assert refusal(path, read_labels) == (
        "column end_s: is bool, not float64; column start_s: is text, not float64; "
        "times as text are read from CSV alone, `mhmd manifest` converts them"
    )


def test_categories_and_integers_are_as_good(tmp_path: Path) -> None:
    path = written(tmp_path, film_id=pd.Categorical(["a"]), start_s=[1], end_s=[2], era=pd.Categorical(["After WWII"]))
    row = read_labels(path, TAXONOMY).to_pylist()[0]
    assert (row["film_id"], row["start_s"], row["era"]) == ("a", 1.0, "After WWII")


def test_empty_and_padded_cells(tmp_path: Path) -> None:
    path = written(tmp_path, film_id=["a", None, "c"], title=["A ", "B", ""], path=["1", "2", "3"])
    assert refusal(path).split("; ") == [
        "row 2, title: 'A ' has blanks around it",
        "row 3, film_id: is empty",
        "row 4, title: is empty",
    ]


def test_numbers_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,start_s,end_s,garment,by\na,1,2.5,formal,me\nb,,,formal,\n")
    table = read_labels(path, TAXONOMY)
    assert table["start_s"].to_pylist() == [1.0, None]
    assert table.schema.field("end_s").type == pa.float64()
    path.write_text("film_id,start_s,end_s,garment\na,one,2,formal\na,0,inf,formal\n")
    assert refusal(path, read_labels) == (
        "row 2, start_s: 'one' is not seconds or h:mm:ss.fff; row 3, end_s: 'inf' is not seconds or h:mm:ss.fff"
    )


def test_times_are_seconds_or_clocks(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,start_s,end_s,garment\na,0:01:02.5,1:02:03,formal\na,0.1,1:00.25,formal\n")
    assert read_labels(path, TAXONOMY).select(["start_s", "end_s"]).to_pylist() == [
        {"start_s": 62.5, "end_s": 3723.0},
        {"start_s": 0.1, "end_s": 60.25},
    ]
    path.write_text('film_id;start_s;end_s;confidence;garment\na;"1,5";00:00:02,25;0,5;formal\n')
    row = read_labels(path, TAXONOMY).to_pylist()[0]
    assert (row["start_s"], row["end_s"], row["confidence"]) == (1.5, 2.25, 0.5)
    path.write_text('film_id,start_s,end_s,shot,garment\na,"1,5",00:00:02:13,1:00,formal\na,1:75,-1:00,,formal\n')
    assert refusal(path, read_labels).split("; ") == [
        "row 2, end_s: '00:00:02:13' is not seconds or h:mm:ss.fff",
        "row 2, shot: '1:00' is not a whole number",
        "row 2, start_s: '1,5' is not seconds or h:mm:ss.fff",
        "row 3, end_s: '-1:00' is not seconds or h:mm:ss.fff",
        "row 3, start_s: '1:75' is not seconds or h:mm:ss.fff",
    ]


def test_minutes_beyond_the_hour_and_commas_that_may_group_thousands(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,start_s,end_s,garment\na,75:30,100:00.5,formal\n")
    assert read_labels(path, TAXONOMY).select(["start_s", "end_s"]).to_pylist() == [
        {"start_s": 4530.0, "end_s": 6000.5}
    ]
    path.write_text("film_id\tstart_s\tend_s\tgarment\na\t1\t1,234\tformal\n")
    assert refusal(path, read_labels).startswith("row 2, end_s: '1,234' is one number with a point for its comma")
    path.write_text("film_id\tstart_s\tend_s\tgarment\na\t1\t1,234\tformal\na\t2\t2,5\tformal\n")
    assert read_labels(path, TAXONOMY)["end_s"].to_pylist() == [1.234, 2.5]


def test_numbers_that_no_column_holds(tmp_path: Path) -> None:
    path = written(tmp_path, film_id=["a"], shot=[2**60], garment=["formal"])
    assert refusal(path, read_labels) == f"row 2, shot: {2**60} is not a whole number"


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    path = written(tmp_path, film_id=["a", "b"], shot=[float("inf"), float("nan")], garment=["formal", "formal"])
    assert refusal(path, read_labels) == "row 2, shot: inf is not a whole number"

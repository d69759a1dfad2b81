"""The stage: labels of a workspace, and that nothing is written when anything is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from mhmd.errors import ManifestError
from mhmd.inputs import Inputs
from mhmd.make import make
from mhmd.records import Film, Shot, columns_of
from mhmd.sink import Sink
from mhmd.stage import Where
from mhmd.stages.label import STAGE, LabelConfig, run
from mhmd.storage import Storage, table_of
from tests.labels.given import frames


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


def test_what_is_wrong_with_all_manifests_and_between_their_rows_is_told_at_once(place: Where) -> None:
    films = Path(place.labels).with_name("films.csv")
    films.write_text("film_id,title,path,year\na,A,a.mp4,19360\nb,B,../b.mp4,\n")
    header = "film_id,start_s,end_s,shot,frame_id,era,nationality,garment,confidence"
    rows = [
        "a,,,,,Before WWII,America,,",  # 2
        "a,one,2,,,,,formal,",  # 3: where it holds is not known
        "a,,,,,During WWII,,,",  # 4 differs from 2
        "a,3,2,,,,,formal,",  # 5 ends before it starts
        "b,1,9,,,,,formal,",  # 6 is beyond the end
        "b,,,,,,,armour,",  # 7 is not known
        "c,,,,,,,formal,",  # 8 is of no film
        "b,,,,b_0000000007,,,formal,",  # 9 is no stored frame
        "b,,,,,Before WWII,America,non-formal,",  # 10 is no label
        "b,0,2,,,After WWII,China,,2",  # 11 has a wrong confidence
        "b,0,1,,,,,military uniform,",  # 12 is no label with 11
    ]
    Path(place.labels).write_text("\n".join([header, *rows]))
    with pytest.raises(ManifestError) as caught:
        make(STAGE, LabelConfig(), replace(place, films=str(films)), on="serial")
    assert [line.strip().replace(f"{films.parent}/", "") for line in caught.value.lines()][1:] == [
        "films.csv: row 2, year: 19360 is not between 1870 and 2100",
        "films.csv: row 3, path: '../b.mp4' leads out of the manifest's folder",
        "labels.csv: row 3, start_s: 'one' is not seconds or h:mm:ss.fff",
        "labels.csv: row 4, era: 'During WWII' differs from 'Before WWII' in row 2: both hold for the same frames",
        "labels.csv: row 5, end_s: 2 is not after start_s",
        "labels.csv: row 6, end_s: 9 is beyond the film's end at 4.000 s",
        "labels.csv: row 7, garment: 'armour' is not in the taxonomy",
        "labels.csv: row 8, film_id: 'c' is no film of the films manifest or the workspace",
        "labels.csv: row 9, frame_id: 'b_0000000007' is not among the film's stored frames",
        "labels.csv: row 10, garment: no label is Before WWII / America / non-formal; "
        "garments there: military uniform, formal",
        "labels.csv: row 11, confidence: 2 is not between 0 and 1",
        "labels.csv: row 12, garment: no label is After WWII / China / military uniform; "
        "garments there: communist uniform, formal, non-formal; it comes together with row 11",
    ]
    assert not Storage(place.data).names("labels", ".parquet")


def test_a_films_manifest_that_cannot_be_read_hides_nothing_of_the_labels(place: Where) -> None:
    films = Path(place.labels).with_name("films.csv")
    films.write_text("")
    Path(place.labels).write_text("film_id,start_s,end_s,garment\na,1,9,formal\nc,1,2,formal\na,0,2,toga\n")
    for text, first in (
        ("", "films.csv: it is empty"),
        ("title,path\nA,a.mp4\n", "films.csv: column film_id: is missing"),
    ):
        films.write_text(text)
        with pytest.raises(ManifestError) as caught:
            make(STAGE, LabelConfig(), replace(place, films=str(films)), on="serial")
        told = [line.strip().replace(f"{films.parent}/", "") for line in caught.value.lines()][1:]
        assert told[0].startswith(first)
        assert told[1:] == [
            "labels.csv: row 2, end_s: 9 is beyond the film's end at 4.000 s",
            "labels.csv: row 4, garment: 'toga' is not in the taxonomy",
        ]


def test_rows_of_a_film_that_is_not_extracted_are_held_against_each_other(place: Where) -> None:
    films = Path(place.labels).with_name("films.csv")
    films.write_text("film_id,title,path\na,A,a.mp4\nb,B,b.mp4\nc,C,c.mp4\n")
    rows = [
        "c,1,3,,During WWII,Germany,formal",
        "c,2,4,,,,non-formal",
        "c,7,9,,,Japan,",
        "c,,,,During WWII,,non-formal",
    ]
    Path(place.labels).write_text("\n".join(["film_id,start_s,end_s,shot,era,nationality,garment", *rows]))
    with pytest.raises(ManifestError) as caught:
        make(STAGE, LabelConfig(), replace(place, films=str(films)), on="serial")
    assert caught.value.found.removeprefix(f"{place.labels}: ").split("; row ") == [
        "row 3, garment: 'non-formal' differs from 'formal' in row 2: both hold for the same frames",
        "5, garment: no label is During WWII / Japan / non-formal; garments there: military uniform; "
        "it comes together with row 4",
    ]

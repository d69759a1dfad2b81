"""The films manifest: what is accepted, and that everything wrong is told at once by row and column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mhmd.entries import FilmEntry
from mhmd.manifest.read import read_films
from mhmd.media.colour import MATRICES
from mhmd.records import columns_of
from tests.manifest.given import refusal, written


def test_films_get_absolute_paths_and_all_columns(tmp_path: Path) -> None:
    paths = ["films/a.mp4", "/archive/b.mkv", "s3://bucket/c.mp4"]
    table = read_films(written(tmp_path, film_id=["a", "b", "c-1"], title=["A", "B", "B"], path=paths, cut=[1, 2, 3]))
    assert table["path"].to_pylist() == [str(tmp_path / "films/a.mp4"), *paths[1:]]
    assert table.column_names == [*(column.name for column in columns_of(FilmEntry)), "cut"]
    assert table.schema.field("split").type == pa.string()
    assert table["split"].null_count == 3


def test_every_matrix_that_films_are_decoded_with_is_accepted_and_described(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(len(MATRICES))]
    path = written(tmp_path, film_id=names, title=names, path=names, color_matrix=MATRICES)
    assert read_films(path)["color_matrix"].to_pylist() == [*MATRICES]
    assert "smpte240m" in MATRICES
    described = {column.name: column.doc for column in columns_of(FilmEntry)}["color_matrix"]
    assert all(matrix in described for matrix in MATRICES)


def test_paths_stay_in_the_folder_of_their_manifest(tmp_path: Path) -> None:
    paths = ["../a.mp4", "x/../../b.mp4", "x/../c.mp4", "/archive/../d.mp4", "..", "..e.mp4", "../://g.mp4", "..\\h"]
    path = written(tmp_path, film_id=list("abcdefgh"), title=list("abcdefgh"), path=paths)
    assert refusal(path).split("; ") == [
        f"row {row}, path: {given!r} leads out of the manifest's folder"
        for row, given in ((2, "../a.mp4"), (3, "x/../../b.mp4"), (6, ".."), (8, "../://g.mp4"), (9, "..\\h"))
    ]


def test_year_and_hash_of_films(tmp_path: Path) -> None:
    columns = {"film_id": list("abc"), "title": list("abc"), "path": list("abc")}
    path = written(tmp_path, **columns, year=[1936, 19360, None], sha256=["A" * 64, "b" * 63, None])
    assert refusal(path).split("; ") == [
        f"row 3, sha256: '{'b' * 63}' is not 64 digits 0-9a-f",
        "row 3, year: 19360 is not between 1870 and 2100",
    ]
    table = read_films(written(tmp_path, **columns, year=[1936.0, 1944.0, None], sha256=["A" * 64, None, None]))
    assert table["year"].to_pylist() == [1936, 1944, None]
    assert table["sha256"].to_pylist() == ["a" * 64, None, None]


def test_everything_wrong_with_films_is_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        film_id=["a", "a", "B c", "d", "e" * 201, "f" * 200],
        title=["A", "A", "B", "D", "E", "F"],
        path=["1", "2", "3", "4", "5", "6"],
        split=[None, "training", "val", None, None, None],
        color_matrix=[None, None, None, "bt707", None, None],
    )
    assert refusal(path).split("; ") == [
        "row 3, film_id: 'a' stands in a row above, too",
        "row 3, split: 'training' is none of train, val, test",
        "row 4, film_id: 'B c' is not of [a-z0-9_-], 200 at most",
        f"row 5, color_matrix: 'bt707' is none of {', '.join(MATRICES)}",
        f"row 6, film_id: '{'e' * 201}' is not of [a-z0-9_-], 200 at most",
    ]


def test_no_more_than_fifty_problems(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, film_id=["A"] * 60, title=["A"] * 60, path=["1"] * 60)).split("; ")
    assert (len(told), told[-1]) == (51, "and 69 more")


def test_titles_that_are_spellings_of_one_are_refused(tmp_path: Path) -> None:
    titles = ["Harbour", "harbour", "Cafe\u0301", "Caf\u00e9", "Other"]
    path = written(tmp_path, film_id=list("abcde"), title=titles, path=list("abcde"))
    assert refusal(path).split("; ") == [
        "row 3, title: 'harbour' is another spelling of 'Harbour' in row 2",
        f"row 5, title: 'Caf\u00e9' is another spelling of {titles[2]!r} in row 4",
    ]

"""CSV as spreadsheets write it: separators, encodings, what they leave empty and add."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mhmd.errors import ManifestError
from mhmd.manifest.read import check_films, read_films
from tests.manifest.given import refusal


def test_csv_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [("007", "NA", "1.mp4", None), ("na", 'Zwölf, "Uhr"\nMittags', "2.mp4", "val")],
        columns=["film_id", "title", "path", "split"],
    )
    frame.to_csv(tmp_path / "films.csv", index=False, encoding="utf-8-sig")
    frame.to_parquet(tmp_path / "films.parquet")
    assert read_films(tmp_path / "films.csv").equals(read_films(tmp_path / "films.parquet"))


def test_long_csv_with_line_breaks_in_its_cells(tmp_path: Path) -> None:
    title = "A\n" * 40 + "Z"
    frame = pd.DataFrame({"film_id": [str(n) for n in range(30_000)], "title": title, "path": "1.mp4"})
    frame.to_csv(tmp_path / "films.csv", index=False)
    assert set(read_films(tmp_path / "films.csv")["title"].to_pylist()) == {title}


TEXT = 'film_id;title;path;note\nzwölf;"Zwölf; Uhr";films/12.mp4;\n\ncafé_not;"a ""b""";2.mp4;x\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_csv_as_spreadsheets_write_it(tmp_path: Path, encoding: str, separator: str, ending: str) -> None:
    text = TEXT.replace(";", separator).replace("zwölf", "a").replace("café_not", "b").replace("\n", ending)
    (tmp_path / "films.csv").write_bytes(text.encode(encoding))
    table = read_films(tmp_path / "films.csv")
    assert table.select(["film_id", "title", "note"]).to_pylist() == [
        {"film_id": "a", "title": f"Zwölf{separator} Uhr", "note": None},
        {"film_id": "b", "title": 'a "b"', "note": "x"},
    ]
    (tmp_path / "films.csv").write_bytes(text.replace("b" + separator, "B" + separator).encode(encoding))
    assert refusal(tmp_path / "films.csv") == "row 4, film_id: 'B' is not of [a-z0-9_-], 200 at most"


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nfilm_id;title;path\na;A;1.mp4\n",
        "film_id,title,path,,\na,A,1.mp4,,\n",
        "film_id,title,path,year\na,A,1.mp4\n",
        "film_id,title,path\n , ,\na,A,1.mp4\n",
        "film_id,title,path\ra,A,1.mp4\r",
        "film_id,title,path\na,A,1.mp4,,\n",
    ],
)
def test_what_spreadsheets_leave_empty_and_add(tmp_path: Path, text: str) -> None:
    (tmp_path / "films.csv").write_bytes(text.encode())
    assert read_films(tmp_path / "films.csv")["title"].to_pylist() == ["A"]


def test_the_index_that_pandas_writes_is_no_column(tmp_path: Path) -> None:
    rows = {"film_id": ["a", "b"], "title": ["A", "B"], "path": ["a.mp4", "b.mp4"]}
    pd.DataFrame(rows).to_csv(tmp_path / "films.csv")
    assert read_films(tmp_path / "films.csv")["film_id"].to_pylist() == ["a", "b"]


def test_an_encoding_that_was_guessed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    for text, encoding, told in (("Zwölf", "cp1252", "Windows-1252"), ("Zwölf", "utf-8", ""), ("A", "cp1252", "")):
        path.write_text(f"film_id,title,path\na,{text},1\n", encoding)
        assert told in check_films(path).note
        assert bool(check_films(path).note) == bool(told)
    for text, told in (
        ("film_id;title;path\na;A;1\n", "read with semicolons between cells"),
        ("film_id\ttitle\tpath\na\tA\t1\n", "read with tabs"),
        ("sep=;\nfilm_id;title;path\na;A;1\n", ""),
    ):
        path.write_text(text)
        assert told in check_films(path).note
        assert bool(check_films(path).note) == bool(told)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("films.parquet", b"film_id,title,path\n", "Parquet magic bytes not found"),
        ("films.csv", b"film_id,title,path\na,A\n", "row 2, path: is empty"),
        ("films.csv", b"film_id,title,path\na,A,1,x\n", "the header has 3 cells, but row 2 has 4 cells"),
        ("films.csv", b"film_id,title,,path\na,A,x,1\n", "column 3 has values, but no name"),
        ("films.csv", b"film_id,title,path,row_in_file\na,A,1,2\n", "column row_in_file"),
        ("films.csv", "film_id,title,path\na,Мир,1\n".encode("cp1251"), "line 2 is neither UTF-8"),
        ("films.csv", b"", "it is empty"),
        ("films.csv", "film_id,title,path\na,A,1\n".encode("utf-32"), "it has zero bytes where text belongs"),
        ("films.csv", b"film_id,title,path\na,A\0B,1\n", "it has zero bytes where text belongs"),
        ("films.csv", b"film_id,title,path,path\na,A,1,2\n", "column path: stands twice"),
        ("films.xlsx", b"", "ends in '.xlsx'"),
        ("films.parquet", None, "no file"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError, match=reason) as caught:
        read_films(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_letters_of_which_a_byte_is_zero(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "films.csv").write_bytes("film_id,title,path\na,A一一Ā,1\n".encode(encoding))
    assert read_films(tmp_path / "films.csv")["title"].to_pylist() == ["A一一Ā"]


def test_endings_of_any_case(tmp_path: Path) -> None:
    (tmp_path / "FILMS.CSV").write_text("film_id,title,path\na,A,1\n")
    assert read_films(tmp_path / "FILMS.CSV")["title"].to_pylist() == ["A"]

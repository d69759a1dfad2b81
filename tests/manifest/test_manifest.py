"""Manifests: what is accepted, and that everything wrong is told at once by row and column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from mhmd.entries import MANIFESTS, FilmEntry, LabelEntry
from mhmd.errors import ManifestError, UsageError
from mhmd.manifest.convert import convert
from mhmd.manifest.delimited import guessed_encoding
from mhmd.manifest.read import read_films, read_labels, read_splits, read_taxonomy, write_splits
from mhmd.manifest.tabular import ROW, load
from mhmd.records import columns_of
from mhmd.resources import resource
from mhmd.splits.deal import deal, forced_splits
from mhmd.storage import schema_of
from mhmd.taxonomy import ATTRIBUTES

TAXONOMY = read_taxonomy(resource("manifests/labels.parquet"))


def written(folder: Path, **columns: object) -> Path:
    path = folder / "given.parquet"
    pd.DataFrame(columns).to_parquet(path, index=False)
    return path


def refusal(path: Path, read: object = read_films) -> str:
    with pytest.raises(ManifestError) as caught:
        read(path, TAXONOMY) if read is read_labels else read(path)  # type: ignore[operator]
    assert str(path) in caught.value.found
    assert "\n" not in str(caught.value)
    return caught.value.found.removeprefix(f"{path}: ")


def test_films_get_absolute_paths_and_all_columns(tmp_path: Path) -> None:
    paths = ["films/a.mp4", "/archive/b.mkv", "s3://bucket/c.mp4"]
    table = read_films(written(tmp_path, film_id=["a", "b", "c-1"], title=["A", "B", "B"], path=paths, cut=[1, 2, 3]))
    assert table["path"].to_pylist() == [str(tmp_path / "films/a.mp4"), *paths[1:]]
    assert table.column_names == [*(column.name for column in columns_of(FilmEntry)), "cut"]
    assert table.schema.field("split").type == pa.string()
    assert table["split"].null_count == 3


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
    assert refusal(tmp_path / "films.csv") == "row 4, film_id: 'B' is not of [a-z0-9_-]"


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


def test_paths_stay_in_the_folder_of_their_manifest(tmp_path: Path) -> None:
    paths = ["../a.mp4", "x/../../b.mp4", "x/../c.mp4", "/archive/../d.mp4", "..", "..e.mp4"]
    path = written(tmp_path, film_id=list("abcdef"), title=list("abcdef"), path=paths)
    assert refusal(path).split("; ") == [
        f"row {row}, path: {given!r} leads out of the manifest's folder"
        for row, given in ((2, "../a.mp4"), (3, "x/../../b.mp4"), (6, ".."))
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


def test_a_row_that_stands_twice_is_told_and_one_that_says_nothing_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,shot,garment,note\na,1,formal,x\na,2,,\na,1,Formal,x\na,1,formal,\n")
    assert refusal(path, read_labels) == "row 4, film_id: 'a' and all else stands in a row above, too"
    path.write_text("film_id,shot,garment\na,1,formal\na,2,\na,3,formal\n")
    table = read_labels(path, TAXONOMY)
    assert table.select(["shot", ROW]).to_pylist() == [{"shot": 1, ROW: 2}, {"shot": 3, ROW: 4}]


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


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_manifest_is_converted(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    source, target = tmp_path / "in" / "films.csv", tmp_path / f"films{suffix}"
    source.write_text("film_id;title;path;mine\na;Zwölf;films/a.mp4;1\nb;B;/archive/b.mp4;\n", "cp1252")
    assert convert(source, target) == ("films manifest", 2)
    before, after = read_films(source), read_films(target)
    assert before.equals(after)
    assert load(target, ())[0]["path"].to_pylist() == ["in/films/a.mp4", "/archive/b.mp4"]
    source.write_text("film_id,start_s,end_s,garment\na,0:01,0:02.5,Formal\nb,1,2,\n")
    with pytest.raises(UsageError, match="is there already and is a films manifest"):
        convert(source, target)
    target.unlink()
    assert convert(source, target) == ("labels manifest", 2)
    assert convert(source, target) == ("labels manifest", 2)
    assert read_labels(target, TAXONOMY).equals(read_labels(source, TAXONOMY))
    assert load(target, ())[0]["film_id"].to_pylist() == ["a", "b"]  # whoever filled in half of a template goes on
    for same in (source, source.parent / ".." / "in" / "films.csv"):
        with pytest.raises(UsageError, match="itself"):
            convert(source, same)
    target.unlink()
    source.write_text("title,split\nA,train\n")
    assert convert(source, target) == ("splits manifest", 1)
    done = target.read_bytes()
    for wrong, why in (("title,split\nA,dev\n", "'dev' is none of"), ("name\nA\n", "is no manifest: it has name")):
        source.write_text(wrong)
        with pytest.raises(ManifestError, match=why):
            convert(source, target)
    assert target.read_bytes() == done


def test_missing_columns_are_named(tmp_path: Path) -> None:
    assert (
        refusal(written(tmp_path, film=["a"], title=["A"])) == "no column film_id, no column path; it has film, title"
    )


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


def test_everything_wrong_with_films_is_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        film_id=["a", "a", "B c", "d"],
        title=["A", "A", "B", "D"],
        path=["1", "2", "3", "4"],
        split=[None, "training", "val", None],
        color_matrix=[None, None, None, "bt707"],
    )
    assert refusal(path).split("; ") == [
        "row 3, film_id: 'a' stands in a row above, too",
        "row 3, split: 'training' is none of train, val, test",
        "row 4, film_id: 'B c' is not of [a-z0-9_-]",
        "row 5, color_matrix: 'bt707' is none of bt601, bt709, bt2020",
    ]


def test_empty_and_padded_cells(tmp_path: Path) -> None:
    path = written(tmp_path, film_id=["a", None, "c"], title=["A ", "B", ""], path=["1", "2", "3"])
    assert refusal(path).split("; ") == [
        "row 2, title: 'A ' has blanks around it",
        "row 3, film_id: is empty",
        "row 4, title: is empty",
    ]


def test_no_more_than_fifty_problems(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, film_id=["A"] * 60, title=["A"] * 60, path=["1"] * 60)).split("; ")
    assert (len(told), told[-1]) == (51, "and more")


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
        ("films.csv", b"film_id,title,path,path\na,A,1,2\n", "column path twice"),
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


def test_a_labels_manifest_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,era\n")
    wanted = [field.with_nullable(True) for field in schema_of(LabelEntry)]
    assert read_labels(path, TAXONOMY).schema.equals(pa.schema([*wanted, pa.field(ROW, pa.int64())]))


@pytest.mark.parametrize("name", ["splits.parquet", "splits.csv"])
def test_splits_come_back_as_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new" / name
    write_splits(path, {"Zwölf, Uhr": "train", "Anna": "val"})
    first = path.read_bytes()
    assert read_splits(path).to_pylist() == [
        {"title": "Anna", "split": "val"},
        {"title": "Zwölf, Uhr", "split": "train"},
    ]
    write_splits(path, {"Anna": "val", "Zwölf, Uhr": "train"})
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_wrong_splits_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, title=["A", "A"], split=["dev", "val"])
    assert refusal(path, read_splits) == (
        "row 2, split: 'dev' is none of train, val, test; row 3, title: 'A' stands in a row above, too"
    )
    with pytest.raises(ManifestError, match=r"ends in '\.txt'"):
        write_splits(tmp_path / "splits.txt", {})


def test_wrong_taxonomies_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, label_id=[0, 2], era=["e", "e"], nationality=["n", "n"], garment=["g", "g"], images=[1, 1])
    assert refusal(path, read_taxonomy) == (
        "row 3, garment: 'g' stands with the same era and nationality in a row above; "
        "row 3, label_id: is 2, but labels are numbered 0, 1, 2 … in their order"
    )
    path = written(tmp_path, label_id=[0.5], era=["e"], nationality=["n"], garment=["g"], images=[1])
    assert refusal(path, read_taxonomy) == "row 2, label_id: 0.5 is not a whole number"


def test_the_readme_names_every_column() -> None:
    text = resource("manifests/README.md").read_text()
    for record in MANIFESTS:
        section = text.split(f"## {record.TABLE[0].upper()}{record.TABLE[1:]}")[1].split("\n## ")[0]
        for column in columns_of(record):
            wanted = f"| `{column.name}` | {column.arrow} | {'may be empty' if column.null else 'yes'} |"
            assert wanted in section, (record.TABLE, wanted)


def test_the_examples_are_valid_and_fit_each_other() -> None:
    films = read_films(resource("manifests/films.example.parquet"))
    labels = read_labels(resource("manifests/labels.example.parquet"), TAXONOMY)
    splits = read_splits(resource("manifests/splits.example.parquet"))
    assert set(labels["film_id"].to_pylist()) <= set(films["film_id"].to_pylist())
    titles = sorted(set(films["title"].to_pylist()))
    existing = dict(zip(splits["title"].to_pylist(), splits["split"].to_pylist(), strict=True))
    assert sorted(deal_of(films, existing)) == titles == sorted(existing)


def deal_of(films: pa.Table, existing: dict[str, str]) -> dict[str, str]:
    from mhmd.splits.deal import SplitConfig

    return deal(films["title"].to_pylist(), forced=forced_splits(films), existing=existing, config=SplitConfig())


def test_columns_may_be_spelt_in_other_ways_and_what_is_nearly_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("Film ID,TITLE, path ,Exclude,Split,mine\na,A,a.mp4,taken down,val,x\n")
    row = read_films(path).to_pylist()[0]
    assert (row["exclude"], row["split"], row["mine"]) == ("taken down", "val", "x")
    path.write_text("film_id, Start_s,End-S,garment\na,1,2,formal\n")
    assert read_labels(path, TAXONOMY).select(["start_s", "end_s"]).to_pylist() == [{"start_s": 1.0, "end_s": 2.0}]
    path.write_text("film_id,title,path,excluded,group_\na,A,a.mp4,x,g\n")
    assert refusal(path).startswith("column excluded, which is nearly exclude; it has")
    path.write_text("film_id,title,path,Path\na,A,a.mp4,b.mp4\n")
    assert refusal(path).startswith("column path twice")


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


def test_titles_that_are_spellings_of_one_are_refused(tmp_path: Path) -> None:
    titles = ["Harbour", "harbour", "Cafe\u0301", "Caf\u00e9", "Other"]
    path = written(tmp_path, film_id=list("abcde"), title=titles, path=list("abcde"))
    assert refusal(path).split("; ") == [
        "row 3, title: 'harbour' is another spelling of 'Harbour' in row 2",
        f"row 5, title: 'Caf\u00e9' is another spelling of {titles[2]!r} in row 4",
    ]


def test_a_taxonomy_has_labels_whose_names_are_told_apart(tmp_path: Path) -> None:
    garments = ["co-op", "coop"]
    path = written(tmp_path, label_id=[0, 1], era=["e", "e"], nationality=["n", "n"], garment=garments, images=[1, 1])
    assert refusal(path, read_taxonomy) == "row 3, garment: 'coop' is another spelling of 'co-op' in row 2"
    (tmp_path / "none.csv").write_text("label_id,era,nationality,garment,images\n")
    assert refusal(tmp_path / "none.csv", read_taxonomy) == f"{tmp_path / 'none.csv'} has no rows"


def test_wrong_types_hide_no_wrong_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("film_id,start_s,end_s,garment\na,one,2,formal\na,1,2,armour\na,3,x,toga\n")
    assert refusal(path, read_labels).split("; row ") == [
        "row 2, start_s: 'one' is not seconds or h:mm:ss.fff",
        "3, garment: 'armour' is not in the taxonomy",
        "4, end_s: 'x' is not seconds or h:mm:ss.fff",
        "4, garment: 'toga' is not in the taxonomy",
    ]


def test_numbers_that_no_column_holds(tmp_path: Path) -> None:
    path = written(tmp_path, film_id=["a"], shot=[2**60], garment=["formal"])
    assert refusal(path, read_labels) == f"row 2, shot: {2**60} is not a whole number"


def test_splits_keep_columns_of_any_type(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    pd.DataFrame({"title": ["A"], "split": ["val"], "tags": [["x", "y"]]}).to_parquet(path)
    write_splits(path, {"A": "val", "B": "train"}, read_splits(path))
    assert read_splits(path)["tags"].to_pylist() == [["x", "y"], None]


def test_an_encoding_that_was_guessed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    for text, encoding, told in (("Zwölf", "cp1252", "Windows-1252"), ("Zwölf", "utf-8", ""), ("A", "cp1252", "")):
        path.write_text(f"film_id,title,path\na,{text},1\n", encoding)
        assert guessed_encoding(path) == told


def test_the_index_that_pandas_writes_is_no_column(tmp_path: Path) -> None:
    rows = {"film_id": ["a", "b"], "title": ["A", "B"], "path": ["a.mp4", "b.mp4"]}
    pd.DataFrame(rows).to_csv(tmp_path / "films.csv")
    assert read_films(tmp_path / "films.csv")["film_id"].to_pylist() == ["a", "b"]

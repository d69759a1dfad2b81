"""Splits manifests, taxonomies, and what holds for every manifest: the README, the examples, converting."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from mhmd.entries import MANIFESTS
from mhmd.errors import ManifestError, UsageError
from mhmd.manifest.convert import convert
from mhmd.manifest.labelled import read_labels
from mhmd.manifest.read import read_films, read_splits, read_taxonomy, write_splits
from mhmd.manifest.tabular import load
from mhmd.records import columns_of
from mhmd.resources import resource
from mhmd.splits.deal import SplitConfig, deal, forced_splits
from tests.manifest.given import TAXONOMY, refusal, written


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


def test_splits_keep_columns_of_any_type(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    pd.DataFrame({"title": ["A"], "split": ["val"], "tags": [["x", "y"]]}).to_parquet(path)
    write_splits(path, {"A": "val", "B": "train"}, read_splits(path))
    assert read_splits(path)["tags"].to_pylist() == [["x", "y"], None]


def test_wrong_taxonomies_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, label_id=[0, 2], era=["e", "e"], nationality=["n", "n"], garment=["g", "g"], images=[1, 1])
    assert refusal(path, read_taxonomy) == (
        "row 3, garment: 'g' stands with the same era and nationality in a row above; "
        "row 3, label_id: is 2, but labels are numbered 0, 1, 2 … in their order"
    )
    path = written(tmp_path, label_id=[0.5], era=["e"], nationality=["n"], garment=["g"], images=[1])
    assert refusal(path, read_taxonomy) == "row 2, label_id: 0.5 is not a whole number"


def test_a_taxonomy_has_labels_whose_names_are_told_apart(tmp_path: Path) -> None:
    garments = ["co-op", "coop"]
    path = written(tmp_path, label_id=[0, 1], era=["e", "e"], nationality=["n", "n"], garment=garments, images=[1, 1])
    assert refusal(path, read_taxonomy) == "row 3, garment: 'coop' is another spelling of 'co-op' in row 2"
    (tmp_path / "none.csv").write_text("label_id,era,nationality,garment,images\n")
    assert refusal(tmp_path / "none.csv", read_taxonomy) == f"{tmp_path / 'none.csv'} has no rows"


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_manifest_is_converted(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    source, target = tmp_path / "in" / "films.csv", tmp_path / f"films{suffix}"
    source.write_text("film_id;title;path;mine\na;Zwölf;films/a.mp4;1\nb;B;/archive/b.mp4;\n", "cp1252")
    assert convert(source, target) == (
        "films manifest",
        2,
        f"{source}: read with semicolons between cells; not UTF-8, taken for Windows-1252: "
        "look whether its letters are right",
    )
    before, after = read_films(source), read_films(target)
    assert before.equals(after)
    assert load(target, ()).table["path"].to_pylist() == ["in/films/a.mp4", "/archive/b.mp4"]
    source.write_text("film_id,start_s,end_s,garment\na,0:01,0:02.5,Formal\nb,1,2,\n")
    with pytest.raises(UsageError, match="is there already and is a films manifest"):
        convert(source, target)
    target.unlink()
    assert convert(source, target) == ("labels manifest", 2, "")
    assert convert(source, target) == ("labels manifest", 2, "")
    assert read_labels(target, TAXONOMY).equals(read_labels(source, TAXONOMY))
    assert load(target, ()).table["film_id"].to_pylist() == ["a", "b"]  # whoever filled in half of a template goes on
    for same in (source, source.parent / ".." / "in" / "films.csv"):
        with pytest.raises(UsageError, match="itself"):
            convert(source, same)
    target.unlink()
    source.write_text("title,split\nA,train\n")
    assert convert(source, target) == ("splits manifest", 1, "")
    done = target.read_bytes()
    for wrong, why in (("title,split\nA,dev\n", "'dev' is none of"), ("name\nA\n", "is no manifest: it has name")):
        source.write_text(wrong)
        with pytest.raises(ManifestError, match=why):
            convert(source, target)
    assert target.read_bytes() == done


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
    return deal(films["title"].to_pylist(), forced=forced_splits(films), existing=existing, config=SplitConfig())

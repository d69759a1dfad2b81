"""What commands say of the manifests that they are given: what was guessed, and a line for each thing that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEADER = "film_id;title;path\n"


def mhmd(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("mhmd")), *words]
    wide = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, env=wide)


@pytest.mark.parametrize(
    "words",
    [
        ("split", "--splits", "splits.csv", "--data", ""),
        ("label", "--labels", "labels.csv"),
        ("check", "--splits", "--dealt", "splits.csv"),
    ],
)
def test_every_command_says_what_it_guessed(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "films.csv").write_text(f"{HEADER}a;Zwölf;a.mp4\n", "cp1252")
    (tmp_path / "labels.csv").write_text("film_id\tgarment\na\tformal\n")
    (tmp_path / "splits.csv").write_text("title,split\nZwölf,train\n")
    said = mhmd(tmp_path, *words, "--films", "films.csv").stdout.splitlines()
    guessed = [line.removeprefix(f"{tmp_path}/") for line in said if "read with" in line]
    films = "films.csv: read with semicolons between cells; not UTF-8, taken for Windows-1252: "
    assert guessed[0] == f"{films}look whether its letters are right"
    assert guessed[1:] == (["labels.csv: read with tabs between cells"] if words[0] == "label" else [])


def test_each_thing_that_is_wrong_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text(f"{HEADER}a;A;../a.mp4\na;B;b.mp4\n")
    (tmp_path / "splits.csv").write_text("title,split\nA,dev\n")
    done = mhmd(tmp_path, "split", "--films", "films.csv", "--splits", "splits.csv", "--data", "")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: manifests are wrong; wanted rows as manifests/README.md describes them; mend these rows:",
        f"  {tmp_path}/films.csv: row 2, path: '../a.mp4' leads out of the manifest's folder",
        f"  {tmp_path}/films.csv: row 3, film_id: 'a' stands in a row above, too",
        f"  {tmp_path}/splits.csv: row 2, split: 'dev' is none of train, val, test",
    ]
    assert (tmp_path / "splits.csv").read_text() == "title,split\nA,dev\n"


def test_contradictions_are_told_before_films_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("film_id,start_s,end_s,garment\na,0,2,formal\na,1,3,non-formal\n")
    (tmp_path / "films.csv").write_text("film_id,title,path\na,A,a.mp4\n")
    (tmp_path / "recipe.toml").write_text("")
    for words in (
        ("manifest", "labels.csv", "labels.parquet"),
        ("build", "recipe.toml", "--films", "films.csv", "--labels", "labels.csv"),
    ):
        done = mhmd(tmp_path, *words)
        assert done.returncode == 1
        assert "row 3, garment: 'non-formal' differs from 'formal' in row 2" in done.stderr
    assert not (tmp_path / "labels.parquet").exists()
    assert not (tmp_path / "data").exists()

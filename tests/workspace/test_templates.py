"""Templates of labels, filled in, and the table of labels."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mhmd.errors import MissingInput, UsageError
from mhmd.labels.counts import count, remarks, table
from mhmd.labels.template import write_template
from mhmd.make import make
from mhmd.records import Frame, Label
from mhmd.stages import stage
from mhmd.storage import Storage
from tests.workspace.helpers import kept
from tests.world import FILMS, World


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_template_that_is_filled_labels_its_shots(world: World, suffix: str) -> None:
    target = world.root / f"todo{suffix}"
    written = write_template(world.where, target)
    assert written == [target, *(world.root / "todo-sheets" / f"{film}.jpg" for film in FILMS)]
    with pytest.raises(UsageError, match="is there already"):
        write_template(world.where, target)
    if suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(target.read_text())))
        frame = pd.DataFrame(rows, dtype=str)
    else:
        frame = pd.read_parquet(target)
    assert list(frame["film_id"]) == ["alpha", "alpha", "beta", "beta", "gamma"]
    assert set(frame["title"]) == {"The alpha", "The beta", "The gamma"}
    frame.loc[0, ["era", "nationality", "garment"]] = ["after WW2", "china", "Formal"]
    frame.loc[3, ["era", "nationality", "garment"]] = ["wartime", "USA", "military uniform"]
    if suffix == ".csv":
        frame.to_csv(target, index=False, sep=";", encoding="utf-16")
    else:
        frame.to_parquet(target)
    where = replace(world.where, labels=str(target))
    verb = stage("label")
    make(verb, verb.config(), where, on="serial")
    for film, labels in (("alpha", {0: 29, 1: -1}), ("beta", {0: -1, 1: 15}), ("gamma", {0: -1})):
        shots = world.rows(Frame, film)["shot"].map(labels).tolist()
        assert world.rows(Label, film)["label_id"].tolist() == shots
    taxonomy, counted = count(where, FILMS)
    labelled = {row[0]: row[4:6] for row in table(taxonomy, counted) if row[4]}
    assert labelled.keys() == {15, 29}
    assert labelled[29][0] == (world.rows(Frame, "alpha")["shot"] == 0).sum()
    assert remarks(taxonomy, counted)[-2:] == [
        "films without any label: 1 (gamma)",
        "films labelled in part: 2 (alpha, beta)",
    ]


def test_a_sheet_shows_a_picture_of_every_shot(world: World) -> None:
    """Beside a shot without frames stands a gray place."""
    storage = Storage(world.where.data)
    frames = storage.table("frames/alpha.parquet")
    storage.write_table("frames/alpha.parquet", frames.filter(frames["shot"].to_numpy() == 0))
    write_template(world.where, world.root / "a.csv", only=["alpha"])
    sheet = np.asarray(Image.open(world.root / "a-sheets" / "alpha.jpg")).astype(int)
    first, second = sheet[40:90, 20:160], sheet[40:90, 205:340]
    assert first.std() > 10
    assert np.abs(second - 211).max() < 6
    shots = storage.table("shots/alpha.parquet", ["start_s", "end_s"]).to_pydict()
    rows = list(csv.DictReader(io.StringIO((world.root / "a.csv").read_text())))
    assert [row["frames"] for row in rows] == [str(frames["shot"].to_pylist().count(0)), "0"]
    for row, start, end in zip(rows, shots["start_s"], shots["end_s"], strict=True):
        assert start - 0.001 < float(row["start_s"]) <= start
        assert end <= float(row["end_s"]) < end + 0.001


def test_a_template_of_films_that_are_not_there(world: World) -> None:
    with pytest.raises(MissingInput, match="no shots of delta"):
        write_template(world.where, world.root / "a.csv", only=["delta"])
    with pytest.raises(MissingInput, match="run `mhmd extract` first"):
        write_template(replace(world.where, data=str(world.root / "none"), films=""), world.root / "a.csv")


def test_the_table_of_labels_stands_beside_what_was_published(built: World) -> None:
    taxonomy, counted = count(built.where, FILMS)
    rows = table(taxonomy, counted)
    frames = sum(len(built.rows(Frame, film)) for film in FILMS)
    all_kept = sum(len(kept(built, film)) for film in FILMS)
    assert rows[13] == (13, "During WWII", "China", "formal", frames, all_kept, 100.0, 46211, 3.42)
    assert sum(row[7] for row in rows) == 1_353_166
    assert remarks(taxonomy, counted) == [
        "largest label over smallest: 1 to 1; MHMD has 829 to 1",
        "labels without a frame: 41 of 42",
        f"frames without a label: 0 of {frames}",
    ]

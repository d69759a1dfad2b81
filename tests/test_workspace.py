"""What people do around the stages, on a small world: fill in a template, split, look for leaks, take a film down."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mhmd.build import split
from mhmd.clean import clean, waste
from mhmd.dataset.check import check
from mhmd.errors import ManifestError, MissingInput, StorageError, UsageError
from mhmd.labels.counts import count, remarks, table
from mhmd.labels.template import write_template
from mhmd.make import make
from mhmd.records import Frame, Label, Overlap, Verdict
from mhmd.splits.deal import SplitConfig
from mhmd.splits.leaks import leaks
from mhmd.stages import stage
from mhmd.status import status
from mhmd.storage import Storage
from tests.films import Scene
from tests.world import FILMS, World, made_units

CONFIG = SplitConfig()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three films; the second repeats a shot of the first. The first is in train, the second in val."""
    world = World(tmp_path_factory.mktemp("world"))
    world.film("alpha", [Scene(24, seed=0), Scene(24, seed=1)])
    world.film("beta", [Scene(24, seed=1), Scene(24, seed=4)])
    world.film("gamma", [Scene(24, seed=7)])
    world.name_films(FILMS)
    rows = {"title": [f"The {name}" for name in FILMS], "split": ["train", "val", "test"]}
    pd.DataFrame(rows).to_parquet(world.root / "splits.parquet")
    world.build()
    return world


@pytest.fixture
def world(built: World, tmp_path: Path) -> World:
    """A copy of the built world that a test may change."""
    shutil.copytree(built.root, tmp_path / "world")
    return World(tmp_path / "world")


def films_with(world: World, **columns: list[object]) -> None:
    films = pd.read_parquet(world.root / "films.parquet")
    films.assign(**columns).to_parquet(world.root / "films.parquet")


def kept(world: World, film: str) -> set[str]:
    rows = world.rows(Verdict, film)
    return set(rows.loc[rows["kept"], "frame_id"])


def test_copies_in_val_are_left_out_and_counted(built: World) -> None:
    samples = set(pq.read_table(built.root / "out" / "samples.parquet")["key"].to_pylist())
    repeats = built.rows(Verdict, "alpha")["duplicate_of"].dropna()
    of_beta = set(repeats[repeats.str.startswith("beta")])
    all_kept = set().union(*(kept(built, film) for film in FILMS))
    assert of_beta
    assert samples == all_kept - of_beta
    stats = json.loads((built.root / "out" / "stats.json").read_text())
    assert stats["left_out"]["a copy in another split"] == len(of_beta)
    assert f"{len(of_beta)} with a copy in another split" in (built.root / "out" / "README.md").read_text()


def test_what_is_dealt_soundly_has_no_leaks(built: World) -> None:
    problems, remark = leaks(None, built.where, 6, CONFIG)
    assert problems == []
    assert "shards leave them out" in remark
    assert leaks(built.where.out, built.where, 6, CONFIG)[0] == []
    assert check(built.where.out) == []


def test_a_title_torn_apart_on_purpose_is_found(world: World) -> None:
    out = world.root / "out"
    rows = pq.read_table(out / "samples.parquet").to_pandas()
    torn = rows[rows["title"] == "The alpha"].index[0]
    rows.loc[torn, "split"] = "val"
    rows.to_parquet(out / "samples.parquet")
    problems, _ = leaks(str(out), world.where, 6, CONFIG)
    assert problems[0] == "title 'The alpha': in train and val"


def test_titles_are_those_that_the_manifest_has_now(world: World) -> None:
    """Two films in different splits, which the manifest says are of one title."""
    films_with(world, title=["The alpha", "The alpha", "The gamma"])
    problems, _ = leaks(world.where.out, world.where, 6, CONFIG)
    assert "title 'The alpha': in train and val" in problems


def test_dealing_blind_is_said_and_a_workspace_that_is_not_there_refused(world: World) -> None:
    assert split(world.where, CONFIG).remark == ""
    (world.root / "data" / "overlaps" / "alpha.parquet").unlink()
    assert "1 films share (alpha)" in split(world.where, CONFIG).remark
    assert split(replace(world.where, data=""), CONFIG).remark.startswith("no workspace")
    with pytest.raises(MissingInput, match="no workspace"):
        split(replace(world.where, data=str(world.root / "dat")), CONFIG)


def test_a_title_in_another_spelling_is_not_dealt_anew(world: World) -> None:
    films_with(world, title=["the ALPHA", "The beta", "The gamma"])
    with pytest.raises(ManifestError, match="'the ALPHA' is 'The alpha' in the splits manifest"):
        split(world.where, CONFIG)


def test_near_duplicates_across_splits_are_found_with_the_nearest_pairs(world: World) -> None:
    """The shards of a dataset that somebody made without dedup and without leaving anything out."""
    storage = Storage(world.where.data)
    for film in FILMS:
        rows = storage.table(f"verdicts/{film}.parquet")
        rows = rows.set_column(2, "kept", pa.array([True] * len(rows)))
        rows = rows.set_column(3, "duplicate_of", pa.nulls(len(rows), pa.string()))
        storage.write_table(f"verdicts/{film}.parquet", rows, storage.stamp(f"verdicts/{film}.parquet"))
    verb = stage("shard")
    make(verb, world.recipe().knobs("shard", verb.config), world.where, on="serial")
    problems, _ = leaks(world.where.out, world.where, 12, CONFIG)
    workspace, _ = leaks(None, world.where, 12, CONFIG)
    assert problems[0].endswith("are nearly the same (at most 12 bits of 64)")
    assert workspace[0] == problems[0]
    assert any("(train, The alpha)" in line and "(val, The beta)" in line for line in problems[1:])
    distances = [int(line.rsplit(": ", 1)[1].split()[0]) for line in problems[1:]]
    assert distances == sorted(distances)


def test_a_group_in_two_splits_is_found_and_refused(world: World) -> None:
    films_with(world, group=["saga", "saga", None])
    problems, _ = leaks(None, world.where, 6, CONFIG)
    assert problems == [
        "titles that belong together lie apart: 'The alpha' in train, 'The beta' in val "
        "('The alpha' and 'The beta': both are of the group 'saga')"
    ]
    assert problems[0] in leaks(world.where.out, world.where, 6, CONFIG)[0]
    before = (world.root / "splits.parquet").read_bytes()
    with pytest.raises(ManifestError, match="lie apart: 'The alpha' in train, 'The beta' in val"):
        split(world.where, CONFIG)
    assert (world.root / "splits.parquet").read_bytes() == before


def test_titles_that_share_frames_are_dealt_as_one(world: World) -> None:
    where = replace(world.where, splits=str(world.root / "new.csv"))
    overlaps = world.rows(Overlap, "alpha")
    shared = int(overlaps.loc[overlaps["other_film_id"] == "beta", "frames"].item())
    few = SplitConfig(max_shared=shared - 1)
    dealt = split(where, few)
    assert dealt.split_of["The alpha"] == dealt.split_of["The beta"]
    assert [row[0] for row in dealt.coverage() if row[2]] == [name for name, titles, _ in dealt.coverage() if titles]
    with pytest.raises(ManifestError, match=f"they share {shared} frames"):
        split(world.where, few)
    assert split(world.where, SplitConfig(max_shared=shared)).split_of["The beta"] == "val"
    assert leaks(None, world.where, 6, few)[0][0].startswith("titles that belong together lie apart")


def test_columns_of_ones_own_in_the_splits_manifest_stay(world: World) -> None:
    rows = pd.read_parquet(world.root / "splits.parquet").assign(why=["a", "b", "c"])
    rows.to_parquet(world.root / "splits.parquet")
    world.film("delta", [Scene(24, seed=8)])
    world.name_films((*FILMS, "delta"))
    split(world.where, CONFIG)
    after = pd.read_parquet(world.root / "splits.parquet")
    assert after.set_index("title")["why"].dropna().to_dict() == rows.set_index("title")["why"].to_dict()
    assert len(after) == 4


def test_a_takedown_removes_the_film_from_everything(world: World) -> None:
    before = world.bytes()
    tar = world.rows(Frame, "beta")["ref"][0].split(":")[0]
    assert waste(world.where) == []
    films_with(world, exclude=[None, "court order of 3 May", None])
    recipe = world.recipe()
    verb = stage("shard")
    make(verb, recipe.knobs("shard", verb.config), world.where, on="serial")
    card = (world.root / "out" / "README.md").read_text()
    assert "Films that were excluded: beta (court order of 3 May)." in card
    assert set(pq.read_table(world.root / "out" / "samples.parquet")["film_id"].to_pylist()) == {"alpha", "gamma"}
    states = {row.film_id: row.states for row in status(recipe, world.where)}
    assert states["beta"] == ("excluded",) * 5
    found = waste(world.where)
    of_data = {name: of for name, of in before.items() if name.startswith("data/")}
    assert {name: of for name, of in world.bytes().items() if name.startswith("data/")} == of_data
    clean(world.where.data, found)
    assert not (world.root / "data" / tar).exists()
    assert not [name for name in world.bytes() if name.startswith("data/") and "beta" in name]
    assert waste(world.where) == []
    stay = {name: of for name, of in of_data.items() if name in world.bytes()}
    assert {name: of for name, of in world.bytes().items() if name in stay} == stay
    assert made_units(world.build()).keys() == {"dedup", "shard"}


def test_clean_removes_tars_that_nothing_needs_and_nothing_else(world: World) -> None:
    frames = world.root / "data" / "frames"
    lost = hashlib.sha256(b"lost").hexdigest()
    (frames / f"{lost}.tar").write_bytes(b"lost")
    (frames / "mine.tar").write_bytes(b"mine")
    (world.root / "data" / "notes.txt").write_text("mine")
    before = world.bytes()
    found = waste(world.where)
    assert [(each.name, each.size_bytes, each.why) for each in found] == [
        (f"frames/{lost}.tar", 4, "no table points into it")
    ]
    assert world.bytes() == before
    clean(world.where.data, found)
    assert before.keys() - world.bytes().keys() == {f"data/frames/{lost}.tar"}


def test_clean_refuses_a_workspace_with_a_table_that_it_cannot_read(world: World) -> None:
    path = world.root / "data" / "masks" / "beta.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StorageError):
        waste(world.where)


def test_a_film_is_verified_by_its_hash(world: World) -> None:
    hashes = [hashlib.sha256((world.root / f"{name}.mp4").read_bytes()).hexdigest() for name in FILMS]
    films_with(world, sha256=[hashes[0].upper(), "0" * 64, None])
    made = world.build()
    (failed,) = made["extract"].failed
    assert (failed.unit, failed.error) == ("beta", "FilmMismatch")
    assert f"has the SHA-256 {hashes[1]}; wanted {'0' * 64}" in failed.message
    assert made["extract"].count("fresh") == 2


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

"""What every stage keeps when films, tables, tars or manifests are bad, or a run is cut off."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mhmd.errors import DatasetError, ManifestError, MissingInput
from mhmd.make import make
from mhmd.stage import Where
from mhmd.stages import ORDER, stage
from mhmd.storage import Stamp, Storage
from tests.films import Scene
from tests.world import FILMS, World, made_units


def test_a_bad_film_stops_nobody_is_named_and_taken_up_again(world: World) -> None:
    good = world.bytes()
    (world.root / "delta.mp4").write_text("no film")
    world.name_films((*FILMS, "delta"))
    for attempt in (1, 2):
        made = world.build()
        assert [outcome.unit for outcome in made["extract"].failed] == ["delta"]
        assert "delta" in made["extract"].failed[0].message
        error = Storage(world.where.data).table("errors/extract/delta.parquet").to_pylist()[0]
        assert (error["class"], error["attempt"]) == ("FilmUnreadable", attempt)
        assert "delta" in (world.root / "out" / "README.md").read_text()
    assert {name: of for name, of in world.bytes().items() if name in good and name.startswith("data/")} == {
        name: of for name, of in good.items() if name.startswith("data/")
    }
    world.film("delta", [Scene(24, seed=8)])
    made = world.build()
    assert not made["extract"].failed
    assert made_units(made)["extract"] == {"delta"}
    assert not Storage(world.where.data).exists("errors/extract/delta.parquet")


def test_missing_input_names_the_command(world: World) -> None:
    recipe = world.recipe()

    def told(name: str, where: Where = world.where) -> str:
        verb = stage(name)
        with pytest.raises(MissingInput) as error:
            make(verb, recipe.knobs(name, verb.config), where, on="serial")
        return str(error.value)

    for name in ORDER[1:]:
        assert "run `mhmd extract` first" in told(name, replace(world.where, data=str(world.root / "nothing")))
    for folder, verb in (("masks", "parse"), ("labels", "label"), ("verdicts", "dedup"), ("screenings", "screen")):
        (world.root / "data" / folder / "beta.parquet").unlink()
        assert f"run `mhmd {verb}` first" in told("shard")


def test_a_lost_or_cut_tar_is_made_again(world: World) -> None:
    before = world.bytes()
    storage = Storage(world.where.data)
    masks = Path(storage.path(storage.table("masks/beta.parquet")["ref"][0].as_py().rsplit(":", 2)[0]))
    masks.unlink()
    assert made_units(world.build()) == {"parse": {"beta"}}
    assert world.bytes() == before
    masks.write_bytes(masks.read_bytes()[:-600])
    assert made_units(world.build()) == {"parse": {"beta"}}
    (world.root / "out" / "train-000000.tar").unlink()
    assert made_units(world.build()) == {"shard": {"corpus"}}
    assert world.bytes() == before


def test_a_table_that_is_damaged_is_made_again_and_stops_no_other_film(world: World) -> None:
    before = world.bytes()
    path = world.root / "data" / "screenings" / "beta.parquet"
    path.write_bytes(path.read_bytes()[:100])
    assert made_units(world.build()) == {"screen": {"beta"}}
    frames = world.root / "data" / "frames" / "beta.parquet"
    whole = frames.read_bytes()
    frames.write_bytes(whole[:100])
    (world.root / "data" / "screenings" / "alpha.parquet").unlink()
    screen = stage("screen")
    made = make(screen, world.recipe().knobs("screen", screen.config), world.where, on="serial")
    assert {o.unit: o.status for o in made.outcomes} == {"alpha": "made", "beta": "failed", "gamma": "fresh"}
    frames.write_bytes(whole)
    assert made_units(world.build()) == {}
    assert world.bytes() == before


def test_a_stage_alone_refuses_what_is_made_of_something_older(world: World) -> None:
    recipe = world.recipe("interval_s = 0.25", "interval_s = 0.3")
    extract, shard = stage("extract"), stage("shard")
    make(extract, recipe.knobs("extract", extract.config), world.where, on="serial")
    with pytest.raises(MissingInput, match=r"made of other frames than there are now.*run `mhmd screen` first"):
        make(shard, recipe.knobs("shard", shard.config), world.where, on="serial")


def test_a_file_of_ones_own_in_out_is_kept(world: World) -> None:
    (world.root / "out" / "run").mkdir()
    (world.root / "out" / "run" / "model.txt").write_text("precious")
    with pytest.raises(DatasetError, match="has run in it"):
        world.build("shard_mb = 1", "shard_mb = 2")
    assert (world.root / "out" / "run" / "model.txt").read_text() == "precious"


def test_a_film_that_fails_now_is_left_out_of_the_corpus(world: World) -> None:
    (world.root / "beta.mp4").write_text("no film any more")
    world.build()
    dedup = stage("dedup")
    made = make(dedup, world.recipe().knobs("dedup", dedup.config), world.where, on="serial")
    assert made.films == ("alpha", "gamma")
    assert made.outcomes[0].status == "fresh"
    samples = pq.read_table(world.root / "out" / "samples.parquet")["film_id"].to_pylist()
    assert set(samples) <= {"alpha", "gamma"}


def test_manifests_are_checked_before_anything_is_made(world: World) -> None:
    shutil.rmtree(world.root / "data")
    labels = pd.read_parquet(world.root / "labels.parquet")
    labels.assign(garment="toga").to_parquet(world.root / "labels.parquet")
    with pytest.raises(ManifestError, match="toga"):
        world.build()
    assert not (world.root / "data").exists()
    labels.assign(film_id=["alpha", "beta", "gama"]).to_parquet(world.root / "labels.parquet")
    with pytest.raises(ManifestError, match=r"row 4, film_id: 'gama' is no film of"):
        world.build()
    assert not (world.root / "data").exists()


def test_half_of_a_run_that_was_cut_off_is_not_read(world: World) -> None:
    storage = Storage(world.where.data)
    shots = storage.table("shots/beta.parquet")
    storage.write_table("shots/beta.parquet", shots, Stamp("of a run that never finished"))
    verb = stage("screen")
    with pytest.raises(MissingInput, match=r"frames/beta\.parquet is half of a run that was cut off"):
        make(verb, verb.config(), world.where, on="serial")
    verdicts = storage.table("verdicts/beta.parquet")
    overlaps = storage.table("overlaps/beta.parquet")
    for name, table in (("overlaps", overlaps), ("verdicts", verdicts)):
        storage.write_table(f"{name}/beta.parquet", table, Stamp("another digest"))
    storage.write_table("shots/beta.parquet", shots, Stamp(storage.stamp("frames/beta.parquet").digest))
    verb = stage("shard")
    with pytest.raises(MissingInput, match=r"different runs.*run `mhmd dedup`"):
        make(verb, world.recipe().knobs("shard", verb.config), world.where, on="serial")


def test_a_kill_at_any_point_leaves_nothing_half_written(built: World, world: World) -> None:
    shutil.rmtree(world.root / "data")
    shutil.rmtree(world.root / "out")
    world.recipe()
    kills = 0
    for delay_s in (1.2, 1.9, 2.6, 3.3, 300):
        process = subprocess.Popen(world.command(), stdout=subprocess.DEVNULL, start_new_session=True)
        started = time.monotonic()
        while process.poll() is None and time.monotonic() - started < delay_s:
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        for path in (world.root / "data").rglob("[!.]*.parquet"):
            pq.read_table(path)
        for path in (world.root / "data").rglob("[!.]*.tar"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
        assert not (world.root / "out").exists() or (world.root / "out" / "SHA256SUMS").exists()
    assert kills >= 3
    assert world.bytes() == built.bytes()

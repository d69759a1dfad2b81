"""What every stage keeps, shown on the whole way from films to shards."""

from __future__ import annotations

import hashlib
import json
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

from mhmd.build import How
from mhmd.errors import DatasetError, ManifestError, MissingInput
from mhmd.make import make
from mhmd.records import Frame, Label, Mask, Screening, Verdict
from mhmd.stage import Where
from mhmd.stages import ORDER, stage
from mhmd.status import status
from mhmd.storage import Stamp, Storage
from tests.films import Scene
from tests.world import FILMS, World, made_units


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three films: the second repeats a shot of the first, the third has a gray and a blurred one."""
    world = World(tmp_path_factory.mktemp("world"))
    world.film("alpha", [Scene(24, seed=0), Scene(24, seed=1), Scene(24, seed=2)])
    world.film("beta", [Scene(24, seed=1), Scene(24, seed=4)])
    world.film("gamma", [Scene(24, "gray", 5), Scene(24, "blurred", 6), Scene(24, seed=7)])
    world.name_films(FILMS)
    made = world.build()
    assert {name: {o.status for o in of.outcomes} for name, of in made.items()} == {name: {"made"} for name in ORDER}
    return world


@pytest.fixture
def world(built: World, tmp_path: Path) -> World:
    """A copy of the built world that a test may change."""
    shutil.copytree(built.root, tmp_path / "world")
    return World(tmp_path / "world")


def test_every_table_names_each_frame_once(built: World) -> None:
    frames = pd.concat([built.rows(Frame, film) for film in FILMS])
    assert len(frames) >= 3 * 4
    assert frames["frame_id"].is_unique
    for record in (Screening, Label, Mask):
        of = pd.concat([built.rows(record, film) for film in FILMS])
        assert of["frame_id"].tolist() == frames["frame_id"].tolist()
    screenings = pd.concat([built.rows(Screening, film) for film in FILMS]).set_index("frame_id")["rejected_by"]
    verdicts = pd.concat([built.rows(Verdict, film) for film in FILMS])
    assert set(verdicts["frame_id"]) == set(screenings.index[screenings.isna()])
    assert {"gray", "blurred"} <= set(screenings.dropna())
    assert verdicts["kept"].any()
    assert not verdicts["kept"].all()
    samples = pq.read_table(built.root / "out" / "samples.parquet").to_pandas()
    kept = set(verdicts.loc[verdicts["kept"], "frame_id"])
    left_out = json.loads((built.root / "out" / "stats.json").read_text())["left_out"]
    assert set(samples["key"]) <= kept
    assert len(kept) - len(samples) == sum(left_out.values())


def test_a_second_run_makes_nothing(world: World) -> None:
    world.build()  # the copy's films are other files of the same content: they are hashed, nothing else
    before, times = world.bytes(), {path: path.stat().st_mtime_ns for path in world.root.rglob("*.parquet")}
    assert made_units(world.build()) == {}
    assert world.bytes() == before
    assert {path: path.stat().st_mtime_ns for path in world.root.rglob("*.parquet")} == times


@pytest.mark.parametrize(
    ("old", "new", "made"),
    [
        ("interval_s = 0.25", "interval_s = 0.3", {"extract", "screen", "dedup", "label", "parse", "shard"}),
        ("min_sharpness = 50.0", "min_sharpness = 0.0", {"screen", "dedup", "shard"}),
        ("min_sharpness = 50.0", "min_sharpness = 50.5", {"screen"}),  # rejects the same: nothing below changes
        ("radius = 6", "radius = 0", {"dedup", "shard"}),
        ("shard_mb = 1", "shard_mb = 2", {"shard"}),
        ("seed = 0", "seed = 1", set()),  # titles that are dealt do not move
    ],
)
def test_a_changed_knob_makes_this_stage_and_those_below(world: World, old: str, new: str, made: set[str]) -> None:
    assert set(made_units(world.build(old, new))) == made
    assert made_units(world.build(old, new)) == {}


def test_a_changed_label_makes_its_film_and_the_shards(world: World) -> None:
    labels = pd.read_parquet(world.root / "labels.parquet")
    labels.loc[labels["film_id"] == "beta", "garment"] = "non-formal"
    labels.to_parquet(world.root / "labels.parquet")
    assert made_units(world.build()) == {"label": {"beta"}, "shard": {"corpus"}}


def test_a_new_film_touches_itself_and_the_corpus(world: World) -> None:
    before = world.bytes()
    world.film("delta", [Scene(24, seed=8), Scene(24, seed=9)])
    world.name_films((*FILMS, "delta"))
    made = made_units(world.build())
    each = {verb: {"delta"} for verb in ("extract", "screen", "label", "parse")}
    assert made == {**each, "dedup": {"corpus"}, "shard": {"corpus"}}
    after = world.bytes()
    of_corpus = ("data/verdicts/", "data/overlaps/")
    stay = [name for name in before if name.startswith("data/") and not name.startswith(of_corpus)]
    assert {name: before[name] for name in stay} == {name: after[name] for name in stay}


def test_a_film_that_is_replaced_is_made_again(world: World) -> None:
    stat = (world.root / "beta.mp4").stat()
    world.film("beta", [Scene(24, seed=10), Scene(24, seed=11)])
    os.utime(world.root / "beta.mp4", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    made = made_units(world.build())
    assert made["extract"] == made["parse"] == {"beta"}


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


def test_status_says_where_each_film_stands(world: World) -> None:
    def states(where: Where = world.where, old: str = "", new: str = "") -> dict[str, tuple[str, ...]]:
        return {row.film_id: row.states for row in status(world.recipe(old, new), where)}

    world.build()
    assert states() == dict.fromkeys(FILMS, ("fresh",) * 5)
    assert states(old="radius = 6", new="radius = 5") == dict.fromkeys(
        FILMS, ("fresh", "fresh", "stale", "fresh", "fresh")
    )
    assert states(Where(world.where.data))["alpha"] == ("made", "fresh", "fresh", "made", "fresh")
    (world.root / "beta.mp4").write_text("no film")
    world.name_films(("beta", "gamma", "delta"))
    world.film("delta", [Scene(24, seed=8)])
    world.build()
    now = states()
    assert now["alpha"] == ("made",) * 5
    assert now["beta"][0] == "failed"
    assert now["gamma"] == now["delta"] == ("fresh",) * 5
    with pytest.raises(MissingInput, match="run `mhmd extract` first"):
        states(Where(str(world.root / "nowhere")))


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


def test_processes_write_the_same_bytes(built: World, world: World) -> None:
    shutil.rmtree(world.root / "data")
    shutil.rmtree(world.root / "out")
    world.build(how=How("processes", workers=2))
    assert world.bytes() == built.bytes()


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_writes_the_same_bytes(built: World, world: World) -> None:
    shutil.rmtree(world.root / "data")
    shutil.rmtree(world.root / "out")
    world.build(how=How("ray", workers=2))
    assert world.bytes() == built.bytes()


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

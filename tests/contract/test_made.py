"""What every stage keeps from films to shards: what is made, what is fresh, and that bytes are equal."""

from __future__ import annotations

import json
import os
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mhmd.build import How
from mhmd.errors import MissingInput
from mhmd.records import Frame, Label, Mask, Screening, Verdict
from mhmd.stage import Where
from mhmd.status import status
from tests.films import Scene
from tests.world import FILMS, World, made_units


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

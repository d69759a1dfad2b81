"""Films are taken down or refused, and tars that nothing needs removed."""

from __future__ import annotations

import hashlib

import pyarrow.parquet as pq
import pytest

from mhmd.clean import clean, waste
from mhmd.errors import StorageError
from mhmd.make import make
from mhmd.records import Frame
from mhmd.stages import stage
from mhmd.status import status
from tests.workspace.helpers import films_with
from tests.world import FILMS, World, made_units


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

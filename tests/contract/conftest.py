"""A small world that is built once, for what every stage keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mhmd.stages import ORDER
from tests.films import Scene
from tests.world import FILMS, World


@pytest.fixture(scope="package")
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

"""A small world that is built once, for what people do around the stages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.films import Scene
from tests.world import FILMS, World


@pytest.fixture(scope="package")
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

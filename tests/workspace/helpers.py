"""What tests of the workspace ask and change."""

from __future__ import annotations

import pandas as pd

from mhmd.records import Verdict
from tests.world import World


def films_with(world: World, **columns: list[object]) -> None:
    films = pd.read_parquet(world.root / "films.parquet")
    films.assign(**columns).to_parquet(world.root / "films.parquet")


def kept(world: World, film: str) -> set[str]:
    rows = world.rows(Verdict, film)
    return set(rows.loc[rows["kept"], "frame_id"])

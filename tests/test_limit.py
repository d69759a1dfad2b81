"""`--limit`: the first films only."""

from pathlib import Path

from mhmd.build import How, build
from mhmd.execute import Outcome
from mhmd.make import Started
from tests.films import Scene
from tests.world import World


def test_no_more_than_so_many_films_are_made(tmp_path: Path) -> None:
    world = World(tmp_path)
    for name in ("alpha", "beta", "gamma"):
        world.film(name, [Scene(24)])
    world.name_films(("gamma", "alpha", "beta"))
    events: list[object] = []
    made = build(world.recipe(), world.where, to="screen", how=How("serial"), limit=2, begin=lambda _: events.append)
    assert [of.films for of in made] == [("alpha", "beta")] * 2
    assert [event.units for event in events if isinstance(event, Started)] == [2, 2]
    assert [event.unit for event in events if isinstance(event, Outcome)] == ["alpha", "beta"] * 2

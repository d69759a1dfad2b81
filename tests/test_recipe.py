"""Recipes hold values only, and every one of them is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from mhmd.errors import RecipeError
from mhmd.recipe import VERBS, knobs_of, load_recipe
from mhmd.resources import resource
from mhmd.stages.dedup import DedupConfig

RECIPES = sorted(resource("pipelines/mhmd.toml").parent.glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_loaded(path: Path) -> None:
    recipe = load_recipe(path)
    assert set(recipe.tables) <= set(VERBS)
    for verb in VERBS:
        knobs = recipe.knobs(verb, knobs_of(verb)).model_dump()
        assert {**knobs, **recipe.tables.get(verb, {})} == knobs


def test_every_knob_has_a_help_text() -> None:
    for verb in VERBS:
        for name, field in knobs_of(verb).model_fields.items():
            assert field.description, f"{verb}.{name}"


def test_an_option_wins_over_the_recipe_and_the_recipe_over_the_default(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[dedup]\nradius = 3\n")
    recipe = load_recipe(path)
    assert load_recipe(None).knobs("dedup", DedupConfig).radius == 8
    assert recipe.knobs("dedup", DedupConfig, {"radius": None}).radius == 3
    assert recipe.knobs("dedup", DedupConfig, {"radius": 0}).radius == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[dedup]\nradios = 3\n",
            r"\[dedup\]: unknown knob 'radios'; wanted one of radius, within; did you mean 'radius'\?",
        ),
        ("[dedupe]\nradius = 3\n", r"unknown table 'dedupe'.*did you mean \[dedup\]\?"),
        ("[dedup]\nradius = 13\n", r"\[dedup\]: radius = 13; wanted input should be less than or equal to 12"),
        ("[dedup]\nradius = 'x'\n", r"radius = 'x'; wanted input should be a valid integer"),
        ("[dedup]\nradius = nan\n", r"radius = nan"),
        ("dedup = 3\n", "unknown table 'dedup'"),
        ("[dedup\n", "wanted valid TOML"),
    ],
)
def test_a_wrong_recipe_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message) as told:
        load_recipe(path)
    assert "\n" not in str(told.value)


def test_a_missing_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe(tmp_path / "none.toml")

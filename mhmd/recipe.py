"""A recipe: a TOML of knobs, one table a verb. It says what is made, never where."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from mhmd.config import Config
from mhmd.errors import RecipeError, UsageError
from mhmd.historynet.config import TrainConfig
from mhmd.splits.deal import SplitConfig
from mhmd.stages import ORDER, stage

C = TypeVar("C", bound=Config)


def knobs_of(verb: str) -> type[Config]:
    """The knobs of a verb that has a table in recipes."""
    others: dict[str, type[Config]] = {"split": SplitConfig, "train": TrainConfig}
    return others.get(verb) or stage(verb).config


VERBS = (*ORDER, "split", "train")
"""The verbs that have a table in a recipe."""


@dataclass(frozen=True)
class Recipe:
    """The values of one recipe, by verb, as they were written; `name` is what to call it in messages."""

    name: str
    tables: dict[str, dict[str, Any]]  # Any: TOML values, checked by `knobs`
    taxonomy: str = ""

    def knobs(self, verb: str, config: type[C], options: dict[str, Any] | None = None) -> C:
        """The knobs of a verb: defaults, then the recipe, then options that are not None.

        Raises RecipeError for the recipe's values, UsageError for options.
        """
        given = {name: value for name, value in (options or {}).items() if value is not None}
        written = self.tables.get(verb, {})
        base = config.checked(written, f"{self.name} [{verb}]")
        if not given:
            return base
        try:  # what was not written down may have another default beside an option
            return config.checked({**written, **given}, f"the options of {verb}")
        except RecipeError as error:
            raise UsageError(error.found, wanted=error.wanted, do=error.do) from None


EMPTY = Recipe("defaults", {})


def load_recipe(path: str | Path | None) -> Recipe:
    """The recipe in a file, every table of it checked; without a path all knobs have their defaults.

    `taxonomy` is a path, relative to the recipe. Raises RecipeError.
    """
    if path is None:
        return EMPTY
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}", wanted="a recipe", do="see pipelines/ for examples") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}", wanted="valid TOML", do="mend the recipe") from None
    taxonomy = values.pop("taxonomy", "")
    if not isinstance(taxonomy, str):
        raise RecipeError(f"{path}: taxonomy = {taxonomy!r}", wanted="a path", do="name a Parquet of labels")
    for verb, table in values.items():
        if verb not in VERBS or not isinstance(table, dict):
            near = get_close_matches(verb, VERBS, n=1)
            raise RecipeError(
                f"{path}: unknown table {verb!r}",
                wanted=f"taxonomy, or a table of {', '.join(VERBS)}",
                do=f"did you mean [{near[0]}]?" if near else "remove it",
            )
    recipe = Recipe(str(path), values, str(path.parent / taxonomy) if taxonomy else "")
    for verb in values:
        recipe.knobs(verb, knobs_of(verb))
    return recipe

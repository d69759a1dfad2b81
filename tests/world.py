"""A small world to build: films, manifests, a recipe, and the workspace and dataset made of them."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mhmd.build import How, build
from mhmd.inputs import table_path
from mhmd.make import Made
from mhmd.recipe import Recipe, load_recipe
from mhmd.records import FilmHash, Record
from mhmd.stage import Where
from mhmd.storage import Storage
from tests.films import Scene, make_film

FILMS = ("alpha", "beta", "gamma")

RECIPE = """
[extract]
interval_s = 0.25
guard_s = 0.05
[screen]
min_sharpness = 50.0
[dedup]
radius = 6
[split]
seed = 0
[shard]
shard_mb = 1
"""


@dataclass(frozen=True)
class World:
    """Films, manifests and a recipe, and a workspace and a dataset made of them."""

    root: Path

    @property
    def where(self) -> Where:
        root = str(self.root)
        return Where(
            f"{root}/data", f"{root}/out", f"{root}/films.parquet", f"{root}/labels.parquet", f"{root}/splits.parquet"
        )

    def film(self, name: str, shots: list[Scene]) -> None:
        make_film(self.root / f"{name}.mp4", shots)

    def name_films(self, names: tuple[str, ...]) -> None:
        """Write the manifests for these films, each a title of its own."""
        rows = {"film_id": names, "title": [f"The {name}" for name in names], "path": [f"{name}.mp4" for name in names]}
        pd.DataFrame(rows).to_parquet(self.root / "films.parquet")
        labels = {"era": "During WWII", "nationality": "China", "garment": "formal"}
        pd.DataFrame([{"film_id": name, **labels} for name in names]).to_parquet(self.root / "labels.parquet")

    def recipe(self, old: str = "", new: str = "") -> Recipe:
        """The recipe, with `new` in the place of `old`."""
        assert old in RECIPE
        (self.root / "recipe.toml").write_text(RECIPE.replace(old, new) if old else RECIPE)
        return load_recipe(self.root / "recipe.toml")

    def build(self, old: str = "", new: str = "", how: How | None = None) -> dict[str, Made]:
        """Build everything, with `new` in the place of `old` in the recipe; what came of each stage."""
        run = build(self.recipe(old, new), self.where, how or How("serial"), begin=lambda _: lambda _: None)
        return {made.stage: made for made in run}

    def command(self) -> list[str]:
        """The same build as a command line; the recipe must have been written."""
        words = [str(Path(sys.executable).with_name("mhmd")), "build", str(self.root / "recipe.toml")]
        for option in ("films", "labels", "splits", "data", "out"):
            words += [f"--{option}", getattr(self.where, option)]
        return words

    def rows(self, record: type[Record], film: str) -> pd.DataFrame:
        """A film's rows of a stored table."""
        return Storage(self.where.data).table(table_path(record, film)).to_pandas()

    def bytes(self) -> dict[str, str]:
        """Hash of every file that was made, but for caches."""
        folders = (self.root / "data", self.root / "out")
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.parent.name != FilmHash.TABLE
        }


def made_units(made: dict[str, Made]) -> dict[str, set[str]]:
    """Units that were made, by stage; stages in which all was fresh are left out."""
    units = {name: {o.unit for o in of.outcomes if o.status == "made"} for name, of in made.items()}
    return {name: of for name, of in units.items() if of}

"""The commands around manifests, splits and workspaces that are no stages; `mhmd.cli` has the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mhmd.build import split as deal_splits
from mhmd.errors import UsageError
from mhmd.options import with_knobs
from mhmd.parameters import Data, Films, Log, RecipeFile, Splits
from mhmd.recipe import load_recipe
from mhmd.report import print_table, reporter
from mhmd.splits import SplitConfig
from mhmd.stage import Where


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("split")(with_knobs(SplitConfig, _split))
    app.command("check")(check_command)


def _split(
    films: Films,
    splits: Splits,
    recipe: RecipeFile = None,
    data: Data = "data",
    options: dict[str, Any] | None = None,  # Any: knobs of any type
) -> None:
    """Make or extend the splits manifest: titles that are there stay, titles that belong together stay together."""
    config = load_recipe(recipe).knobs("split", SplitConfig, options)
    dealt = deal_splits(Where(data, films=films, splits=splits), config)
    print_table(splits, ("title", "split"), list(dealt.split_of.items()))
    print_table(f"with the labels that {data} has", ("split", "titles", "labels"), dealt.coverage())


def check_command(
    out: Annotated[str | None, typer.Argument(help="The dataset; with --splits it may be left out.")] = None,
    splits: Annotated[
        bool, typer.Option("--splits", help="Look for what lies in two splits, and at nothing else.")
    ] = False,
    data: Annotated[str, typer.Option(help="Without OUT: the workspace that --splits looks at.")] = "data",
    films: Films = "",
    dealt: Annotated[
        str, typer.Option("--dealt", help="The splits manifest of the workspace.", show_default="in DATA")
    ] = "",
    radius: Annotated[int, typer.Option(min=0, max=12, help="Hashes so near (bits) are of the same picture.")] = 6,
    recipe: Annotated[str | None, typer.Option(help="The recipe whose [split] counts.")] = None,
    log: Log = "auto",
) -> None:
    """Check that a dataset holds what it says, or that nothing lies in two splits; exit code 1 with what is wrong."""
    from mhmd.check import check, check_splits

    if out is None and not splits:
        raise UsageError("no dataset", wanted="OUT, or --splits", do="name the dataset")
    with reporter(log) as shown:
        if splits:
            where = Where(data, films=films, splits=dealt or str(Path(data) / "splits.parquet"))
            config = load_recipe(recipe).knobs("split", SplitConfig)
            problems, remark = check_splits(out, where, radius, config, shown.bar("check"))
        else:
            problems, remark = check(str(out), shown.bar("check")), ""
        for line in [*problems, *filter(None, [remark])]:
            shown.say(line)
        shown.say(f"{out or data}: {f'{len(problems)} problems' if problems else 'sound'}")
    if problems:
        raise typer.Exit(1)

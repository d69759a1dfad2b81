"""The commands around manifests, splits and workspaces that are no stages; `mhmd.cli` has the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mhmd.build import split as deal_splits
from mhmd.commands.options import with_knobs
from mhmd.commands.parameters import Data, Films, Log, RecipeFile, Splits, Workers
from mhmd.errors import UsageError
from mhmd.recipe import load_recipe
from mhmd.report import Reporter, print_table, reporter
from mhmd.splits.deal import SplitConfig
from mhmd.stage import Where


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("split")(with_knobs(SplitConfig, _split))
    app.command("check")(check_command)
    app.command("manifest")(manifest_command)
    app.command("clean")(clean_command)
    app.command("import-mhmd")(import_command)


def _split(
    films: Films,
    splits: Splits,
    recipe: RecipeFile = None,
    data: Data = "data",
    options: dict[str, Any] | None = None,  # Any: knobs of any type
) -> None:
    """Make or extend the splits manifest: titles that are there stay, titles that belong together stay together."""
    config = load_recipe(recipe).knobs("split", SplitConfig, options)
    where = Where(data, films=films, splits=splits)
    say_notes(where)
    dealt = deal_splits(where, config)
    if dealt.remark:
        typer.echo(dealt.remark)
    print_table(splits, ("title", "split"), list(dealt.split_of.items()))
    print_table(
        f"with the labels that {data} has" if data else "how many", ("split", "titles", "labels"), dealt.coverage()
    )


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
    radius: Annotated[int, typer.Option(min=0, max=12, help="Hashes so near (bits) may be of the same picture.")] = 8,
    recipe: Annotated[str | None, typer.Option(help=r"The recipe whose \[split] counts.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Checksums and tables only; decode nothing.")] = False,
    readers: Annotated[int, typer.Option(min=1, help="So many must find a shard each: loaders' workers × nodes.")] = 1,
    log: Log = "auto",
) -> None:
    """Check that a dataset holds what it says, or that nothing lies in two splits; exit code 1 with what is wrong."""
    from mhmd.dataset.check import check
    from mhmd.splits.leaks import leaks

    if out is None and not splits:
        raise UsageError("no dataset", wanted="OUT, or --splits", do="name the dataset")
    with reporter(log) as shown:
        if splits:
            where = Where(data, films=films, splits=dealt or str(Path(data) / "splits.parquet"))
            config = load_recipe(recipe).knobs("split", SplitConfig)
            say_notes(where if out is None else replace(where, splits=""), shown.say)
            problems, remark = leaks(out, where, radius, config, shown.bar("check"))
        else:
            problems = check(str(out), fast=fast, readers=readers, progress=shown.bar("check"))
            remark = ""
        for line in [*problems, *filter(None, [remark])]:
            shown.say(line)
        shown.say(f"{out or data}: {f'{len(problems)} problems' if problems else 'sound'}")
    if problems:
        raise typer.Exit(1)


def manifest_command(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A films, labels or splits manifest, CSV or Parquet.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where it goes: .parquet or .csv.")],
    taxonomy: Annotated[str, typer.Option(help="The labels that there are.", show_default="MHMD's 42")] = "",
) -> None:
    """Check a manifest and convert it, CSV as spreadsheets write it to Parquet for instance."""
    from mhmd.manifest.convert import convert

    verb = "replaced" if target.exists() else "wrote"
    kind, rows, note = convert(source, target, taxonomy)
    typer.echo(f"{verb} {target}: {kind}, {rows} rows")
    if note:
        typer.echo(note)


def clean_command(
    data: Data = "data",
    films: Annotated[str, typer.Option(help="The films manifest; what it excludes is removed.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it, only list.")] = False,
) -> None:
    """Remove tables of excluded films, and tars of pictures and masks that no table points into; lists them first."""
    from mhmd.clean import clean, waste

    where = Where(data, films=films)
    say_notes(where)
    found = waste(where)
    for each in found:
        typer.echo(f"{each.name}  {each.size_bytes / 1e6:.1f} MB  {each.why}")
    if yes:
        clean(data, found)
    size = sum(each.size_bytes for each in found) / 1e6
    typer.echo(f"{'removed' if yes else 'would remove'} {len(found)} files, {size:.1f} MB")
    if found and not yes:
        typer.echo("run it again with --yes to remove them")


def import_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="MHMD as its authors hand it out.")],
    data: Data = "data",
    labels: Annotated[
        Path | None, typer.Option(help="A table of index and label_id: the order of their vectors.")
    ] = None,
    title: Annotated[
        str, typer.Option(help="A regular expression whose first group is the title in a picture's name.")
    ] = "",
    workers: Workers = 2,
    log: Log = "auto",
) -> None:
    """Take the original MHMD into a workspace: pictures as they are, masks as class indices, labels."""
    from mhmd.original.importing import import_mhmd

    with reporter(log) as shown:
        result = import_mhmd(folder, data, labels, title, workers, shown.bar("import"))
        for line in result.lines:
            shown.say(line)
        print_table(data, ("film", "split", "pictures", "labelled"), result.films)
    if result.left_out:
        raise typer.Exit(1)


def say_notes(where: Where, say: Callable[[str], None] = typer.echo) -> None:
    """Say what had to be guessed of the manifests."""
    from mhmd.manifest.named import notes_of

    for note in notes_of(where):
        say(note)


def say_template(where: Where, target: Path, only: Sequence[str] | None, limit: int) -> None:
    """Write a labels manifest to fill in, and say which files it wrote."""
    from mhmd.labels.template import write_template

    say_notes(where)
    for path in write_template(where, target, only, limit):
        typer.echo(f"wrote {path}")


def say_labels(shown: Reporter, where: Where, films: Sequence[str]) -> None:
    """Show how many frames have each label."""
    from mhmd.labels.counts import HEAD, count, remarks, table

    taxonomy, counted = count(where, films)
    shown.table("frames by label", HEAD, table(taxonomy, counted))
    for line in remarks(taxonomy, counted):
        shown.say(line)

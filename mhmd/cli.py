"""The command line: parses options, calls one library function, prints. Nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mhmd.build import How, build
from mhmd.build import split as deal_splits
from mhmd.cli_training import register
from mhmd.entries import LabelEntry, SplitEntry
from mhmd.errors import MhmdError, UsageError
from mhmd.execute import Watchdog
from mhmd.make import make
from mhmd.options import Log, RecipeFile, with_knobs
from mhmd.recipe import load_recipe
from mhmd.report import Reporter, print_table, reporter
from mhmd.splits import SplitConfig
from mhmd.stage import AnyStage, Where
from mhmd.stages import ORDER, stage

app = typer.Typer(
    help="From a library of films to a labelled colorization dataset, and to HistoryNet trained on it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Data = Annotated[str, typer.Option(help="The workspace: a folder or an fsspec URL.")]
Out = Annotated[str, typer.Option(help="The dataset: a folder of shards.")]
Films = Annotated[str, typer.Option(help="The films manifest (Parquet or CSV); only its films are worked on.")]
Labels = Annotated[str, typer.Option(help="The labels manifest (Parquet or CSV).")]
Splits = Annotated[str, typer.Option(help="The splits manifest (Parquet or CSV), made by `mhmd split`.")]
On = Annotated[str, typer.Option(help="serial, processes or ray.")]
Workers = Annotated[int, typer.Option(min=1, help="Units made at the same time.", show_default="all cores")]
Only = Annotated[list[str] | None, typer.Option(help="Only this film; may be repeated.", metavar="FILM_ID")]
Limit = Annotated[int, typer.Option(min=0, help="No more than so many films, the first by name; 0 = all.")]
StallS = Annotated[float, typer.Option(min=1, help="A unit without progress for so long is ended (s).")]
MemoryBytes = Annotated[int, typer.Option(min=0, help="A unit that needs more is ended (bytes); 0 = no limit.")]
CORES = os.cpu_count() or 1


def _register(verb: AnyStage) -> None:
    """A command for a stage, with the places that it reads, and its knobs."""

    def run(
        recipe: RecipeFile = None,
        data: Data = "data",
        films: Films = "",
        labels: Labels = "",
        splits: Splits = "",
        out: Out = "",
        on: On = "processes",
        workers: Workers = CORES,
        only: Only = None,
        limit: Limit = 0,
        stall_s: StallS = 600,
        memory_bytes: MemoryBytes = 0,
        log: Log = "auto",
        options: dict[str, Any] | None = None,  # Any: knobs of any type
    ) -> None:
        book = load_recipe(recipe)
        config = book.knobs(verb.name, verb.config, options)
        where = Where(data, out, films, labels, splits, book.taxonomy)
        with reporter(log) as shown:
            watchdog = Watchdog(stall_s, memory_bytes)
            made = make(
                verb,
                config,
                where,
                only=only,
                limit=limit,
                on=on,
                workers=workers,
                watchdog=watchdog,
                report=shown.begin(verb.name),
            )
            shown.summary(made)
        _exit(bool(made.failed))

    sentence = (sys.modules[verb.module].__doc__ or "").splitlines()[0].partition(": ")[2]
    run.__doc__ = sentence[:1].upper() + sentence[1:]
    reads = {
        "labels": LabelEntry in verb.reads,
        "splits": SplitEntry in verb.reads,
        "out": verb.scope == "dataset",
    }
    hidden = tuple(name for name, needed in reads.items() if not needed)
    app.command(verb.name)(with_knobs(verb.config, run, hidden))


for _name in ORDER:
    _register(stage(_name))


@app.command("build")
def build_command(
    recipe: RecipeFile,
    films: Films,
    labels: Labels,
    data: Data = "data",
    out: Out = "out",
    splits: Annotated[str, typer.Option(help="The splits manifest; made or extended.", show_default="in DATA")] = "",
    to: Annotated[str, typer.Option(help="The last stage to make.")] = ORDER[-1],
    limit: Limit = 0,
    on: On = "processes",
    workers: Workers = CORES,
    stall_s: StallS = 600,
    memory_bytes: MemoryBytes = 0,
    log: Log = "auto",
) -> None:
    """Make all stages of a recipe in order, from the films to the shards."""
    if to not in ORDER:
        raise UsageError(f"--to {to}", wanted=f"one of {', '.join(ORDER)}", do="name one of them")
    book = load_recipe(recipe)
    where = Where(data, out, films, labels, splits, book.taxonomy)
    with reporter(log) as shown:
        how = How(on, workers, Watchdog(stall_s, memory_bytes))
        failed = _build(shown, lambda begin: build(book, where, how, to=to, limit=limit, begin=begin))
    _exit(failed)


def _build(shown: Reporter, run: Any) -> bool:  # Any: a call of `build` that only wants its `begin`
    failed = False
    for made in run(lambda verb: shown.begin(verb.name)):
        shown.summary(made)
        failed |= bool(made.failed)
    return failed


def _split(
    films: Films,
    splits: Splits,
    recipe: RecipeFile = None,
    options: dict[str, Any] | None = None,  # Any: knobs of any type
) -> None:
    """Make or extend the splits manifest: titles that are there stay where they are."""
    config = load_recipe(recipe).knobs("split", SplitConfig, options)
    dealt = deal_splits(Where("", films=films, splits=splits), config)
    print_table(splits, ("title", "split"), list(dealt.items()))


app.command("split")(with_knobs(SplitConfig, _split))


@app.command("status")
def status_command(recipe: RecipeFile = None, data: Data = "data", films: Films = "", labels: Labels = "") -> None:
    """Show each film at each stage: fresh, stale, made, failed or not made."""
    from mhmd.status import WORKSPACE_STAGES, findings, status

    book = load_recipe(recipe)
    rows = status(book, Where(data, films=films, labels=labels, taxonomy=book.taxonomy))
    print_table(data, ("film", *WORKSPACE_STAGES), [(row.film_id, *row.states) for row in rows])
    for line in findings(data):
        typer.echo(line)


@app.command("check")
def check_command(out: Annotated[str, typer.Argument(help="The dataset.")], log: Log = "auto") -> None:
    """Check that a dataset holds what it says; exit code 1 with the list of what is wrong."""
    from mhmd.check import check

    with reporter(log) as shown:
        problems = check(out, shown.bar("check"))
        for problem in problems:
            shown.say(problem)
        shown.say(f"{out}: {f'{len(problems)} problems' if problems else 'sound'}")
    _exit(bool(problems))


@app.command("show")
def show_command(
    frame_or_film: Annotated[str, typer.Argument(help="The frame; with --sheet, the film.")],
    data: Data = "data",
    save: Annotated[Path | None, typer.Option(help="A folder to write its picture and mask to.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="A JPEG to write a film's kept and rejected frames to.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Frames on the sheet of those kept, and of each reason.")] = 12,
) -> None:
    """Show what every table says of a frame and save its picture and mask, or a contact sheet of a film."""
    if sheet is not None:
        from mhmd.sheet import sheet as sheet_of

        sheet.write_bytes(sheet_of(data, frame_or_film, count))
        typer.echo(f"wrote {sheet}")
        return
    from mhmd.status import pictures, show

    found = show(data, frame_or_film)
    for table, row in found.items():
        print_table(table, ("column", "value"), [(name, str(value)) for name, value in row.items()])
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for suffix, picture in pictures(data, found).items():
            (save / f"{frame_or_film}{suffix}").write_bytes(picture)
            typer.echo(f"wrote {save / (frame_or_film + suffix)}")


register(app)


@app.command("demo")
def demo_command(
    folder: Annotated[Path, typer.Argument(help="Where everything goes.")] = Path("mhmd-demo"),
    on: On = "processes",
    workers: Workers = CORES,
    log: Log = "auto",
) -> None:
    """Go the whole way on three small films: every stage, training, two coloured pictures."""
    from mhmd.demo.run import run_demo

    with reporter(log) as shown:
        run_demo(folder, How(on, workers), shown)


def main() -> None:
    """The command `mhmd`."""
    try:
        app()
    except MhmdError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except OSError as error:  # a place that cannot be read or written
        typer.echo(f"error: {error.strerror or error}: {error.filename or ''}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _exit(failed: bool) -> None:
    if failed:
        raise typer.Exit(1)

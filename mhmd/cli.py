"""The command line: parses options, calls one library function, prints. Nothing else."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mhmd.build import How, build
from mhmd.commands import around, training
from mhmd.commands.around import say_labels, say_notes, say_template
from mhmd.commands.options import with_knobs
from mhmd.commands.parameters import (
    Data,
    Device,
    Films,
    Labels,
    Limit,
    Log,
    MemoryBytes,
    On,
    Only,
    Out,
    RecipeFile,
    SheetFile,
    Splits,
    StallS,
    Template,
    Workers,
    Worst,
    check_sheet,
)
from mhmd.cores import cores
from mhmd.entries import LabelEntry, SplitEntry
from mhmd.errors import MhmdError, UsageError
from mhmd.execute import Watchdog
from mhmd.make import make
from mhmd.recipe import load_recipe
from mhmd.records import Mask, Verdict
from mhmd.report import Reporter, print_table, reporter
from mhmd.sparing import spare_pandas
from mhmd.stage import AnyStage, Where
from mhmd.stages import ORDER, stage

app = typer.Typer(
    help="From a library of films to a labelled colorization dataset, and to HistoryNet trained on it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

CORES = cores()

INTERRUPTED = 130
"""The status that Typer ends with after Ctrl-C, as shells have it."""

app.callback()(spare_pandas)
around.register(app)


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
        device: Device = "auto",
        stall_s: StallS = 600,
        memory_bytes: MemoryBytes = 0,
        worst: Worst = 200,
        sheet: SheetFile = None,
        log: Log = "auto",
        template: Template = None,
        options: dict[str, Any] | None = None,  # Any: knobs of any type
    ) -> None:
        book = load_recipe(recipe)
        config = book.knobs(verb.name, verb.config, options)
        where = Where(data, out, films, labels, splits, book.taxonomy, device)
        if template is not None:
            say_template(where, template, only, limit)
            return
        check_sheet(sheet)
        with reporter(log) as shown:
            say_notes(where, shown.say)
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
            if verb.name == "label":
                say_labels(shown, where, made.films)
            if sheet is not None:
                sheet.write_bytes(_sheet(verb, data, made.films, worst))
                shown.say(f"wrote {sheet}")
        _exit(not made.is_whole)

    sentence = (sys.modules[verb.module].__doc__ or "").splitlines()[0].partition(": ")[2]
    run.__doc__ = sentence[:1].upper() + sentence[1:]
    parts = verb.scope != "corpus"  # some films' verdicts would be of another run than the others'
    reads = {
        "only": parts,
        "limit": parts,
        "labels": LabelEntry in verb.reads,
        "splits": SplitEntry in verb.reads,
        "out": verb.scope == "dataset",
        "template": verb.name == "label",
        "device": verb.gpus > 0,
        "worst": Mask in verb.writes,
        "sheet": Mask in verb.writes or Verdict in verb.writes,
    }
    hidden = tuple(name for name, needed in reads.items() if not needed)
    app.command(verb.name)(with_knobs(verb.config, run, hidden))


def _sheet(verb: AnyStage, data: str, films: Sequence[str], worst: int) -> bytes:
    """What to look at first of what a stage made."""
    if Verdict in verb.writes:
        from mhmd.duplicates.groups import sheet

        return sheet(data)
    from mhmd.parsing.sheet import worst_sheet

    return worst_sheet(data, films, worst)


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
    device: Device = "auto",
    stall_s: StallS = 600,
    memory_bytes: MemoryBytes = 0,
    log: Log = "auto",
) -> None:
    """Make all stages of a recipe in order, from the films to the shards."""
    if to not in ORDER:
        raise UsageError(f"--to {to}", wanted=f"one of {', '.join(ORDER)}", do="name one of them")
    book = load_recipe(recipe)
    where = Where(data, out, films, labels, splits, book.taxonomy, device)
    with reporter(log) as shown:
        say_notes(where, shown.say)
        how = How(on, workers, Watchdog(stall_s, memory_bytes))
        failed = _build(shown, lambda begin: build(book, where, how, to=to, limit=limit, begin=begin))
    _exit(failed)


def _build(shown: Reporter, run: Any) -> bool:  # Any: a call of `build` that only wants its `begin`
    failed = False
    for made in run(lambda verb: shown.begin(verb.name)):
        shown.summary(made)
        failed |= not made.is_whole
    return failed


@app.command("status")
def status_command(recipe: RecipeFile = None, data: Data = "data", films: Films = "", labels: Labels = "") -> None:
    """Show each film at each stage: fresh, stale, made, failed or not made."""
    from mhmd.status import WORKSPACE_STAGES, findings, status

    book = load_recipe(recipe)
    where = Where(data, films=films, labels=labels, taxonomy=book.taxonomy)
    say_notes(where)
    rows = status(book, where)
    print_table(data, ("film", *WORKSPACE_STAGES), [(row.film_id, *row.states) for row in rows])
    for line in findings(data):
        typer.echo(line)


@app.command("show")
def show_command(
    frame_or_film: Annotated[str, typer.Argument(help="The frame; with --sheet, the film.")],
    data: Data = "data",
    save: Annotated[Path | None, typer.Option(help="A folder to write its picture and mask to.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="A JPEG to write a film's kept and rejected frames to.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Frames on the sheet of those kept, and of each reason.")] = 12,
) -> None:
    """Show what every table says of a frame and save its picture and mask, or a contact sheet of a film."""
    check_sheet(sheet)
    if sheet is not None:
        from mhmd.sheet import sheet as sheet_of

        sheet.write_bytes(sheet_of(data, frame_or_film, count))
        typer.echo(f"wrote {sheet}")
        return
    from mhmd.duplicates.groups import group_of
    from mhmd.status import pictures, show

    found = show(data, frame_or_film)
    for table, row in found.items():
        print_table(table, ("column", "value"), [(name, str(value)) for name, value in row.items()])
    if group := group_of(data, frame_or_film):
        rows = [(each.frame_id, "kept" if each.distance is None else each.distance) for each in group]
        print_table("the same picture", ("frame", "bits from the kept one"), rows)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for suffix, picture in pictures(data, found).items():
            (save / f"{frame_or_film}{suffix}").write_bytes(picture)
            typer.echo(f"wrote {save / (frame_or_film + suffix)}")


training.register(app)


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
        if not run_demo(folder, How(on, workers), shown):
            raise typer.Exit(1)


def main() -> None:
    """The command `mhmd`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no × is shown a question mark
    try:
        app()
    except MhmdError as error:
        typer.echo("error: " + "\n".join(error.lines()), err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except OSError as error:  # a place that cannot be read or written
        typer.echo(f"error: {error.strerror or error}: {error.filename or ''}", err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.echo("interrupted; what is done stays done: the same command goes on from there", err=True)
        raise


def _exit(failed: bool) -> None:
    if failed:
        raise typer.Exit(1)

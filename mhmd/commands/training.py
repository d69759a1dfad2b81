"""The commands of HistoryNet: train, ablate, evaluate, colorize. Nothing but options, one call, and what is printed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mhmd.commands.options import with_knobs
from mhmd.commands.parameters import Device, Log, Model, RecipeFile, Shards, SplitName
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.variants import VARIANTS
from mhmd.recipe import load_recipe
from mhmd.report import print_table, reporter

Threads = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="Threads of each process that read samples.", show_default="cores, at most 16"
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("train")(with_knobs(TrainConfig, _train))
    app.command("ablate")(_ablate)
    app.command("evaluate")(_evaluate)
    app.command("colorize")(_colorize)


def _train(
    recipe: RecipeFile = None,
    shards: Shards = "out",
    run: Annotated[Path, typer.Option(help="The folder of checkpoints, metrics and samples.")] = Path("run"),
    device: Device = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Devices that share each batch; torchrun's own count wins.")] = 1,
    workers: Threads = None,
    log: Log = "auto",
    options: dict[str, Any] | None = None,  # Any: knobs of any type
) -> None:
    """Train HistoryNet on a dataset; a run that was cut off goes on where it was."""
    from mhmd.historynet.train import train

    config = load_recipe(recipe).knobs("train", TrainConfig, options)
    with reporter(log) as shown:
        result = train(
            shards, run, config, device=device, devices=devices, workers=workers, report=shown.training("train")
        )
    if result.stopped_by is not None:
        raise typer.Exit(1)


def _ablate(
    recipe: RecipeFile = None,
    shards: Shards = "out",
    run: Annotated[Path, typer.Option(help="The folder of a run for each arm and seed, and of the table.")] = Path(
        "ablation"
    ),
    arm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIANT[:KNOB=VALUE,…]", help="A row of the table; may be repeated.", show_default="all variants"
        ),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="May be repeated.", show_default="0, 1 and 2")] = None,
    split: Annotated[SplitName, typer.Option(help="The split that models are scored on.")] = "test",
    device: Device = "auto",
    workers: Threads = None,
    log: Log = "auto",
) -> None:
    """Train variants on the same data and seeds, and write one table: mean and spread over the seeds."""
    from mhmd.historynet.ablate import COLUMNS, ablate, parse_arm

    common = load_recipe(recipe).tables.get("train", {})
    arms = [parse_arm(text) for text in arm or VARIANTS]
    seeds = seed or [0, 1, 2]
    with reporter(log) as shown:
        rows = ablate(
            shards,
            run,
            common,
            arms,
            seeds,
            split=split,
            device=device,
            workers=workers,
            begin=shown.training,
        )
        if not rows:
            raise typer.Exit(1)
        shown.table(f"{split} of {shards}", COLUMNS, rows)
    if any(trained != str(len(seeds)) for _, trained, *_ in rows[1:]):
        raise typer.Exit(1)


def _evaluate(
    model: Model,
    shards: Shards = "out",
    split: Annotated[SplitName, typer.Option(help="The split to evaluate on.")] = "test",
    device: Device = "auto",
) -> None:
    """Measure a model on a split: PSNR, SSIM, ab error, beside those of gray."""
    from mhmd.historynet.metrics import evaluate

    scores = evaluate(model, shards, split, device=device)
    print_table(f"{model} on {split} of {shards}", ("measure", "value"), list(asdict(scores).items()))


def _colorize(
    model: Model,
    pictures: Annotated[list[Path], typer.Argument(help="Pictures of any size, gray or in colour.")],
    out: Annotated[Path, typer.Option(help="The folder for the coloured PNGs.")] = Path("colored"),
    device: Device = "auto",
) -> None:
    """Colour pictures; each keeps its own luminance."""
    from mhmd.historynet.colorize import colorize

    for path in colorize(model, pictures, out, device):
        typer.echo(f"wrote {path}")

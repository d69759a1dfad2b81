"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mhmd.errors import UsageError
from mhmd.report import LogFormat

RecipeFile = Annotated[str | None, typer.Argument(help="A recipe (TOML); its values hold where no option is given.")]
Data = Annotated[str, typer.Option(help="The workspace: a folder or an fsspec URL.")]
Out = Annotated[str, typer.Option(help="The dataset: a folder of shards.")]
Films = Annotated[str, typer.Option(help="The films manifest (Parquet or CSV); only its films are worked on.")]
Labels = Annotated[str, typer.Option(help="The labels manifest (Parquet or CSV).")]
Splits = Annotated[str, typer.Option(help="The splits manifest (Parquet or CSV), made by `mhmd split`.")]
On = Annotated[str, typer.Option(help="serial, processes or ray.")]
Workers = Annotated[int, typer.Option(min=1, help="Units made at the same time.", show_default="all cores")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Only = Annotated[list[str] | None, typer.Option(help="Only this film; may be repeated.", metavar="FILM_ID")]
Limit = Annotated[int, typer.Option(min=0, help="No more than so many films, the first by name; 0 = all.")]
StallS = Annotated[float, typer.Option(min=1, help="A unit without progress for so long is ended (s).")]
MemoryBytes = Annotated[int, typer.Option(min=0, help="A unit that needs more is ended (bytes); 0 = no limit.")]
Log = Annotated[LogFormat, typer.Option("--log-format", help="auto: bars on a terminal, plain lines elsewhere.")]
Model = Annotated[Path, typer.Argument(help="A checkpoint: RUN/model.safetensors.")]
SplitName = Literal["train", "val", "test"]
Shards = Annotated[str, typer.Option(help="The dataset that `mhmd shard` made: a folder or an fsspec URL.")]
Template = Annotated[
    Path | None,
    typer.Option(
        help="Label nothing, but write a labels manifest to fill in (.csv or .parquet) and sheets of the shots."
    ),
]
Worst = Annotated[int, typer.Option(min=1, help="With --sheet: so many frames, the least certain first.")]
SheetFile = Annotated[
    Path | None,
    typer.Option("--sheet", help="A JPEG of what to look at: dedup's largest groups, parse's least certain masks."),
]


def check_sheet(path: Path | None) -> None:
    """Raises UsageError when no JPEG is to be written there."""
    if path is None:
        return
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--sheet {path}: no such folder", wanted="a folder that is there", do="make it first")
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        raise UsageError(f"--sheet {path}", wanted="the name of a JPEG", do="let it end in .jpg")

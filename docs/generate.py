"""Write the pages that derive from the code, `docs/records.md` and `docs/cli.md`; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import typer

from mhmd.cli import app
from mhmd.commands.options import describe
from mhmd.entries import MANIFESTS
from mhmd.recipe import VERBS, knobs_of
from mhmd.records import DATASET, STORED, Record, columns_of

DOCS = Path(__file__).parent
MARK = "<!-- made by docs/generate.py: change the code, then `make docs` -->\n\n"


def records_page() -> str:
    """Every table with its columns."""
    text = f"# Tables\n\n{MARK}Types are Arrow's; a column that may be null says so.\n"
    groups = (
        ("A workspace: `DATA/<table>/<film_id>.parquet`", STORED),
        ("A dataset: `OUT/samples.parquet`", DATASET),
        ("Manifests, written by people", MANIFESTS),
    )
    for title, records in groups:
        text += f"\n## {title}\n"
        for record in records:
            text += _record(record)
    return text


def _record(record: type[Record]) -> str:
    lines = [f"\n### {record.TABLE}\n", (record.__doc__ or "").strip().splitlines()[0]]
    if record.STAGE:
        lines[-1] += f" Made by `mhmd {record.STAGE}`."
    lines += ["", "| column | type | meaning |", "|---|---|---|"]
    for column in columns_of(record):
        kind = f"{column.arrow}, null" if column.null else column.arrow
        lines.append(f"| `{column.name}` | {kind} | {column.doc} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Every command with its arguments and options."""
    text = (
        f"# Commands and knobs\n\n{MARK}A knob stands in a recipe as `[verb]` `name = value`; an option overrides it.\n"
    )
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    for name, command in sorted(group.commands.items()):
        knobs = set(knobs_of(name).model_fields) if name in VERBS else set()
        text += (
            f"\n## mhmd {name}\n\n{(command.help or '').strip()}\n\n| parameter | default | meaning |\n|---|---|---|\n"
        )
        for parameter in command.params:
            if parameter.name in knobs or parameter.name == "help":
                continue
            arguments = parameter.param_type_name == "argument"
            shown = parameter.name.upper() if arguments else max(parameter.opts, key=len)
            default = (
                "" if parameter.default in (None, "", []) or callable(parameter.default) else str(parameter.default)
            )
            if parameter.name == "workers":
                default = "all cores"
            text += f"| `{shown}` | {'required' if parameter.required else default} | {parameter.help or ''} |\n"
        for knob, field in knobs_of(name).model_fields.items() if knobs else ():
            text += f"| `--{knob.replace('_', '-')}` | {field.default!r} | {describe(field)} |\n"
    return text


def main() -> None:
    """Write or check the pages."""
    pages = {DOCS / "records.md": records_page(), DOCS / "cli.md": cli_page()}
    if "--check" not in sys.argv:
        for path, text in pages.items():
            path.write_text(text, "utf-8")
        return
    stale = [str(path) for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text]
    if stale:
        sys.exit(f"{', '.join(stale)}: not what the code says; run `make docs`")


if __name__ == "__main__":
    main()

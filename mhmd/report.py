"""What a long command shows while it works: bars on a terminal, plain lines elsewhere, or lines of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mhmd.execute import Outcome
from mhmd.make import Event, Made, Report, Started
from mhmd.pace import Pace

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.table import Table

    from mhmd.historynet.events import Event as Step

PLAIN_EVERY_STEPS = 20
PLAIN_EVERY_S = 30.0
PLAIN_WIDTH = 160

LogFormat = Literal["auto", "bars", "plain", "json"]


class Reporter:
    """Shows events of stages and steps of training. `begin` gives what one stage's events go to."""

    def __init__(self, log_format: LogFormat, bars: Bars | None) -> None:
        self._format = log_format
        self._bars = bars

    def begin(self, verb: str) -> Report:
        """A report for the events of one stage."""
        started = said_at = time.monotonic()
        tasks: dict[str, Any] = {}  # Any: Rich's task ids
        pace = Pace(0)

        def report(event: Event) -> None:
            nonlocal pace, said_at
            if isinstance(event, Started):
                pace = Pace(event.units)
                if event.notice:
                    self.say(f"{verb}: {event.notice}")
                return
            pace.take(event)
            if isinstance(event, Outcome):
                if self._bars and event.unit in tasks:
                    self._bars.remove_task(tasks.pop(event.unit))
                if event.status != "fresh":
                    self._ended(verb, event, time.monotonic() - started)
            elif self._bars:
                for name in ("", event.unit):
                    if name not in tasks:
                        tasks[name] = self._bars.add_task(f"{verb} {name}")
                self._bars.update(tasks[event.unit], completed=event.done, total=event.total)
            elif self._format == "json":
                self.line(event=verb, unit=event.unit, done=event.done, total=event.total, stored=event.stored)
            elif time.monotonic() - said_at > PLAIN_EVERY_S:
                said_at = time.monotonic()
                self.say(f"{verb}: {pace.text()}")
            if self._bars and "" in tasks:
                over = pace.ended == pace.units
                self._bars.update(
                    tasks[""], completed=pace.share, total=1.0, description=f"{verb} {pace.text()}", visible=not over
                )

        return report

    def bar(self, name: str) -> Callable[[int, int, str], None]:
        """A bar of its own: called with done, total and a text beside it."""
        task = self._bars.add_task(name) if self._bars else None

        def advance(done: int, total: int, text: str) -> None:
            if self._bars and task is not None:
                self._bars.update(task, completed=done, total=total, description=f"{name} {text}")
            elif self._format == "json":
                self.line(event=name, done=done, total=total, text=text)
            else:
                self.say(f"{name} {done}/{total} {text}")

        return advance

    def training(self, name: str) -> Callable[[Step], None]:
        """What the events of a training go to: a bar for the steps, a line for everything else."""
        advance = self.bar(name)

        def report(event: Step) -> None:
            if self._format == "json":
                self.line(event=event.kind, step=event.step, text=event.text, **event.values)
            elif event.kind == "step":
                if self._bars or event.step % PLAIN_EVERY_STEPS == 0:
                    advance(event.step, event.steps, event.text)
            else:
                self.say(f"{name} step {event.step}: {event.text}")

        return report

    def summary(self, made: Made) -> None:
        """One line for a finished stage, and one for every failed unit."""
        states = {status: made.count(status) for status in ("made", "fresh", "failed")}
        if self._format == "json":
            self.line(event="summary", stage=made.stage, **states)
            return
        self.say(f"{made.stage}: " + ", ".join(f"{count} {status}" for status, count in states.items() if count))

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if self._bars:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif self._format == "json":
            self.line(event="message", text=text)
        else:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table, above the bars where there are some."""
        if self._format == "json":
            self.line(event="table", title=title, rows=[dict(zip(head, row, strict=True)) for row in rows])
        elif self._bars:
            self._bars.console.print(_table(title, head, rows))
        else:
            print_table(title, head, rows)

    def line(self, **values: object) -> None:
        """Print a line of JSON."""
        sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def _ended(self, verb: str, outcome: Outcome, seconds: float) -> None:
        for note in outcome.notes:
            self.say(f"{verb} {outcome.unit}: {note}")
        for flaw in outcome.flaws:
            self.say(f"{verb} {outcome.unit}: {flaw.error}: {flaw.message}")
        if self._format == "json":
            told: dict[str, object] = {"event": verb, "unit": outcome.unit, "status": outcome.status}
            failed = {"error": outcome.error, "message": outcome.message}
            self.line(**told, **(failed if outcome.status == "failed" else {"counts": outcome.counts}))
        elif outcome.status == "failed":
            self.say(f"{verb} {outcome.unit}: FAILED, {outcome.error}: {outcome.message}")
        else:
            counts = ", ".join(f"{count} {table}" for table, count in outcome.counts.items())
            self.say(f"{verb} {outcome.unit}: {counts} ({seconds:.1f} s)")


@contextmanager
def reporter(log_format: LogFormat) -> Iterator[Reporter]:
    """A reporter; `auto` means bars on a terminal and plain lines elsewhere."""
    if log_format == "bars" or (log_format == "auto" and sys.stdout.isatty()):
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns) as bars:
            yield Reporter(log_format, bars)
    else:
        yield Reporter(log_format, None)


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers to the right."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, markup=False).print(_table(title, head, rows))


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column, name in enumerate(head):
        numeric = all(isinstance(row[column], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    return table

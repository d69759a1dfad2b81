"""How long `mhmd --help` takes, beside an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from mhmd.report import print_table

RUNS = 9


def bench(films: Path | None = None) -> None:
    """Median wall times, s; the aim for `mhmd --help` is 0.6."""
    del films
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "mhmd --help": [str(Path(sys.executable).with_name("mhmd")), "--help"],
    }
    rows = [(name, *_times(command)) for name, command in commands.items()]
    print_table("startup", ("command", "median s", "min s", "max s"), rows)


def _times(command: list[str]) -> tuple[float, float, float]:
    times = []
    for _ in range(RUNS):
        started = perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - started)
    return median(times), min(times), max(times)

"""The child process: `python -m mhmd.worker` reads a job and then units from stdin and tells what became of them.

It ends when its stdin closes, so that it does not outlive the process that started it.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict

from mhmd.errors import MhmdError, TooMuchMemory
from mhmd.execute import Job, Outcome
from mhmd.sparing import spare_pandas

PROGRESS_EVERY_S = 0.25

Tell = Callable[..., None]


def main() -> None:
    """Make the units that are given, one by one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair, which ends us
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not come between our lines
    units: queue.Queue[str] = queue.Queue()
    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_listen, args=(units,), daemon=True).start()
    spare_pandas()

    def tell(**message: object) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    while True:
        unit = units.get()
        try:
            tell(unit=unit, outcome=asdict(_make(job, unit, tell)))
        except Exception:  # noqa: BLE001  # a bug: its traceback goes to the parent, which raises it
            tell(unit=unit, traceback=traceback.format_exc())


def _make(job: Job, unit: str, tell: Tell) -> Outcome:
    from mhmd.make import make_unit

    told_at = -PROGRESS_EVERY_S

    def progress(done: int, total: int, stored: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= PROGRESS_EVERY_S:
            told_at = time.monotonic()
            tell(unit=unit, done=done, total=total, stored=stored)

    try:
        return make_unit(job, unit, progress)
    except MhmdError as error:
        return Outcome.failure(unit, error)
    except MemoryError as error:
        refused = TooMuchMemory(
            f"{unit}: the system gave no more memory ({error or 'it does not say how much was asked for'})",
            wanted="enough for all units in hand",
            do="give fewer --workers, raise the limit (ulimit -v, a cluster's), or look into its input",
        )
        return Outcome.failure(unit, refused)


def _listen(units: queue.Queue[str]) -> None:
    for line in sys.stdin:
        units.put(line.rstrip("\n"))
    os._exit(0)


if __name__ == "__main__":
    main()

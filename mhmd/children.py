"""The child processes in which units run, and what the watchdog looks at."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from mhmd.cores import cores
from mhmd.errors import MhmdError, Stalled, TooMuchMemory, WorkerDied

if TYPE_CHECKING:
    from mhmd.execute import Job, Watchdog

KEEP = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""glibc gives a picture's memory back to the kernel and takes it anew, page by page; a child keeps as many bytes as
this. That costs no more at the peak, and saves a fiftieth of the work."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Others would wait for the next small product of NumPy's at full speed; large ones ask for `mhmd.blas.all_threads`."""


class Child:
    """A worker process, the unit that it has in hand, and when it was heard of last."""

    def __init__(self, job: Job, messages: queue.Queue[Any], workers: int, number: int) -> None:  # Any: see `processes`
        self.unit = ""
        self._job = job
        self._messages = messages
        share = max(1, cores() // workers)
        threads = {name: str(min(share, _asked(name) or share)) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
        self._surroundings = KEEP | threads | ONE_THREAD
        if job.gpus:
            self._surroundings["CUDA_VISIBLE_DEVICES"] = job.gpus[number]
        self._start()

    def give(self, unit: str) -> None:
        """Have it make a unit."""
        self.unit, self.heard_at = unit, time.monotonic()
        self._write(unit)

    def barked_at(self, watchdog: Watchdog) -> MhmdError | None:
        """The error of the unit in hand, if it hangs, eats too much or is dead."""
        if not self.unit:
            return None
        if self.process.poll() is not None and self._messages.empty():
            return _death(self.unit, self.process.returncode)
        quiet_s = time.monotonic() - self.heard_at
        if quiet_s > watchdog.stall_s:
            return Stalled(
                f"{self.unit}: no progress in {quiet_s:.0f} s",
                wanted=f"some within {watchdog.stall_s:g} s",
                do="look into its input, or raise --stall-s",
            )
        if watchdog.memory_bytes and (used := self._memory_bytes()) > watchdog.memory_bytes:
            return TooMuchMemory(
                f"{self.unit}: {used >> 20} MB",
                wanted=f"at most {watchdog.memory_bytes >> 20} MB",
                do="raise --memory-bytes, or look into its input",
            )
        return None

    def restart(self) -> None:
        """End the process, and start another."""
        self.kill()
        self._start()

    def kill(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            with suppress(BrokenPipeError):  # what it did not take is in the buffer still
                self.process.stdin.close()
        self._reader.join()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mhmd.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | self._surroundings,
            text=True,
        )
        self.heard_at = time.monotonic()
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        self._write(self._job.to_json())

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.process.wait()  # dead: the watchdog says so at its next look

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._messages.put((self, json.loads(line) | {"process": process.pid}))
        self._messages.put((self, None))

    def _memory_bytes(self) -> int:
        """What it takes, and programs that it has started: ffmpeg."""
        try:
            process = psutil.Process(self.process.pid)
            return sum(int(each.memory_info().rss) for each in (process, *process.children(recursive=True)))
        except psutil.NoSuchProcess:
            return 0


def _asked(name: str) -> int:
    """The number of threads that the user asks for in a variable of the environment; 0 where there is none."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else 0


def _death(unit: str, status: int) -> WorkerDied:
    """The error of a unit whose process ended with this status, below 0 for a signal."""
    if status == -signal.SIGKILL:
        return WorkerDied(
            f"{unit}: its process was killed",
            wanted="a result",
            do="for want of memory the system kills so: give fewer --workers, or look into the unit's input",
        )
    return WorkerDied(
        f"{unit}: its process ended with status {status}",
        wanted="a result",
        do="if it comes again, look into the unit's input; a decoder may have crashed on it",
    )

"""Has units made: one after the other, in several processes, or on a Ray cluster.

Every unit runs in a child process under a watchdog, for a decoder that hangs or eats the memory must not take the run
with it. Only names and counts cross to the child and back, as lines of JSON.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import psutil

from mhmd.errors import DependencyError, MhmdError, Stalled, TooMuchMemory, WorkerDied
from mhmd.stage import Where

POLL_S = 0.2

KEEP = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""glibc gives a picture's memory back to the kernel and takes it anew, page by page; a child keeps as many bytes as
this. That costs no more at the peak, and saves a fiftieth of the work."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Others would wait for the next small product of NumPy's at full speed; large ones ask for `mhmd.blas.all_threads`."""


@dataclass(frozen=True, slots=True)
class Job:
    """All that a child needs to know to make units of one stage."""

    module: str
    config_json: str
    where: Where
    films: tuple[str, ...]
    gpus: tuple[str, ...] = ()  # one to each child, as CUDA_VISIBLE_DEVICES names them; none = do not deal them
    wants_gpu: bool = False  # whether a unit takes one where there are some

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        values = json.loads(text)
        where, films, gpus = Where(**values["where"]), tuple(values["films"]), tuple(values["gpus"])
        return Job(values["module"], values["config_json"], where, films, gpus, values["wants_gpu"])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a unit is, in the stage's own unit; `total` may be an estimate. `stored` are pictures or masks."""

    unit: str
    done: int
    total: int
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Flaw:
    """A frame of a unit that has nothing: the class and the text of the error."""

    frame_id: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a unit ended. `error` is the class and `message` the text of an expected failure.

    A unit that was made may have `flaws`, and `notes` on how it went.
    """

    unit: str
    status: Literal["made", "fresh", "failed"]
    counts: dict[str, int] = field(default_factory=dict)
    error: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    flaws: tuple[Flaw, ...] = ()

    @staticmethod
    def from_json(values: dict[str, Any]) -> Outcome:  # Any: JSON
        return Outcome(
            **values | {"notes": tuple(values["notes"]), "flaws": tuple(Flaw(**of) for of in values["flaws"])}
        )

    @staticmethod
    def failure(unit: str, error: MhmdError) -> Outcome:
        return Outcome(unit, "failed", error=type(error).__name__, message=str(error))


@dataclass(frozen=True, slots=True)
class Watchdog:
    """Ends a unit, not the run: after `stall_s` seconds without progress, or over `memory_bytes` (0 = no limit)."""

    stall_s: float = 600.0
    memory_bytes: int = 0


class StageBug(RuntimeError):
    """Unexpected exceptions in child processes; the text is their tracebacks. Raised when all other units are done."""


Executor = Callable[..., Iterator[Progress | Outcome]]


def serial(job: Job, units: Sequence[str], *, workers: int, watchdog: Watchdog) -> Iterator[Progress | Outcome]:
    """One unit after the other, in one child that may use all cores; `workers` counts for nothing."""
    del workers
    return processes(job, units, workers=1, watchdog=watchdog)


def processes(job: Job, units: Sequence[str], *, workers: int, watchdog: Watchdog) -> Iterator[Progress | Outcome]:
    """Up to `workers` units at a time, and GPUs to deal, each in a child that lives for many units."""
    waiting = deque(units)
    workers = min(workers, len(job.gpus)) if job.gpus else workers
    messages: queue.Queue[tuple[_Child, dict[str, Any] | None]] = queue.Queue()  # Any: JSON
    count = min(workers, len(units))
    children = [_Child(job, messages, count, number) for number in range(count)]
    bugs = list[str]()
    try:
        for child in children:
            child.give(waiting.popleft())
        while any(child.unit for child in children):
            event = _next_event(messages, children, watchdog)
            if event is None:
                continue
            child, told = event
            if isinstance(told, StageBug):
                bugs.append(str(told))
            else:
                yield told
            if not isinstance(told, Progress):
                child.unit = ""
                if waiting:
                    child.give(waiting.popleft())
    finally:
        for child in children:
            child.kill()
    _raise(bugs)


def ray(job: Job, units: Sequence[str], *, workers: int, watchdog: Watchdog) -> Iterator[Progress | Outcome]:
    """Units as tasks of a Ray cluster: the one that RAY_ADDRESS names, else one started here with `workers` CPUs."""
    try:
        import ray as cluster
    except ImportError:
        raise DependencyError(
            "Ray is not installed", wanted="the extra ray", do="install it: pip install ray"
        ) from None
    if not units:
        return
    if not cluster.is_initialized():  # stays up for the next stage; Ray ends it with this process
        options: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False}  # Any: Ray's options
        if "RAY_ADDRESS" not in os.environ:
            options |= {"num_cpus": workers, "address": "local"}
        cluster.init(**options)
    task = cluster.remote(_in_ray)
    there: dict[str, float] = cluster.cluster_resources()  # type: ignore[no-untyped-call]  # Ray says no types there
    if job.wants_gpu and there.get("GPU"):
        task = task.options(num_gpus=1)  # Ray says which
    pending = [task.remote(job.to_json(), unit, asdict(watchdog)) for unit in units]
    bugs = list[str]()
    while pending:
        done, pending = cluster.wait(pending, num_returns=1)
        status = cluster.get(done[0])
        if isinstance(status, str):
            bugs.append(status)
        else:
            yield Outcome.from_json(status)
    _raise(bugs)


EXECUTORS: dict[str, Executor] = {"serial": serial, "processes": processes, "ray": ray}


def _in_ray(job: str, unit: str, watchdog: dict[str, Any]) -> dict[str, Any] | str:  # Any: JSON, names and counts
    try:
        for event in serial(Job.from_json(job), [unit], workers=1, watchdog=Watchdog(**watchdog)):
            if isinstance(event, Outcome):
                return asdict(event)
    except StageBug as bug:
        return str(bug)
    raise AssertionError("a unit ended without an outcome")


def _raise(bugs: Sequence[str]) -> None:
    """Raise StageBug, if there are some."""
    if bugs:
        raise StageBug("\n".join(bugs))


def _next_event(
    messages: queue.Queue[tuple[_Child, dict[str, Any] | None]], children: list[_Child], watchdog: Watchdog
) -> tuple[_Child, Progress | Outcome | StageBug] | None:
    """What a child said, or what the watchdog did to it; None when there is nothing yet."""
    for child in children:
        error = child.barked_at(watchdog)
        if error is not None:
            unit = child.unit
            child.restart()
            return child, Outcome.failure(unit, error)
    try:
        child, message = messages.get(timeout=POLL_S)
    except queue.Empty:
        return None
    if message is None or message["process"] != child.process.pid:
        return None
    child.heard_at = time.monotonic()
    if "traceback" in message:
        return child, StageBug(f"{message['unit']}: {message['traceback']}")
    if "done" in message:
        return child, Progress(message["unit"], message["done"], message["total"], message["stored"])
    return child, Outcome.from_json(message["outcome"])


class _Child:
    """A worker process, the unit that it has in hand, and when it was heard of last."""

    def __init__(self, job: Job, messages: queue.Queue[Any], workers: int, number: int) -> None:  # Any: see `processes`
        self.unit = ""
        self._job = job
        self._messages = messages
        threads = str(max(1, (os.cpu_count() or 1) // workers))
        self._surroundings = KEEP | dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), threads) | ONE_THREAD
        if job.gpus:
            self._surroundings["CUDA_VISIBLE_DEVICES"] = job.gpus[number]
        self._start()

    def give(self, unit: str) -> None:
        self.unit, self.heard_at = unit, time.monotonic()
        self._write(unit)

    def barked_at(self, watchdog: Watchdog) -> MhmdError | None:
        """The error of the unit in hand, if it hangs, eats too much or is dead."""
        if not self.unit:
            return None
        if self.process.poll() is not None and self._messages.empty():
            return WorkerDied(
                f"{self.unit}: its process ended with status {self.process.returncode}",
                wanted="a result",
                do="if it comes again, look into the unit's input; a decoder may have crashed on it",
            )
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
        self.kill()
        self._start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
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

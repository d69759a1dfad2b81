"""Has units made: one after the other, in several processes, or on a Ray cluster.

Every unit runs in a child process under a watchdog, for a decoder that hangs or eats the memory must not take the run
with it. Only names and counts cross to the child and back, as lines of JSON.
"""

from __future__ import annotations

import json
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mhmd.children import Child
from mhmd.errors import DependencyError, MhmdError
from mhmd.stage import Where

POLL_S = 0.2


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
    messages: queue.Queue[tuple[Child, dict[str, Any] | None]] = queue.Queue()  # Any: JSON
    count = min(workers, len(units))
    children = [Child(job, messages, count, number) for number in range(count)]
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
    messages: queue.Queue[tuple[Child, dict[str, Any] | None]], children: list[Child], watchdog: Watchdog
) -> tuple[Child, Progress | Outcome | StageBug] | None:
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

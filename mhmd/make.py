"""The only thing that runs stages: has what is stale made, and stores what came of it.

`make` runs in the process that was called; `make_unit` in a child process, for one unit. Both ask whether it is fresh.
"""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mhmd.cores import cores
from mhmd.dataset.published import refuse_foreign
from mhmd.entries import FilmEntry
from mhmd.errors import ManifestError, MissingInput, StorageError, UsageError
from mhmd.execute import EXECUTORS, Flaw, Job, Outcome, Progress, Watchdog
from mhmd.fresh import is_fresh, is_made
from mhmd.inputs import Inputs
from mhmd.manifest.named import faults_of, known_films
from mhmd.manifest.problems import Faults, refuse
from mhmd.records import Failure
from mhmd.sink import Sink, StoredProgress
from mhmd.stage import CORPUS, AnyStage, Where
from mhmd.units import films_of

if TYPE_CHECKING:
    from mhmd.config import Config
    from mhmd.storage import Storage


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the operating system says where nothing more can be written."""


@dataclass(frozen=True, slots=True)
class Started:
    """A stage begins to make so many stale units; `notice` is what must be said before."""

    units: int
    notice: str = ""


Event = Started | Progress | Outcome
Report = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one stage: outcomes by unit, in the order of the units."""

    stage: str
    films: tuple[str, ...]
    outcomes: tuple[Outcome, ...] = field(default=())

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    @property
    def is_whole(self) -> bool:
        """Whether no unit failed, and no frame of those that were made."""
        return not any(outcome.status == "failed" or outcome.flaws for outcome in self.outcomes)

    def count(self, status: str) -> int:
        """How many units ended as made, fresh or failed."""
        return sum(outcome.status == status for outcome in self.outcomes)

    def rows(self, table: str) -> int:
        """How many rows of a table were written."""
        return sum(outcome.counts.get(table, 0) for outcome in self.outcomes)


def make(
    stage: AnyStage,
    config: Config,
    where: Where,
    *,
    only: Sequence[str] | None = None,
    limit: int = 0,
    on: str = "processes",
    workers: int = 1,
    watchdog: Watchdog | None = None,
    report: Report = lambda _: None,
) -> Made:
    """Make every stale unit of a stage and leave the fresh ones alone.

    `only` names the films, `limit` takes no more than so many of them (0 = all), the first by name. Expected failures
    are outcomes with a row in `errors/`; they stop nobody and are tried again next time. Raises MissingInput,
    ManifestError, UsageError before anything runs; a bug in a stage is raised with the child's traceback, at the end.
    """
    from mhmd.dataset.place import tidy
    from mhmd.storage import Storage

    if on not in EXECUTORS:
        raise UsageError(f"--on {on}", wanted=f"one of {', '.join(EXECUTORS)}", do="name one of them")
    where = where.absolute()
    storage = Storage(where.data)
    _refuse_unsound(stage, where, storage)
    films = films_of(stage, where, storage, only)[: limit or None]
    if stage.scope == "dataset":
        refuse_foreign(out := Storage(where.dataset()))
        tidy(out)
    units = films if stage.scope == "film" else (CORPUS,)
    failed_before = set(storage.names(f"{Failure.TABLE}/{stage.name}", ".parquet"))
    outcomes: dict[str, Outcome] = {}
    for unit in units:
        if is_fresh(stage, config, where, storage, unit, films):
            outcomes[unit] = Outcome(unit, "fresh")
            report(outcomes[unit])
            if unit in failed_before:
                _record(storage, stage.name, outcomes[unit])
    stale = [unit for unit in units if unit not in outcomes]
    refuse(stage.check(Inputs(stage, where, storage, CORPUS, stale if stage.scope == "film" else films)))
    if stale:
        stage.ready(config)
    report(Started(len(stale), stage.notice(config) if stale else ""))
    gpus = _gpus(stage, where) if stale and on != "ray" else ()
    wants_gpu = stage.gpus > 0 and where.device in ("auto", "cuda")
    job = Job(stage.module, config.model_dump_json(), where, films, gpus, wants_gpu)
    for event in EXECUTORS[on](job, stale, workers=workers, watchdog=watchdog or Watchdog()):
        if isinstance(event, Outcome):
            _record(storage, stage.name, event)
            outcomes[event.unit] = event
        report(event)
    return Made(stage.name, films, tuple(outcomes[unit] for unit in units))


def _refuse_unsound(stage: AnyStage, where: Where, storage: Storage) -> None:
    """Raise ManifestError telling everything that is wrong with the manifests which a stage reads.

    Once anything is wrong with them in themselves, what `stage.check` finds beside it is told with it.
    """
    faults = faults_of({FilmEntry, *stage.reads}, where)
    if faults:
        add_check(faults, stage, where, storage, _readable_films(stage, where, storage))
        faults.refuse()


def add_check(faults: Faults, stage: AnyStage, where: Where, storage: Storage, films: Sequence[str]) -> None:
    """Take what `stage.check` finds, as far as the manifests can be read."""
    with suppress(ManifestError):
        faults.add(stage.check(Inputs(stage, where, storage, CORPUS, films)))


def _readable_films(stage: AnyStage, where: Where, storage: Storage) -> tuple[str, ...]:
    """The films that a stage works on, as far as that can be told."""
    named = where if known_films(where, storage) is not None else replace(where, films="")
    with suppress(MissingInput, UsageError):
        return films_of(stage, named, storage)
    return ()


def make_unit(job: Job, unit: str, progress: StoredProgress) -> Outcome:
    """Make one unit unless it is fresh. Raises what the stage raises; nothing is stored then."""
    from mhmd.dataset.sink import DatasetSink
    from mhmd.storage import Storage

    stage: AnyStage = importlib.import_module(job.module).STAGE
    config = stage.config.model_validate_json(job.config_json)
    storage = Storage(job.where.data)
    films = (unit,) if stage.scope == "film" else job.films
    inputs = Inputs(stage, job.where, storage, unit, films, lambda done, total: progress(done, total, 0))
    digest = inputs.digest(config.content(), hash_now=True)
    if is_made(stage, inputs, storage, job.where, digest):
        return Outcome(unit, "fresh")
    sink = (
        DatasetSink(job.where.dataset(), digest, progress, threads=cores())
        if stage.scope == "dataset"
        else Sink(storage, unit, stage.writes, stage.bytes_to, progress)
    )
    try:
        stage.run(inputs, config, sink)
        if isinstance(sink, DatasetSink):
            sink.commit()
        else:
            sink.commit(digest, inputs.sources())
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise StorageError(
            f"{unit}: {error.strerror}",
            wanted=f"room in {job.where.data} and for temporary files",
            do="make room, or name other folders (TMPDIR), and run the same command again; what is done stays done",
        ) from error
    finally:
        sink.discard()
    if isinstance(sink, DatasetSink):
        return Outcome(unit, "made", counts=dict(sink.counts))
    flaws = tuple(Flaw(*each) for each in sink.flaws)
    return Outcome(unit, "made", counts=dict(sink.counts), notes=tuple(sink.notes), flaws=flaws)


def _gpus(stage: AnyStage, where: Where) -> tuple[str, ...]:
    """The GPUs that the stage's units are dealt to. Raises UsageError when one is asked for that is not there."""
    from mhmd.device import gpus, torch_device

    if not stage.gpus:
        return ()
    if where.device not in ("auto", "cpu"):
        torch_device(where.device)
    return gpus(where.device)


def _record(storage: Storage, stage: str, outcome: Outcome) -> None:
    """Keep the rows of a failed unit, or of its frames, in errors/, and drop them when it succeeds."""
    from mhmd.storage import table_of

    name = f"{Failure.TABLE}/{stage}/{outcome.unit}.parquet"
    whole = [(outcome.error, outcome.message, None)] if outcome.status == "failed" else []
    failures = [*whole, *((flaw.error, flaw.message, flaw.frame_id) for flaw in outcome.flaws)]
    if not failures:
        storage.remove(name)
        return
    attempt = 1
    with suppress(StorageError):  # damaged: it is made anew
        attempt += storage.table(name)["attempt"][0].as_py() if storage.exists(name) else 0
    rows = [Failure(stage, outcome.unit, error, message, attempt, frame) for error, message, frame in failures]
    storage.write_table(name, table_of(Failure, rows))

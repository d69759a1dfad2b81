"""The only thing that runs stages: finds what is stale, has it made, stores what came of it.

`make` runs in the process that was called; `make_unit` in a child process, for one unit. Both ask the same
`digest`: a unit is fresh when the digest of all that it depends on stands in the table that says it is done.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import MissingInput, UsageError
from mhmd.execute import EXECUTORS, Job, Outcome, Progress, Watchdog
from mhmd.inputs import Inputs, read_manifest, table_path
from mhmd.records import STORED, Failure, FilmEntry
from mhmd.stage import CORPUS, AnyStage, Where

if TYPE_CHECKING:
    from mhmd.config import Config
    from mhmd.storage import Storage

Event = Progress | Outcome
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
    on: str = "processes",
    workers: int = 1,
    watchdog: Watchdog | None = None,
    report: Report = lambda _: None,
) -> Made:
    """Make every stale unit of a stage and leave the fresh ones alone.

    `only` limits the films. Expected failures are outcomes with a row in `errors/`; they stop nobody and are tried
    again next time. Raises MissingInput, ManifestError, UsageError before anything runs; a bug in a stage is raised
    with the child's traceback.
    """
    from mhmd.storage import Storage

    if on not in EXECUTORS:
        raise UsageError(f"--on {on}", wanted=f"one of {', '.join(EXECUTORS)}", do="name one of them")
    where = where.absolute()
    storage = Storage(where.data)
    films = _films(stage, where, storage, only)
    units = films if stage.scope == "film" else (CORPUS,)
    outcomes: dict[str, Outcome] = {}
    for unit in units:
        if _is_fresh(stage, config, where, storage, unit, films, hash_now=False):
            outcomes[unit] = Outcome(unit, "fresh")
            report(outcomes[unit])
    stale = [unit for unit in units if unit not in outcomes]
    job = Job(stage.module, config.model_dump_json(), where, films)
    for event in EXECUTORS[on](job, stale, workers=workers, watchdog=watchdog or Watchdog()):
        if isinstance(event, Outcome):
            _record(storage, stage.name, event)
            outcomes[event.unit] = event
        report(event)
    return Made(stage.name, films, tuple(outcomes[unit] for unit in units))


def make_unit(job: Job, unit: str, progress: Callable[[int, int], None]) -> Outcome:
    """Make one unit unless it is fresh. Raises what the stage raises; nothing is stored then."""
    from mhmd.sink import DatasetSink, Sink
    from mhmd.storage import Storage

    stage: AnyStage = importlib.import_module(job.module).STAGE
    config = stage.config.model_validate_json(job.config_json)
    storage = Storage(job.where.data)
    films = (unit,) if stage.scope == "film" else job.films
    if _is_fresh(stage, config, job.where, storage, unit, films, hash_now=True):
        return Outcome(unit, "fresh")
    inputs = Inputs(stage, job.where, storage, unit, films)
    digest = inputs.digest(job.config_json, hash_now=True)
    dataset = stage.scope == "dataset"
    sink = (
        DatasetSink(_out(job.where), progress)
        if dataset
        else Sink(storage, unit, stage.writes, stage.bytes_to, progress)
    )
    try:
        stage.run(inputs, config, sink)
        if isinstance(sink, DatasetSink):
            sink.commit(digest)
        else:
            sink.commit(digest, films)
    finally:
        sink.discard()
    return Outcome(unit, "made", counts=dict(sink.counts))


def is_fresh(stage: AnyStage, config: Config, where: Where, unit: str, films: Sequence[str]) -> bool:
    """Whether a unit is made from what is there now. Hashes no film: one whose file changed is not fresh."""
    from mhmd.storage import Storage

    where = where.absolute()
    return _is_fresh(stage, config, where, Storage(where.data), unit, films, hash_now=False)


def _is_fresh(
    stage: AnyStage, config: Config, where: Where, storage: Storage, unit: str, films: Sequence[str], *, hash_now: bool
) -> bool:
    from mhmd.errors import UnitError

    films = (unit,) if stage.scope == "film" else films
    try:
        digest = Inputs(stage, where, storage, unit, films).digest(config.model_dump_json(), hash_now=hash_now)
    except UnitError:
        if hash_now:
            raise
        return False
    if not digest:
        return False
    if stage.scope == "dataset":
        from mhmd.storage import Storage

        stamp = Storage(str(_out(where))).stamp("samples.parquet")
        return stamp is not None and stamp.digest == digest
    done = [storage.stamp(table_path(record, film)) for film in films for record in stage.writes]
    return all(stamp is not None and stamp.digest == digest for stamp in done)


def _films(stage: AnyStage, where: Where, storage: Storage, only: Sequence[str] | None) -> tuple[str, ...]:
    """The films that a stage works on: of the manifest for a stage that reads films, else those with rows."""
    if stage.film:
        there = sorted(read_manifest(FilmEntry, where)["film_id"].to_pylist())
        source = f"the films manifest {where.films}"
    else:
        first = next(record for record in stage.reads if record in STORED)
        there = storage.names(first.TABLE, ".parquet")
        source = f"{where.data}/{first.TABLE}"
        if not there:
            raise MissingInput(
                f"{source} has no rows of any film",
                wanted=f"what `mhmd {first.STAGE}` makes",
                do=f"run `mhmd {first.STAGE}` first",
            )
        if FilmEntry in stage.reads:
            there = sorted(set(there) & set(read_manifest(FilmEntry, where)["film_id"].to_pylist()))
    if only is None:
        return tuple(there)
    unknown = sorted(set(only) - set(there))
    if unknown:
        raise MissingInput(
            f"{', '.join(unknown)} not in {source}", wanted="films that are there", do="see `mhmd status`"
        )
    return tuple(sorted(only))


def _out(where: Where) -> Path:
    if not where.out or "://" in where.out:
        raise UsageError(f"--out {where.out or 'not given'}", wanted="a local folder", do="name it with --out DIR")
    return Path(where.out)


def _record(storage: Storage, stage: str, outcome: Outcome) -> None:
    """Keep a failed unit's row in errors/, and drop it when the unit succeeds."""
    from mhmd.storage import table_of

    name = f"{Failure.TABLE}/{stage}/{outcome.unit}.parquet"
    if outcome.status != "failed":
        storage.remove(name)
        return
    attempt = storage.table(name)["attempt"][0].as_py() + 1 if storage.exists(name) else 1
    failure = Failure(stage=stage, unit=outcome.unit, class_=outcome.error, message=outcome.message, attempt=attempt)
    storage.write_table(name, table_of(Failure, [failure]))

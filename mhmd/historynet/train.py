"""Training: one loop, from shards to a checkpoint."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from lightning_fabric import Fabric

from mhmd.cores import cores
from mhmd.errors import RecipeError, UsageError
from mhmd.historynet import checkpoint, state
from mhmd.historynet.checkpoint import About
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.damage import Damage
from mhmd.historynet.data import Batch, Part, split_batches, train_batches
from mhmd.historynet.dataset import Dataset, open_dataset
from mhmd.historynet.device import fabric_on
from mhmd.historynet.events import Event, Telling, TrainResult
from mhmd.historynet.interrupt import stop_requests
from mhmd.historynet.journal import Journal
from mhmd.historynet.learners import Learners, new_learners
from mhmd.historynet.metrics import Scores, score
from mhmd.historynet.steps import Losses, gradients
from mhmd.historynet.together import Together
from mhmd.splits import Split

PANEL_PICTURES = 8
MOST_WORKERS = 16


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same from step to step."""

    folder: Path
    dataset: Dataset
    config: TrainConfig
    steps: int
    workers: int
    fabric: Fabric
    together: Together
    learners: Learners
    tell: Telling

    def about(self, step: int) -> About:
        return _about(self.dataset, self.config, step)


def train(
    shards: str,
    run: Path,
    config: TrainConfig,
    *,
    device: str = "auto",
    devices: int = 1,
    workers: int | None = None,
    report: Callable[[Event], None],
) -> TrainResult:
    """Train on the shards at a folder or URL; leave checkpoints, metrics, curves and panels in the folder `run`.

    `devices` of one machine, or those of torchrun, take equal parts of each batch; every one has a process of its own,
    and only the first reports and writes. `workers` threads of each process read samples; where not given, its share of
    the machine's cores, at most 16.

    `model.safetensors` is the generator of the validation with the least ab error (ab_rmse: the square is what is
    learnt), or the last one where there is no val split. A run that has a checkpoint goes on from it, to the same bits
    on a CPU as if it had never stopped. SIGINT and SIGTERM end it after the step they fall into, with a checkpoint.

    Raises DatasetError for shards that cannot be used, or too many damaged samples; WeightsError when `run` holds a
    checkpoint of another training (naming what differs) and for backbone weights; UsageError for devices that are not
    there or cannot share a batch, or a `run` that is no folder; StorageError when a checkpoint finds no room;
    RecipeError when a loss or weight is no longer finite (the last good checkpoint is kept).
    """
    fabric = fabric_on(device, config.precision, devices)
    at_once, rest = divmod(config.batch, fabric.world_size * config.accumulate)
    if rest or at_once < config.least_at_once:
        raise UsageError(
            f"batch {config.batch} for {fabric.world_size} devices, in {config.accumulate} parts each",
            wanted=f"equal parts, of {config.least_at_once} or more",
            do="change batch, accumulate or --devices",
        )
    fabric.launch()
    together = Together(fabric)
    dataset, first = together.all_or_none(lambda: _opened(shards, run, config))
    together.require_same(f"step {first} of dataset {dataset.key}")
    steps = config.total_steps(dataset.train.samples)
    tell = Telling(report if fabric.is_global_zero else None, steps, config.batch)
    if first >= steps:
        tell.note(first, f"{run} is fresh: all {steps} steps are done")
        return TrainResult(run / checkpoint.MODEL, first, None, fresh=True, stopped_by=None)
    learners = together.all_or_none(lambda: _learners(fabric, dataset, run, config, first))
    tell.start(dataset, config, learners, fabric, first)
    workers = workers or _share_of_cores(fabric)
    the_run = _Run(run, dataset, config, steps, workers, fabric, together, learners, tell)
    with together.all_or_none(lambda: Journal(run if fabric.is_global_zero else None, first)) as journal:
        return _loop(the_run, journal, first)


def _share_of_cores(fabric: Fabric) -> int:
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", fabric.world_size))
    return max(1, min(MOST_WORKERS, cores() // processes))


def _opened(shards: str, run: Path, config: TrainConfig) -> tuple[Dataset, int]:
    """The dataset, and the step that the run's checkpoint stands at."""
    dataset = open_dataset(shards)
    dataset.require(config)
    return dataset, _step_reached(run, _about(dataset, config, 0))


def _learners(fabric: Fabric, dataset: Dataset, run: Path, config: TrainConfig, first: int) -> Learners:
    learners = new_learners(fabric, config, _about(dataset, config, 0).classes)
    if first:
        state.restore(run, learners)
    return learners


def _loop(run: _Run, journal: Journal, first: int) -> TrainResult:
    config, fabric, together = run.config, run.fabric, run.together
    on_cpu = fabric.device.type == "cpu"
    lead = together.all_or_none(lambda: _Lead(run, journal, first))
    part = Part(fabric.global_rank, fabric.world_size)
    damage = Damage(run.dataset.train.samples // fabric.world_size, config.max_damaged)
    batches = train_batches(run.dataset, config, first, fabric.device, part=part, workers=run.workers, damage=damage)
    started, told = perf_counter(), first
    with stop_requests() as stop, closing(batches):
        for step in range(first + 1, run.steps + 1):
            losses = together.all_or_none(lambda: _gradients(run, batches))
            run.learners.update(fabric, config.rate_at(step - 1, run.steps), step)

            validates = step % config.validate_every == 0 or step == run.steps
            saves = step % config.checkpoint_every == 0 or step == run.steps
            logs = step % config.log_every == 0 or step == run.steps
            if not (on_cpu or validates or saves or logs):
                continue  # reading a loss would make the processor wait for the GPU
            values, stopped_by = _read(fabric, losses, stop.signal)
            _require_finite(values, step)
            run.tell.damage(step, damage)
            run.tell.step(step, values, (step - told) * config.batch / (perf_counter() - started))
            stopped_by = stopped_by or (stop.signal if fabric.world_size == 1 else None)  # one that came just now
            rate = config.rate_at(step - 1, run.steps)
            saves = saves or stopped_by is not None
            if logs or validates or saves:
                together.all_or_none(partial(lead.keep, step, values if logs else {}, rate, validates, saves))
            if stopped_by:
                break
            started, told = perf_counter(), step
    run.tell.end(step, run.folder / checkpoint.MODEL, damage)
    return TrainResult(run.folder / checkpoint.MODEL, step, lead.scores, fresh=False, stopped_by=stopped_by)


def _gradients(run: _Run, batches: Iterator[Batch]) -> list[Losses]:
    """Have the gradients of all parts of a step lie on the networks."""
    classes = len(run.dataset.mask_classes)
    return [
        gradients(run.fabric, run.learners, next(batches), run.config, classes) for _ in range(run.config.accumulate)
    ]


class _Lead:
    """What the first process does for all: it validates, and writes records and checkpoints. Others do nothing."""

    def __init__(self, run: _Run, journal: Journal, first: int) -> None:
        self._run, self._journal = run, journal
        self._leads = run.fabric.is_global_zero
        self._panel = _panel(run) if self._leads else []
        self._best = _best_before(run, first)
        self.scores: Scores | None = None  # of the last validation

    def keep(self, step: int, losses: dict[str, float], rate: float, validates: bool, saves: bool) -> None:
        """Write down what came of a step; `losses` where they are to be."""
        run = self._run
        if not self._leads:
            return
        if losses:
            self._journal.losses(step, losses, rate)
        if validates:
            self._validate(step)
        if saves:
            state.save(run.folder, run.learners, run.about(step), as_model=self._best is None)
            if self._best is None:
                run.tell.checkpoint(step, run.folder / checkpoint.MODEL)

    def _validate(self, step: int) -> None:
        run = self._run
        state.require_finite_model(run.learners, step)
        self._journal.panel(step, run.learners.model(), self._panel)
        self.scores = scores = _validated(run, self._journal, step)
        if scores is not None and (self._best is None or scores.ab_rmse < self._best):
            self._best = scores.ab_rmse
            about = replace(run.about(step), val_ab_rmse=self._best)
            run.tell.checkpoint(step, state.save_model(run.folder, run.learners, about))


def _read(fabric: Fabric, losses: Sequence[Losses], signal: str | None) -> tuple[dict[str, float], str | None]:
    """Losses of a step, meaned over its parts on all devices; and by what to stop, when any process was asked to."""
    mean = torch.stack([each.values for each in losses]).mean(dim=0)
    vector = torch.cat((mean, mean.new_tensor([float(signal is not None)])))
    if fabric.world_size > 1:
        fabric.all_reduce(vector, reduce_op="mean")
    *values, asked = vector.tolist()
    return dict(zip(losses[0].names, values, strict=True)), (signal or "another process") if asked else None


def _require_finite(losses: dict[str, float], step: int) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise RecipeError(
                f"loss {name} is {value} at step {step}",
                wanted="finite losses",
                do="lower learning_rate or the term's weight; the last good checkpoint is kept",
            )


def _best_before(run: _Run, first: int) -> float | None:
    """The val ab error of the model that the run has, when it is of a step that will not come again."""
    path = run.folder / checkpoint.MODEL
    if not first or not path.exists():
        return None
    about = checkpoint.read_about(path)
    return about.val_ab_rmse if about.step <= first else None


def _about(dataset: Dataset, config: TrainConfig, step: int) -> About:
    return About(config, step, dataset.key, dataset.labels, dataset.mask_classes)


def _step_reached(run: Path, wanted: About) -> int:
    """The step that a run's checkpoint stands at, 0 without one."""
    try:
        run.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{run} is a file", wanted="a folder", do="choose another folder for the run") from None
    last = run / checkpoint.LAST
    if not last.exists():
        return 0
    found = checkpoint.read_about(last)
    found.require_same(wanted, last)
    return found.step


def _panel(run: _Run) -> list[Batch]:
    """The pictures that every panel shows."""
    split: Split = "val" if run.dataset.val.samples else "train"
    pictures = split_batches(
        run.dataset,
        split,
        run.config.size_px,
        PANEL_PICTURES,
        run.fabric.device,
        pictures=PANEL_PICTURES,
        damage=Damage(PANEL_PICTURES, 1),  # a validation counts these, too
    )
    return list(pictures)


def _validated(run: _Run, journal: Journal, step: int) -> Scores | None:
    if not run.dataset.val.samples:
        return None
    config = run.config
    pictures = split_batches(
        run.dataset,
        "val",
        config.size_px,
        config.batch,
        run.fabric.device,
        pictures=config.validate_pictures,
        workers=run.workers,
        damage=Damage(min(config.validate_pictures, run.dataset.val.samples), config.max_damaged),
    )
    with closing(pictures):
        scores = score(run.learners.model(), pictures)
    journal.scores(step, scores)
    run.tell.validation(step, scores)
    return scores

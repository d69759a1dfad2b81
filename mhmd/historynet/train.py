"""Training: one loop, from shards to a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Literal

from lightning_fabric import Fabric

from mhmd.errors import RecipeError, UsageError
from mhmd.historynet import checkpoint, state
from mhmd.historynet.checkpoint import About
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import Batch, split_batches, train_batches
from mhmd.historynet.dataset import Dataset, Split, open_dataset
from mhmd.historynet.device import fabric_on
from mhmd.historynet.interrupt import stop_requests
from mhmd.historynet.journal import Journal, painted_panel
from mhmd.historynet.layers import count_parameters
from mhmd.historynet.metrics import Scores, score
from mhmd.historynet.steps import Learners, new_learners, train_step

PANEL_PICTURES = 8


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell whoever waits. A `step` comes after every step, with its losses in `values`."""

    kind: Literal["note", "warning", "step", "validation", "checkpoint"]
    step: int
    steps: int
    text: str
    values: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How training ended."""

    checkpoint: Path
    step: int
    scores: Scores | None  # of the last validation, when this call made one
    fresh: bool  # there was nothing left to do
    stopped_by: str | None  # the signal that ended it early


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same from step to step."""

    folder: Path
    dataset: Dataset
    config: TrainConfig
    steps: int
    fabric: Fabric
    learners: Learners
    report: Callable[[Event], None]

    def about(self, step: int) -> About:
        return _about(self.dataset, self.config, step)


def train(
    shards: str, run: Path, config: TrainConfig, *, device: str = "auto", report: Callable[[Event], None]
) -> TrainResult:
    """Train on the shards at a folder or URL; leave checkpoints, metrics, curves and panels in the folder `run`.

    `model.safetensors` is the generator of the validation with the least ab error (ab_rmse: the square is what is
    learnt), or the last one where there is no val split. A run that has a checkpoint goes on from it, to the same bits
    on a CPU as if it had never stopped. SIGINT and SIGTERM end it after the step they fall into, with a checkpoint.

    Raises DatasetError for shards that cannot be used, WeightsError when `run` holds a checkpoint of another
    training (naming what differs) and for backbone weights, UsageError for a device that is not there or a `run`
    that is no folder, RecipeError when a loss or weight is no longer finite (the last good checkpoint is kept).
    """
    dataset = open_dataset(shards)
    steps = config.total_steps(dataset.train.samples)
    first = _step_reached(run, _about(dataset, config, 0))
    if first >= steps:
        report(Event("note", first, steps, f"{run} is fresh: all {steps} steps are done"))
        return TrainResult(run / checkpoint.MODEL, first, None, fresh=True, stopped_by=None)
    fabric = fabric_on(device, config.precision)
    learners = new_learners(fabric, config, len(dataset.labels))
    if first:
        state.restore(run, learners)
    _tell_start(report, dataset, config, learners, fabric, first, steps)
    with Journal(run, first) as journal:
        return _loop(_Run(run, dataset, config, steps, fabric, learners, report), journal, first)


def _loop(run: _Run, journal: Journal, first: int) -> TrainResult:
    config, model, scores = run.config, run.learners.generator.module, None
    panel, best = _panel_batch(run), _best_before(run, first)
    batches = train_batches(run.dataset, config.size_px, config.batch, config.seed, first, run.fabric.device)
    with stop_requests() as stop, closing(batches):
        for step in range(first + 1, run.steps + 1):
            started = perf_counter()
            run.learners.set_rate(config.rate_at(step - 1, run.steps))
            losses = train_step(run.fabric, run.learners, next(batches), config, step - 1)
            _require_finite(losses, step)
            took = f"{perf_counter() - started:.2f} s"
            run.report(Event("step", step, run.steps, f"loss {losses['generator']:.5f}, {took}", losses))
            stopped_by = stop.signal  # read once: it may come at any line
            ends = step == run.steps or stopped_by is not None
            if step % config.log_every == 0 or ends:
                journal.losses(step, losses)
            if step % config.validate_every == 0 or step == run.steps:
                journal.panel(step, painted_panel(model, panel))
                scores = _validated(run, journal, step)
                if scores is not None and (best is None or scores.ab_rmse < best):
                    best = scores.ab_rmse
                    _write_model(run, step, best)
            if step % config.checkpoint_every == 0 or ends:
                state.save(run.folder, run.learners, run.about(step))
                if best is None:
                    _write_model(run, step, None)
            if stopped_by is not None:
                break
    return TrainResult(run.folder / checkpoint.MODEL, step, scores, fresh=False, stopped_by=stopped_by)


def _write_model(run: _Run, step: int, val_ab_rmse: float | None) -> None:
    path = state.save_model(run.folder, run.learners, replace(run.about(step), val_ab_rmse=val_ab_rmse))
    run.report(Event("checkpoint", step, run.steps, f"wrote {path}"))


def _best_before(run: _Run, first: int) -> float | None:
    """The val ab error of the model that the run has, when it is of a step that will not come again."""
    path = run.folder / checkpoint.MODEL
    if not first or not path.exists():
        return None
    about = checkpoint.read_about(path)
    return about.val_ab_rmse if about.step <= first else None


def _about(dataset: Dataset, config: TrainConfig, step: int) -> About:
    return About(config, step, dataset.train.samples, dataset.labels, dataset.mask_classes)


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


def _tell_start(
    report: Callable[[Event], None],
    dataset: Dataset,
    config: TrainConfig,
    learners: Learners,
    fabric: Fabric,
    first: int,
    steps: int,
) -> None:
    size = count_parameters(learners.generator.module)
    go = f"going on at step {first} of {steps}" if first else f"{steps} steps"
    report(
        Event("note", first, steps, f"{dataset.train.samples} samples, {size:,} parameters, on {fabric.device}: {go}")
    )
    if not config.backbone_weights:
        report(Event("warning", first, steps, "the trunk starts from random weights: backbone_weights is empty"))
    if not dataset.val.samples:
        report(Event("warning", first, steps, "the val split is empty: no validation"))


def _panel_batch(run: _Run) -> Batch:
    split: Split = "val" if run.dataset.val.samples else "train"
    pictures = split_batches(run.dataset, split, run.config.size_px, PANEL_PICTURES, run.fabric.device, PANEL_PICTURES)
    with closing(pictures):
        return next(pictures)


def _validated(run: _Run, journal: Journal, step: int) -> Scores | None:
    if not run.dataset.val.samples:
        return None
    pictures = split_batches(
        run.dataset, "val", run.config.size_px, run.config.batch, run.fabric.device, run.config.validate_pictures
    )
    with closing(pictures):
        scores = score(run.learners.generator.module, pictures)
    journal.scores(step, scores)
    text = f"val: ab error {scores.ab_rmse:.2f} (gray {scores.neutral_ab_rmse:.2f}), PSNR {scores.psnr:.2f} dB"
    values = {"ab_mae": scores.ab_mae, "ab_rmse": scores.ab_rmse, "psnr": scores.psnr, "ssim": scores.ssim}
    run.report(Event("validation", step, run.steps, text, values))
    return scores


def _require_finite(losses: Mapping[str, float], step: int) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise RecipeError(
                f"loss {name} is {value} at step {step}",
                wanted="finite losses",
                do="lower learning_rate or the term's weight; the last good checkpoint is kept",
            )

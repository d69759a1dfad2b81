"""What training tells whoever waits, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from lightning_fabric import Fabric

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.damage import Damage
from mhmd.historynet.dataset import Dataset
from mhmd.historynet.layers import count_parameters
from mhmd.historynet.learners import Learners
from mhmd.historynet.metrics import Scores

Kind = Literal["note", "warning", "step", "validation", "checkpoint"]
_SHOWN_DAMAGE = 5


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell. A `step` has its losses in `values`; it comes after every step, on a GPU every `log_every`."""

    kind: Kind
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


class Telling:
    """Puts what happens into words, for one report; silent without one."""

    def __init__(self, report: Callable[[Event], None] | None, steps: int, batch: int) -> None:
        self._report, self._steps, self._batch = report, steps, batch
        self._shown = 0

    def note(self, step: int, text: str, kind: Kind = "note", values: Mapping[str, float] | None = None) -> None:
        """Tell anything."""
        if self._report is not None:
            self._report(Event(kind, step, self._steps, text, values or {}))

    def start(self, dataset: Dataset, config: TrainConfig, learners: Learners, fabric: Fabric, first: int) -> None:
        """Tell what is trained on what, and what is missing."""
        size = count_parameters(learners.generator.module)
        go = f"going on at step {first} of {self._steps}" if first else f"{self._steps} steps"
        where = f"{fabric.world_size} × {fabric.device.type}" if fabric.world_size > 1 else str(fabric.device)
        self.note(first, f"{config.variant}: {dataset.train.samples} samples, {size:,} parameters, on {where}: {go}")
        warnings = {
            "the trunk starts from random weights: backbone_weights is empty": not config.backbone_weights,
            "backbone_weights has no classifier.*: the class head has nothing to learn from": config.backbone_weights
            and config.class_head == "imagenet"
            and config.weight_class
            and learners.teacher is None,
            "class_head imagenet needs backbone_weights: the class head has nothing to learn from": config.class_head
            == "imagenet"
            and not config.backbone_weights,
            "the val split is empty: no validation": not dataset.val.samples,
        }
        for text, holds in warnings.items():
            if holds:
                self.note(first, text, "warning")

    def step(self, step: int, losses: Mapping[str, float], images_per_s: float) -> None:
        """Tell how fast it goes, and the losses."""
        told = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
        self.note(step, f"{images_per_s:.3g} images/s, {told}", "step", losses)

    def validation(self, step: int, scores: Scores) -> None:
        """Tell the scores."""
        text = f"val: ab error {scores.ab_rmse:.2f} (gray {scores.neutral_ab_rmse:.2f}), PSNR {scores.psnr:.2f} dB"
        values = {name: value for name, value in asdict(scores).items() if value is not None}
        self.note(step, text, "validation", values)

    def checkpoint(self, step: int, path: Path) -> None:
        """Tell that a model was written."""
        self.note(step, f"wrote {path}", "checkpoint")

    def damage(self, step: int, damage: Damage) -> None:
        """Tell of the first damaged samples."""
        for found in damage.news():
            self._shown += 1
            if self._shown <= _SHOWN_DAMAGE:
                self.note(step, f"passed over: {found}", "warning")

    def end(self, step: int, model: Path, damage: Damage) -> None:
        """Tell where it ended."""
        if damage.count:
            self.note(step, f"{damage.count} damaged samples were passed over", "warning")
        self.note(step, f"{model}: step {step}")

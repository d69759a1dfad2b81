"""What training needs to go on: networks, moments and averaged weights as named tensors, both directions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mhmd.errors import RecipeError, WeightsError
from mhmd.historynet import checkpoint
from mhmd.historynet.checkpoint import About
from mhmd.historynet.learners import Learner, Learners


def save(run: Path, learners: Learners, about: About, *, as_model: bool = False) -> None:
    """Write what training needs to go on; and before, if asked to, the run's model, since this says that it is there.

    Raises RecipeError, and writes nothing, when a weight is not finite; StorageError when there is no room.
    """
    tensors = _tensors(learners)
    _require_finite(tensors, about.step)
    if as_model:
        save_model(run, learners, about)
    checkpoint.write(run / checkpoint.LAST, tensors, about)


def save_model(run: Path, learners: Learners, about: About) -> Path:
    """Write the generator alone, averaged where it is, as the run's model, and give its path. Raises as `save` does."""
    weights = require_finite_model(learners, about.step)
    checkpoint.write(run / checkpoint.MODEL, {f"generator.{name}": tensor for name, tensor in weights.items()}, about)
    return run / checkpoint.MODEL


def restore(run: Path, learners: Learners) -> None:
    """Put networks, moments and averages back as `save` found them. Raises WeightsError when they do not fit."""
    path = run / checkpoint.LAST
    _, tensors = checkpoint.read(path, "")
    for network, learner in learners.named():
        checkpoint.load_into(learner.module, _under(f"{network}.", tensors), path)
        _restore_moments(learner, _under(f"optimizer.{network}.", tensors), path)
    if learners.average is not None:
        checkpoint.load_into(learners.average.module, _under("average.", tensors), path)


def require_finite_model(learners: Learners, step: int) -> dict[str, Tensor]:
    """The weights of the run's model. Raises RecipeError when one is not finite."""
    weights = learners.model().state_dict()
    _require_finite(weights, step)
    return weights


def _require_finite(tensors: Mapping[str, Tensor], step: int) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise RecipeError(
                f"{name} is not finite at step {step}",
                wanted="finite weights",
                do="lower learning_rate; the checkpoint before is kept",
            )


def _restore_moments(learner: Learner, tensors: Mapping[str, Tensor], path: Path) -> None:
    state = {}
    for number, (name, weight) in enumerate(learner.module.named_parameters()):
        moments = _under(f"{name}.", tensors)
        if any(moment.dim() and moment.shape != weight.shape for moment in moments.values()):
            raise WeightsError(f"{path}: moments of {name} do not fit", wanted="its shape", do="train anew")
        if moments:
            state[number] = {
                slot: moment.to(memory_format=torch.channels_last) if moment.dim() == 4 else moment
                for slot, moment in moments.items()
            }
    learner.optimizer.load_state_dict(learner.optimizer.state_dict() | {"state": state})


def _tensors(learners: Learners) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for network, learner in learners.named():
        tensors |= {f"{network}.{name}": tensor for name, tensor in learner.module.state_dict().items()}
        for name, weight in learner.module.named_parameters():
            moments = learner.optimizer.state.get(weight, {})
            tensors |= {f"optimizer.{network}.{name}.{slot}": moment for slot, moment in moments.items()}
    if learners.average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in learners.average.module.state_dict().items()}
    return tensors


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

"""What training needs to go on: networks and moments as named tensors, both directions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mhmd.errors import RecipeError, WeightsError
from mhmd.historynet import checkpoint
from mhmd.historynet.checkpoint import About
from mhmd.historynet.steps import Learners


def save(run: Path, learners: Learners, about: About) -> None:
    """Write what training needs to go on. Raises RecipeError, and writes nothing, when a weight is not finite."""
    tensors = _tensors(learners)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise RecipeError(
                f"{name} is not finite at step {about.step}",
                wanted="finite weights",
                do="lower learning_rate; the checkpoint before is kept",
            )
    checkpoint.write(run / checkpoint.LAST, tensors, about)


def save_model(run: Path, learners: Learners, about: About) -> Path:
    """Write the generator alone, as the run's model, and give its path."""
    weights = learners.generator.module.state_dict()
    checkpoint.write(run / checkpoint.MODEL, {f"generator.{name}": tensor for name, tensor in weights.items()}, about)
    return run / checkpoint.MODEL


def restore(run: Path, learners: Learners) -> None:
    """Put networks and moments back as `save` found them. Raises WeightsError when they do not fit."""
    path = run / checkpoint.LAST
    _, tensors = checkpoint.read(path, "")
    for network, learner in learners.named():
        checkpoint.load_into(learner.module, _under(f"{network}.", tensors), path)
        for name, weight in learner.module.named_parameters():
            moments = _under(f"optimizer.{network}.{name}.", tensors)
            if any(moment.dim() and moment.shape != weight.shape for moment in moments.values()):
                raise WeightsError(f"{path}: moments of {name} do not fit", wanted="its shape", do="train anew")
            if moments:
                # Adam keeps its count of steps on the CPU, everything else where the weight lies
                learner.optimizer.state[weight] = {
                    slot: moment.to(weight.device) if moment.dim() else moment for slot, moment in moments.items()
                }


def _tensors(learners: Learners) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for network, learner in learners.named():
        tensors |= {f"{network}.{name}": tensor for name, tensor in learner.module.state_dict().items()}
        for name, weight in learner.module.named_parameters():
            moments = learner.optimizer.state.get(weight, {})
            tensors |= {f"optimizer.{network}.{name}.{slot}": moment for slot, moment in moments.items()}
    return tensors


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

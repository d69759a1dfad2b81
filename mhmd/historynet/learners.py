"""The networks that learn, each with its optimizer, and what judges or averages them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import distributed, nn
from torch.optim import Adam, Optimizer

from mhmd.historynet.backbone import Teacher, has_classifier, load_teacher, load_trunk, read_weights
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.critic import AbClassifier, Critic
from mhmd.historynet.model import Classes, Generator

KERAS_ADAM_EPSILON = 1e-7


@dataclass(frozen=True, slots=True)
class Learner:
    """A network, its forward pass as it is or compiled, and its optimizer."""

    module: nn.Module
    forward: Callable[..., Any]  # Any: what the module gives
    optimizer: Optimizer

    def update(self, fabric: Fabric, rate: float) -> None:
        """Go a step along the gradients that lie on the module, meaned over all devices, and clear them."""
        mean_gradients(fabric, self.module)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()


class Average:
    """The generator with weights averaged over the steps, for validation and for the model that a run leaves."""

    def __init__(self, generator: Generator, decay: float) -> None:
        self.module = deepcopy(generator).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, generator: Generator, step: int) -> None:
        """Move towards the weights after a step, counted from 1; at first faster than the decay says."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.module.parameters()), list(generator.parameters()), 1 - decay)
        for mine, theirs in zip(self.module.buffers(), generator.buffers(), strict=True):
            mine.copy_(theirs)


@dataclass(frozen=True, slots=True)
class Learners:
    """The networks that learn; critic and ab-classifier where their weight is not 0."""

    generator: Learner
    critic: Learner | None
    ab_classifier: Learner | None
    average: Average | None
    teacher: Teacher | None

    def named(self) -> list[tuple[str, Learner]]:
        """Each with the name it has in checkpoints."""
        every = (("generator", self.generator), ("critic", self.critic), ("ab_classifier", self.ab_classifier))
        return [(name, learner) for name, learner in every if learner is not None]

    def update(self, fabric: Fabric, rate: float, step: int) -> None:
        """Have every network go a step at this learning rate; steps count from 1."""
        for _, learner in self.named():
            learner.update(fabric, rate)
        if self.average is not None:
            assert isinstance(self.generator.module, Generator)
            self.average.update(self.generator.module, step)

    def model(self) -> Generator:
        """The generator to look at and to keep: averaged where there is an average."""
        module = self.generator.module if self.average is None else self.average.module
        assert isinstance(module, Generator)
        return module


def new_learners(fabric: Fabric, config: TrainConfig, classes: Classes) -> Learners:
    """Networks with first weights that depend on the seed alone, and their Adams. Raises WeightsError (backbone)."""
    if config.compile:
        torch.compiler.reset()  # what an ablation's runs before have left counts towards torch's limit of variants
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generator, critic, ab_classifier = Generator(config, classes), Critic(config), AbClassifier(config, classes)
    teacher = None
    if config.backbone_weights:
        weights = read_weights(config.backbone_weights)
        load_trunk(generator.trunk, weights, config.backbone_weights)
        if config.class_head == "imagenet" and has_classifier(weights):
            teacher = load_teacher(weights, config.backbone_weights).to(fabric.device)
    learner = _learner(fabric, config, generator)
    return Learners(
        generator=learner,
        critic=_learner(fabric, config, critic) if config.weight_critic else None,
        ab_classifier=_learner(fabric, config, ab_classifier) if config.weight_info else None,
        average=Average(generator, config.ema) if config.ema else None,
        teacher=teacher,
    )


def _learner(fabric: Fabric, config: TrainConfig, module: nn.Module) -> Learner:
    module.to(fabric.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]  # torch's stub lacks it
    adam = Adam(
        module.parameters(),
        lr=config.learning_rate,
        betas=(config.beta_1, config.beta_2),
        eps=KERAS_ADAM_EPSILON,
        fused=fabric.device.type in ("cpu", "cuda"),
    )
    # each network sees one or two sizes of batch, over and over: code for just these is faster than code for any
    forward = torch.compile(module, dynamic=False) if config.compile else module
    return Learner(module, forward, adam)


def mean_gradients(fabric: Fabric, module: nn.Module) -> None:
    """Make the gradients on a module the mean over all processes, in one message."""
    if fabric.world_size == 1:
        return
    gradients = [weight.grad for weight in module.parameters() if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)  # not Fabric's, which has the processor wait for all devices before
    flat /= fabric.world_size
    for gradient, part in zip(gradients, torch.split(flat, [each.numel() for each in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


@contextmanager
def held(*learners: Learner | None) -> Iterator[None]:
    """Gradients pass through these networks and leave their weights alone."""
    modules = [learner.module for learner in learners if learner is not None]
    for module in modules:
        module.requires_grad_(False)
    try:
        yield
    finally:
        for module in modules:
            module.requires_grad_(True)

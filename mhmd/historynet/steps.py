"""One training step: the generator's, the critic's, the ab-classifier's. A new loss term goes into `_terms`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from mhmd.historynet.backbone import load_backbone
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.critic import AbClassifier, Critic
from mhmd.historynet.data import Batch
from mhmd.historynet.losses import class_kl, gradient_penalty, keras_kld, wasserstein
from mhmd.historynet.model import Generator, Painting

KERAS_ADAM_EPSILON = 1e-7


@dataclass(frozen=True, slots=True)
class Learner:
    """A network, as itself and as Fabric wraps it for forward passes, and its optimizer."""

    module: nn.Module
    forward: nn.Module
    optimizer: Optimizer


@dataclass(frozen=True, slots=True)
class Learners:
    """The three networks that learn."""

    generator: Learner
    critic: Learner
    ab_classifier: Learner

    def named(self) -> tuple[tuple[str, Learner], ...]:
        """Each with the name it has in checkpoints."""
        return (("generator", self.generator), ("critic", self.critic), ("ab_classifier", self.ab_classifier))

    def set_rate(self, learning_rate: float) -> None:
        """Give all optimizers this learning rate."""
        for _, learner in self.named():
            for group in learner.optimizer.param_groups:
                group["lr"] = learning_rate


@dataclass(frozen=True, slots=True)
class _Term:
    name: str
    weight: float
    value: Tensor


def new_learners(fabric: Fabric, config: TrainConfig, labels: int) -> Learners:
    """Networks with first weights that depend on the seed alone, and their Adams. Raises WeightsError (backbone)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generator, critic, ab_classifier = Generator(config, labels), Critic(config), AbClassifier(config)
    if config.backbone_weights:
        load_backbone(generator.trunk, config.backbone_weights)
    learners = []
    for module in (generator, critic, ab_classifier):
        adam = Adam(
            module.parameters(),
            lr=config.learning_rate,
            betas=(config.beta_1, config.beta_2),
            eps=KERAS_ADAM_EPSILON,
        )
        forward, optimizer = fabric.setup(module, adam)
        learners.append(Learner(module.train(), forward, optimizer))
    return Learners(*learners)


def train_step(fabric: Fabric, learners: Learners, batch: Batch, config: TrainConfig, step: int) -> Mapping[str, float]:
    """Train each network once on a batch; `step` counts from 0. Gives every loss, unweighted, by name.

    A term of weight 0 is not computed, and a network that only such a term would use is not trained.
    """
    painting: Painting = learners.generator.forward(batch.lightness)
    with _held(learners.critic), _held(learners.ab_classifier):
        terms = _terms(learners, painting, batch, config)
        total = torch.stack([term.weight * term.value for term in terms]).sum()
        _update(fabric, learners.generator, total)
    losses = {term.name: term.value for term in terms} | {"generator": total}
    made_ab, info = painting.ab.detach(), painting.info.detach()
    if config.weight_critic:
        losses |= _critic_step(fabric, learners.critic, batch, made_ab, config, step)
    if config.weight_info:
        losses["ab_classifier_own"] = own = keras_kld(info, learners.ab_classifier.forward(made_ab))
        _update(fabric, learners.ab_classifier, own)
    values = torch.stack([value.detach().double() for value in losses.values()]).tolist()
    return dict(zip(losses, values, strict=True))


def _terms(learners: Learners, painting: Painting, batch: Batch, config: TrainConfig) -> list[_Term]:
    terms = []
    if config.weight_ab:
        terms.append(_Term("ab", config.weight_ab, functional.mse_loss(painting.ab, batch.ab)))
    if config.weight_class:
        terms.append(_Term("class", config.weight_class, class_kl(painting.class_logits, batch.labels)))
    if config.weight_critic:
        scores = learners.critic.forward(batch.lightness, painting.ab)
        terms.append(_Term("critic", config.weight_critic, -scores.mean()))
    if config.weight_parsing:
        terms.append(_Term("parsing", config.weight_parsing, functional.mse_loss(painting.mask, batch.mask)))
    if config.weight_info:
        # info is a target here: the colours are to carry it, not it to follow what C reads from them
        read = learners.ab_classifier.forward(painting.ab)
        terms.append(_Term("info", config.weight_info, keras_kld(painting.info.detach(), read)))
    return terms


def _critic_step(
    fabric: Fabric, critic: Learner, batch: Batch, made_ab: Tensor, config: TrainConfig, step: int
) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(config.seed * 2**31 + step)
    mix = torch.rand(len(batch.keys), generator=chance).to(made_ab.device)
    distance = wasserstein(critic.forward(batch.lightness, batch.ab), critic.forward(batch.lightness, made_ab))
    # the module itself, in float32: a second derivative in bfloat16 would be mostly noise
    penalty = gradient_penalty(critic.module, batch.lightness, batch.ab, made_ab, mix)
    own = distance + config.gradient_penalty * penalty
    _update(fabric, critic, own)
    return {"critic_own": own, "gradient_penalty": penalty}


def _update(fabric: Fabric, learner: Learner, loss: Tensor) -> None:
    learner.optimizer.zero_grad()
    fabric.backward(loss)
    learner.optimizer.step()


@contextmanager
def _held(learner: Learner) -> Iterator[None]:
    """Gradients pass through the network and leave its weights alone."""
    learner.module.requires_grad_(False)
    try:
        yield
    finally:
        learner.module.requires_grad_(True)

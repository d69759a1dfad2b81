"""The losses of one batch, and their gradients: the generator's, the critic's, the ab-classifier's.

A new loss term goes into `_terms`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import Batch
from mhmd.historynet.lab import scale_ab
from mhmd.historynet.learners import Learner, Learners, held
from mhmd.historynet.losses import distribution_kl, gradient_penalty, heads_kl, keras_kld, mask_gray, wasserstein
from mhmd.historynet.model import Painting


@dataclass(frozen=True, slots=True)
class _Term:
    name: str
    weight: float
    value: Tensor


@dataclass(frozen=True, slots=True)
class Losses:
    """Every loss of a batch, unweighted, by name; `generator` is the weighted sum that the generator goes down."""

    names: tuple[str, ...]
    values: Tensor  # float64, detached, on the device


def gradients(fabric: Fabric, learners: Learners, batch: Batch, config: TrainConfig, classes: int) -> Losses:
    """Add to every network the gradients of its own losses on a batch, divided by the parts of a step.

    `classes` are the mask's. A term of weight 0 is not computed.
    """
    share = 1 / config.accumulate
    with fabric.autocast():
        painting: Painting = learners.generator.forward(batch.seen)
    made, true = scale_ab(painting.ab, config.ab_range), scale_ab(batch.ab, config.ab_range)
    with held(learners.critic, learners.ab_classifier):
        terms = list(_terms(fabric, learners, painting, made, true, batch, config, classes))
        total = torch.stack([term.weight * term.value for term in terms]).sum()
        fabric.backward(total * share)
    losses = {term.name: term.value for term in terms} | {"generator": total}
    made = made.detach()
    if learners.critic is not None:
        penalty, distance = _critic_losses(fabric, learners.critic, batch, true, made, config)
        losses |= {"critic_own": distance + config.gradient_penalty * penalty, "gradient_penalty": penalty}
        fabric.backward(losses["critic_own"] * share)
    if learners.ab_classifier is not None:
        losses["ab_classifier_own"] = own = _told_by_colours(fabric, learners.ab_classifier, painting, made, config)
        fabric.backward(own * share)
    return Losses(tuple(losses), torch.stack([value.detach().double() for value in losses.values()]))


def _terms(
    fabric: Fabric,
    learners: Learners,
    painting: Painting,
    made: Tensor,
    true: Tensor,
    batch: Batch,
    config: TrainConfig,
    classes: int,
) -> Iterator[_Term]:
    if config.weight_ab:
        yield _Term("ab", config.weight_ab, functional.mse_loss(made, true))
    if config.weight_class and config.class_head != "imagenet":
        yield _Term("class", config.weight_class, heads_kl(painting.class_logits, batch.labels))
    elif config.weight_class and learners.teacher is not None:
        with torch.no_grad(), fabric.autocast():
            target = learners.teacher(batch.seen).float()
        yield _Term("class", config.weight_class, distribution_kl(target, painting.class_logits[0]))
    if learners.critic is not None:
        with fabric.autocast():
            scores = learners.critic.forward(batch.lightness, made)
        yield _Term("critic", config.weight_critic, -scores.float().mean())
    if config.weight_parsing:
        assert painting.mask_logits is not None, "a config with a weight has the branch"
        assert batch.mask is not None, "the dataset was asked for masks"
        as_classes = config.mask_target == "classes"
        logits = painting.mask_logits
        value = functional.cross_entropy(logits, batch.mask) if as_classes else mask_gray(logits, batch.mask, classes)
        yield _Term("parsing", config.weight_parsing, value)
    if learners.ab_classifier is not None:
        yield _Term(
            "info", config.weight_info, _told_by_colours(fabric, learners.ab_classifier, painting, made, config)
        )


def _told_by_colours(
    fabric: Fabric, ab_classifier: Learner, painting: Painting, made: Tensor, config: TrainConfig
) -> Tensor:
    """How far what the ab-classifier reads from colours is from what the generator knows of the picture.

    The generator's side is a target here: colours are to carry it, not it to follow what is read from them.
    """
    with fabric.autocast():
        read = ab_classifier.forward(made).float()
    if config.colour_class == "info":
        return keras_kld(painting.info.detach(), read)
    return distribution_kl(painting.class_logits[0].detach(), read)


def _critic_losses(
    fabric: Fabric, critic: Learner, batch: Batch, true: Tensor, made: Tensor, config: TrainConfig
) -> tuple[Tensor, Tensor]:
    """Gradient penalty, and what the critic minimizes besides."""
    count = len(batch.keys)
    with fabric.autocast():  # both in one pass: the critic has no batch norm
        scores = critic.forward(torch.cat((batch.lightness, batch.lightness)), torch.cat((true, made))).float()
    drawn = torch.Generator().manual_seed(random.Random(f"mix {config.seed} {batch.number}").getrandbits(62))
    mix = torch.rand(count, generator=drawn).to(made.device, non_blocking=True)
    # the module itself, in float32 or TF32: torch.compile refuses second derivatives, and bfloat16 would drown them
    penalty = gradient_penalty(critic.module, batch.lightness, true, made, mix)
    return penalty, wasserstein(scores[:count], scores[count:])

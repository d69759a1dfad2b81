"""The losses, each a function of tensors; which are summed, and with what weight, is in `steps`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KERAS_CLIP = 1e-7
"""Keras' epsilon, the floor of what `keras_kld` takes the logarithm of."""


def class_kl(logits: Tensor, labels: Tensor) -> Tensor:
    """KL divergence of the softmax of (N, C) logits from one-hot labels (N,), mean over the labelled samples.

    For a one-hot target that is −log p[label]. A label of -1 is none, and its sample is left out; with no labelled
    sample the loss is 0.
    """
    chosen = labels >= 0
    each = functional.cross_entropy(logits, labels.clamp(min=0), reduction="none")
    return (each * chosen).sum() / chosen.sum().clamp(min=1)


def heads_kl(logits: tuple[Tensor, ...], labels: Tensor) -> Tensor:
    """Mean over the heads of `class_kl`: (N, C) of each, and the labels (N, heads or more) in the heads' order."""
    return torch.stack([class_kl(each, labels[:, head]) for head, each in enumerate(logits)]).mean()


def distribution_kl(target_logits: Tensor, logits: Tensor) -> Tensor:
    """KL divergence of one softmax from another, (N, C) both: Σ t·log(t/p), mean over N."""
    target, found = target_logits.log_softmax(dim=1), logits.log_softmax(dim=1)
    return functional.kl_div(found, target, reduction="batchmean", log_target=True)


def mask_gray(logits: Tensor, mask: Tensor, classes: int) -> Tensor:
    """Squared error of the mask's gray level, class index / (classes − 1): (N, 1, H, W) and (N, H, W)."""
    return functional.mse_loss(logits[:, 0].sigmoid(), mask / max(classes - 1, 1))


def keras_kld(target: Tensor, predicted: Tensor) -> Tensor:
    """Keras' `kullback_leibler_divergence` of (N, K) and (N, K): Σ t·log(t/p), mean over N.

    Both are clipped to [1e-7, 1] first. On unbounded vectors such as `info` that is no divergence: values above 1
    or below 0 have no gradient, and the sum can be negative.
    """
    t, p = target.clamp(KERAS_CLIP, 1), predicted.clamp(KERAS_CLIP, 1)
    return (t * (t / p).log()).sum(dim=1).mean()


def wasserstein(true_scores: Tensor, made_scores: Tensor) -> Tensor:
    """What the critic minimizes besides its penalty: mean score of made colours minus that of true ones.

    WGAN, Arjovsky et al., arXiv 1701.07875, algorithm 1.
    """
    return made_scores.mean() - true_scores.mean()


def gradient_penalty(critic: nn.Module, lightness: Tensor, true_ab: Tensor, made_ab: Tensor, mix: Tensor) -> Tensor:
    """Mean of (‖gradient‖ − 1)² at colours between true and made; `mix` (N,) in [0, 1] is the share of the true.

    WGAN-GP, Gulrajani et al., arXiv 1704.00028, algorithm 1. The gradient is that of the sum of a picture's patch
    scores by its ab. Of their mean it would be hundreds of times larger for the same penalty, and at the paper's
    weight the critic would drown the error of ab.
    """
    share = mix.view(-1, 1, 1, 1)
    between = (share * true_ab + (1 - share) * made_ab).detach().requires_grad_(True)
    scores = critic(lightness, between)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    # 1e-12 keeps the root's own gradient finite where the critic is flat
    norm = (gradient.float().flatten(1).square().sum(dim=1) + 1e-12).sqrt()
    return (norm - 1).square().mean()

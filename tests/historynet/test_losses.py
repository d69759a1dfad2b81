from math import log

import pytest
import torch
from torch import Tensor, nn

from mhmd.historynet.losses import (
    class_kl,
    distribution_kl,
    gradient_penalty,
    heads_kl,
    keras_kld,
    mask_gray,
    wasserstein,
)


def test_class_kl_is_minus_log_of_the_labels_share() -> None:
    logits = torch.tensor([[log(1.0), log(3.0)], [log(1.0), log(1.0)]])
    assert class_kl(logits, torch.tensor([0, 1])).item() == pytest.approx((log(4) + log(2)) / 2)


def test_unlabelled_samples_are_left_out_of_class_kl() -> None:
    logits = torch.tensor([[log(1.0), log(3.0)], [5.0, -5.0]], requires_grad=True)
    loss = class_kl(logits, torch.tensor([0, -1]))
    loss.backward()
    assert loss.item() == pytest.approx(log(4))
    assert logits.grad[1].tolist() == [0, 0]
    assert class_kl(logits, torch.tensor([-1, -1])).item() == 0


def test_heads_count_alike_and_each_passes_over_what_it_has_no_label_for() -> None:
    logits = (torch.tensor([[log(1.0), log(3.0)], [0.0, 0.0]]), torch.tensor([[log(2.0), log(2.0), log(4.0)]] * 2))
    labels = torch.tensor([[0, 2, 7], [1, -1, 7]])
    assert heads_kl(logits, labels).item() == pytest.approx(((log(4) + log(2)) / 2 + log(2)) / 2)


def test_distribution_kl_is_that_of_two_softmaxes() -> None:
    target = torch.tensor([[log(1.0), log(3.0)], [2.0, 2.0]])
    found = torch.tensor([[5.0, 5.0], [log(1.0), log(9.0)]])
    first = 0.25 * log(0.25 / 0.5) + 0.75 * log(0.75 / 0.5)
    second = 0.5 * log(0.5 / 0.1) + 0.5 * log(0.5 / 0.9)
    assert distribution_kl(target, found).item() == pytest.approx((first + second) / 2)
    assert distribution_kl(found, found).item() == pytest.approx(0, abs=1e-7)


def test_mask_gray_is_the_squared_error_of_the_level() -> None:
    logits, mask = torch.tensor([0.0, log(3.0)]).view(1, 1, 1, 2), torch.tensor([[[2, 4]]])
    assert mask_gray(logits, mask, 5).item() == pytest.approx((0 + 0.25**2) / 2)
    assert mask_gray(logits, torch.zeros(1, 1, 2, dtype=torch.long), 1).item() == pytest.approx((0.25 + 0.5625) / 2)


def test_keras_kld_clips_both_sides() -> None:
    target = torch.tensor([[0.5, 2.0, -1.0], [0.25, 0.25, 0.5]])
    predicted = torch.tensor([[0.25, 3.0, 0.5], [0.5, 0.25, -7.0]])
    first = 0.5 * log(2) + 1.0 * log(1 / 1) + 1e-7 * log(1e-7 / 0.5)
    second = 0.25 * log(0.5) + 0 + 0.5 * log(0.5 / 1e-7)
    assert keras_kld(target, predicted).item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_wasserstein_falls_when_true_scores_rise() -> None:
    assert wasserstein(torch.tensor([1.0, 3.0]), torch.tensor([5.0, 0.5])).item() == pytest.approx(0.75)


class _Slope(nn.Module):
    """Two patches a picture, whose sum has the gradient 3 by each of four ab values, and 100 by L."""

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        patch = ab.sum(dim=(1, 2, 3)) + 50 * lightness.sum(dim=(1, 2, 3))
        return torch.stack((patch, 2 * patch), dim=1)


def test_gradient_penalty_of_a_known_slope() -> None:
    lightness, ab = torch.rand(3, 1, 1, 2), torch.rand(3, 2, 1, 2)
    penalty = gradient_penalty(_Slope(), lightness, ab, ab + 1, torch.rand(3))
    assert penalty.item() == pytest.approx((3 * 2 - 1) ** 2)


class _Bowl(nn.Module):
    """Its gradient is the ab that it is asked at."""

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:  # noqa: ARG002  # a critic's shape
        return ab.square().sum(dim=(1, 2, 3)) / 2


def test_gradient_penalty_looks_between_true_and_made() -> None:
    lightness, true, made = torch.zeros(1, 1, 1, 1), torch.zeros(1, 2, 1, 1), torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    for share, norm in ((1.0, 0.0), (0.0, 5.0), (0.6, 2.0)):
        penalty = gradient_penalty(_Bowl(), lightness, true, made, torch.tensor([share]))
        assert penalty.item() == pytest.approx((norm - 1) ** 2, abs=1e-5)

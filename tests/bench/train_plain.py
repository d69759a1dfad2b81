"""The same step as anyone would first write it: three Adams, one loss after the other, eager, float32."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.critic import AbClassifier, Critic
from mhmd.historynet.data import Batch
from mhmd.historynet.lab import scale_ab
from mhmd.historynet.losses import distribution_kl, gradient_penalty, heads_kl, keras_kld, mask_gray
from mhmd.historynet.model import Classes, Generator, Painting


class PlainLoop:
    """Networks and optimizers of a plain loop."""

    def __init__(self, config: TrainConfig, classes: Classes, device: torch.device) -> None:
        self.config, self.classes = config, classes
        self.generator = Generator(config, classes).to(device)
        self.critic = Critic(config).to(device)
        self.ab_classifier = AbClassifier(config, classes).to(device)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(config.beta_1, config.beta_2))
            for network in (self.generator, self.critic, self.ab_classifier)
        ]

    def step(self, batch: Batch) -> None:
        """One step of each network."""
        config, (generator, critic, ab_classifier) = self.config, self.optimizers
        painting = self.generator(batch.seen)
        made, true = scale_ab(painting.ab, config.ab_range), scale_ab(batch.ab, config.ab_range)
        loss = (
            config.weight_ab * functional.mse_loss(made, true)
            + config.weight_class * heads_kl(painting.class_logits, batch.labels)
            - config.weight_critic * self.critic(batch.lightness, made).mean()
            + config.weight_parsing * self._parsing(painting, batch)
            + config.weight_info * self._info(painting, made)
        )
        _go(generator, loss)
        made = made.detach()
        mix = torch.rand(len(batch.keys), device=made.device)
        penalty = gradient_penalty(self.critic, batch.lightness, true, made, mix)
        distance = self.critic(batch.lightness, made).mean() - self.critic(batch.lightness, true).mean()
        _go(critic, distance + config.gradient_penalty * penalty)
        _go(ab_classifier, self._info(painting, made))

    def _parsing(self, painting: Painting, batch: Batch) -> Tensor:
        assert painting.mask_logits is not None
        assert batch.mask is not None
        if self.config.mask_target == "classes":
            return functional.cross_entropy(painting.mask_logits, batch.mask)
        return mask_gray(painting.mask_logits, batch.mask, self.classes.mask)

    def _info(self, painting: Painting, made: Tensor) -> Tensor:
        read = self.ab_classifier(made)
        if self.config.colour_class == "info":
            return keras_kld(painting.info.detach(), read)
        return distribution_kl(painting.class_logits[0].detach(), read)


def _go(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

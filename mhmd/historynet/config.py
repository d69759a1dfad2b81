"""The knobs of training. Defaults are the paper's where it names a value."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from mhmd.config import Config


class TrainConfig(Config):
    """Everything besides the samples that decides what is learnt."""

    variant: Literal["full"] = Field("full", description="network of the ablation; full has every branch")
    width: float = Field(1.0, gt=0, le=1, description="multiplies every hidden channel count; 1 is the paper's network")
    size_px: int = Field(224, ge=32, le=1024, multiple_of=8, description="side of the square the network sees, px")
    backbone_weights: str = Field(
        "",
        description="start of the trunk: a safetensors file with torchvision's names (features.N.weight), "
        "torchvision for its ImageNet weights, empty for random",
    )
    batchnorm_momentum: float = Field(
        0.01, gt=0, le=1, description="share of a batch in the running statistics; a short run needs more, about 0.1"
    )

    batch: int = Field(16, ge=2, description="samples a step")
    steps: int = Field(0, ge=0, description="steps to train; 0 counts in epochs")
    epochs: int = Field(8, ge=1, description="passes over the train split, when steps is 0")
    learning_rate: float = Field(2e-5, gt=0, le=1, description="Adam's, of generator, critic and ab-classifier alike")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="of the learning rate over the run; cosine falls to 0 and suits a short one"
    )
    beta_1: float = Field(0.5, ge=0, lt=1, description="Adam's decay of the first moment")
    beta_2: float = Field(0.999, ge=0, lt=1, description="Adam's decay of the second moment")
    seed: int = Field(0, ge=0, lt=2**32, description="of first weights, order of samples, crops and flips")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of forward and backward; bfloat16 is mixed, weights stay float32"
    )

    weight_ab: float = Field(2.0, ge=0, description="of the squared error of ab; 0 turns a term off, here and below")
    weight_class: float = Field(0.002, ge=0, description="of the class head's KL divergence")
    weight_critic: float = Field(0.1, ge=0, description="of the critic's opinion; 0 trains no critic")
    weight_parsing: float = Field(0.002, ge=0, description="of the squared error of the parsing mask")
    weight_info: float = Field(0.002, ge=0, description="of the ab-classifier's divergence; 0 trains no ab-classifier")
    gradient_penalty: float = Field(10.0, ge=0, description="weight of the penalty in the critic's own loss")

    log_every: int = Field(10, ge=1, description="steps between lines of metrics.jsonl")
    validate_every: int = Field(1000, ge=1, description="steps between validations, each with a panel of samples")
    validate_pictures: int = Field(256, ge=1, description="pictures of the val split that a validation looks at")
    checkpoint_every: int = Field(1000, ge=1, description="steps between checkpoints")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.weight_ab == 0 and self.weight_critic == 0:
            raise ValueError("weight_ab and weight_critic are both 0, so that nothing would teach colour")
        if self.backbone_weights and self.width != 1:
            raise ValueError(f"backbone_weights fit width 1 only, and width is {self.width}")
        return self

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, in a run of so many."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2

    def total_steps(self, samples: int) -> int:
        """Steps of the whole run over a train split of that many samples; the last epoch is rounded up to a batch."""
        return self.steps or -(-self.epochs * samples // self.batch)

"""The knobs of training. Defaults are the paper's where it names a value; what differs by variant is in `variants`."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mhmd.config import Config
from mhmd.historynet.variants import LAYOUTS, PRESETS, Layout, Variant

Precision = Literal["float32", "bfloat16"]


class TrainConfig(Config):
    """Everything besides the samples that decides what is learnt."""

    variant: Variant = Field("full", description="network, and start of the knobs that differ by variant")
    width: float = Field(
        1.0, gt=0, le=1, description="multiplies hidden channels; a trunk that starts from weights keeps its own"
    )
    size_px: int = Field(
        224, ge=32, le=1024, multiple_of=8, description="side of the square that training and global features see, px"
    )
    backbone_weights: str = Field(
        "",
        description="start of the trunk: a safetensors file with torchvision's names (features.N.weight), "
        "torchvision for its ImageNet weights, empty for random",
    )
    batchnorm_momentum: float = Field(
        0.01, gt=0, le=1, description="share of a batch in the running statistics; a short run needs more, about 0.1"
    )

    class_head: Literal["imagenet", "labels", "attributes"] = Field(
        "labels",
        description="what the class head names: VGG16's 1,000 classes after VGG16's own answer (baseline), "
        "the labels, or labels, eras, nationalities and garments (ours)",
    )
    mask_target: Literal["gray", "classes"] = Field(
        "gray", description="parsing as one gray level, squared error; or as classes, cross-entropy (ours)"
    )
    colour_class: Literal["info", "labels"] = Field(
        "info",
        description="what the ab-classifier reads from colours: the vector info, by Keras' clipped divergence; "
        "or the class head's distribution, by a true one (ours)",
    )
    input_scale: Literal["plain", "imagenet"] = Field(
        "plain", description="what the trunk is given: L in 0 to 1, or less ImageNet's mean by its deviation (ours)"
    )
    ab_range: Literal["sigmoid", "tanh"] = Field(
        "sigmoid", description="ab/256 + 0.5 out of a sigmoid, or ab/110 out of a tanh (ours)"
    )
    framing: Literal["squash", "crop"] = Field(
        "squash", description="how a frame becomes a square: all of it squashed; or part of it, flipped at times (ours)"
    )
    answers_to_colour: bool = Field(
        False, description="whether probabilities of classes and mask are fed into the colour decoder (true in ours)"
    )

    weight_ab: float = Field(
        2.0, ge=0, description="of the squared error of ab (baseline 1); 0 turns a term off, here and below"
    )
    weight_class: float = Field(0.002, ge=0, description="of the class head's divergence (baseline 0.003, ours 0.01)")
    weight_critic: float = Field(0.1, ge=0, description="of the critic's opinion; 0 trains no critic")
    weight_parsing: float = Field(0.002, ge=0, description="of the mask's error (baseline and classifier 0, ours 0.05)")
    weight_info: float = Field(
        0.002, ge=0, description="of the ab-classifier's divergence (baseline and parsing 0); 0 trains no ab-classifier"
    )
    gradient_penalty: float = Field(10.0, ge=0, description="weight of the penalty in the critic's own loss")

    batch: int = Field(16, ge=1, description="samples a step, over all devices")
    accumulate: int = Field(1, ge=1, description="parts that a device takes its share of a batch in")
    steps: int = Field(0, ge=0, description="steps to train; 0 counts in epochs")
    epochs: int = Field(8, ge=1, description="passes over the train split, when steps is 0")
    learning_rate: float = Field(2e-5, gt=0, le=1, description="Adam's, of generator, critic and ab-classifier alike")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="of the learning rate over the run; cosine falls to 0 and suits a short one"
    )
    warmup_steps: int = Field(0, ge=0, description="steps in which the learning rate rises to its value")
    beta_1: float = Field(0.5, ge=0, lt=1, description="Adam's decay of the first moment")
    beta_2: float = Field(0.999, ge=0, lt=1, description="Adam's decay of the second moment")
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of the averaged weights that the model gets, about 0.999; 0 takes the last"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of first weights, order of samples, crops, flips and aging")
    precision: Precision = Field(
        "float32", description="of forward and backward; bfloat16 is mixed, weights stay float32"
    )
    compile: bool = Field(
        False, description="whether torch.compile makes faster code of the networks, once, in minutes"
    )

    balance: float = Field(
        0.0, ge=0, le=1, description="how often labels come: 0 as in the shards, 1 all equally often, 0.5 in between"
    )
    archive: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of samples whose input is made to look like old film; colours stay the truth",
    )
    min_crop: float = Field(
        0.3, gt=0, le=1, description="least share of a frame that a crop shows, if its aspect lets it"
    )
    max_damaged: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="share of damaged samples at which training gives up; a run may go on with another",
    )

    log_every: int = Field(10, ge=1, description="steps between lines of metrics.jsonl")
    validate_every: int = Field(1000, ge=1, description="steps between validations, each with a panel of samples")
    validate_pictures: int = Field(256, ge=1, description="pictures of the val split that a validation looks at")
    checkpoint_every: int = Field(1000, ge=1, description="steps between checkpoints")

    @model_validator(mode="before")
    @classmethod
    def _of_variant(cls, values: Any) -> Any:  # Any: whatever is to be checked
        if not isinstance(values, dict):
            return values
        return {**PRESETS.get(values.get("variant", cls.model_fields["variant"].default), {}), **values}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.weight_ab == 0 and self.weight_critic == 0:
            raise ValueError("weight_ab and weight_critic are both 0, so that nothing would teach colour")
        if self.weight_parsing and not self.layout.parsing:
            raise ValueError(f"variant {self.variant} has no parsing branch, and weight_parsing is not 0")
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} cannot be taken in {self.accumulate} equal parts")
        if self.batch // self.accumulate < self.least_at_once:
            raise ValueError(f"batch norm needs {self.least_at_once} samples at once at size_px {self.size_px}")
        return self

    @property
    def least_at_once(self) -> int:
        """Samples that a part of a batch must have: a batch norm at the end of 32 px sees a single value of each."""
        return 2 if self.size_px <= 32 else 1

    @property
    def layout(self) -> Layout:
        """The layers that set this variant apart."""
        return LAYOUTS[self.variant]

    @property
    def trunk_width(self) -> float:
        """Width of the trunk: weights of VGG16 fit width 1 alone."""
        return 1.0 if self.backbone_weights else self.width

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, in a run of so many."""
        rate = self.learning_rate * min(1, (step + 1) / (self.warmup_steps + 1))
        if self.schedule == "constant":
            return rate
        return rate * (1 + math.cos(math.pi * step / steps)) / 2

    def total_steps(self, samples: int) -> int:
        """Steps of the whole run over a train split of that many samples; the last epoch is rounded up to a batch."""
        return self.steps or -(-self.epochs * samples // self.batch)

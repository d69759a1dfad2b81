"""How near the colours are to the true ones, beside what no colour at all would score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from mhmd.historynet.checkpoint import load_generator
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import Batch, split_batches
from mhmd.historynet.dataset import open_dataset
from mhmd.historynet.device import torch_device
from mhmd.historynet.lab import lab_to_srgb_keeping_lightness, to_bytes
from mhmd.historynet.model import Generator, Painting
from mhmd.historynet.paint import paint
from mhmd.splits import Split

GREATEST_PSNR = 100.0
"""dB of a picture equal to its truth, whose PSNR would be infinite."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Measures of a split, on whole frames whose short side is the network's size.

    `neutral_…` is the same measure of predicting gray, ab = 0. ab errors are in CIELAB units, over all pixels and
    both channels; the others are means over pictures, of 8-bit sRGB as `colorize` would write it.
    """

    pictures: int
    psnr: float  # dB
    ssim: float  # to 1
    ab_mae: float
    ab_rmse: float
    colorfulness: float  # Hasler and Süsstrunk's M3, signed
    neutral_psnr: float
    neutral_ssim: float
    neutral_ab_mae: float
    neutral_ab_rmse: float
    true_colorfulness: float
    labelled: int  # pictures with a label
    top1: float | None  # share of them whose label the class head names; None without any, or without such a head


@dataclass(frozen=True, slots=True)
class _Sums:
    pictures: int
    ab_values: int
    means: Tensor  # sums over pictures of psnr, ssim, colorfulness, neutral psnr and ssim, true colorfulness
    errors: Tensor  # sums over ab values: |error|, error², |neutral error|, neutral error²
    labelled: int
    named: int | None


def evaluate(
    checkpoint: Path, shards: str, split: Split, *, device: str = "auto", batch: int = 8, pictures: int | None = None
) -> Scores:
    """Scores of a checkpoint on a split of a dataset; only on its first `pictures` where given.

    Raises WeightsError for a checkpoint that cannot be used, DatasetError for a split that is missing or empty, and
    WeightsError when the dataset's labels are others than those it was trained on.
    """
    where = torch_device(device)
    generator, about = load_generator(checkpoint, where)
    dataset = open_dataset(shards)
    about.require_labels(dataset.labels, checkpoint)
    return score(generator, split_batches(dataset, split, about.config.size_px, batch, where, pictures=pictures))


def score(generator: Generator, batches: Iterable[Batch]) -> Scores:
    """Scores of a generator in evaluation mode, over at least one batch; its own mode is given back after."""
    sums = [_sums(paint(generator, batch.lightness), batch, generator.config) for batch in batches]
    named = [s.named for s in sums if s.named is not None]
    pictures, labelled = sum(s.pictures for s in sums), sum(s.labelled for s in sums)
    psnr, ssim, colour, neutral_psnr, neutral_ssim, true_colour = (
        torch.stack([s.means for s in sums]).sum(dim=0) / pictures
    ).tolist()
    mae, mse, neutral_mae, neutral_mse = (
        torch.stack([s.errors for s in sums]).sum(dim=0) / sum(s.ab_values for s in sums)
    ).tolist()
    return Scores(
        pictures=pictures,
        psnr=psnr,
        ssim=ssim,
        ab_mae=mae,
        ab_rmse=mse**0.5,
        colorfulness=colour,
        neutral_psnr=neutral_psnr,
        neutral_ssim=neutral_ssim,
        neutral_ab_mae=neutral_mae,
        neutral_ab_rmse=neutral_mse**0.5,
        true_colorfulness=true_colour,
        labelled=labelled,
        top1=sum(named) / labelled if labelled and named else None,
    )


def psnr(made: Tensor, true: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of 8-bit pictures, (N, 3, H, W) both → (N,) dB: 10·log10(255² / MSE), at most 100."""
    mse = (made.double() - true.double()).square().mean(dim=(1, 2, 3))
    return (10 * torch.log10(255**2 / mse)).clamp(max=GREATEST_PSNR)


def ssim(made: Tensor, true: Tensor) -> Tensor:
    """Structural similarity of 8-bit pictures, (N, 3, H, W) both → (N,), to 1.

    Wang et al., IEEE TIP 13(4), 2004: a Gaussian window of σ 1.5 on each channel, mean of the three.
    """
    each = structural_similarity_index_measure(made.float(), true.float(), data_range=255.0, reduction="none")
    assert isinstance(each, Tensor)  # a tuple only when the full map is asked for
    return each


def colorfulness(rgb: Tensor) -> Tensor:
    """Hasler and Süsstrunk's M3 (SPIE 5007, 2003) of 8-bit pictures, (N, 3, H, W) → (N,), on signed opponents."""
    red, green, blue = rgb.double().flatten(2).unbind(1)  # N, H·W each
    opponents = torch.stack((red - green, (red + green) / 2 - blue))  # 2, N, H·W
    deviation = opponents.var(dim=2, correction=0).sum(dim=0).sqrt()
    return deviation + 0.3 * opponents.mean(dim=2).square().sum(dim=0).sqrt()


def pictures_of(lightness: Tensor, ab: Tensor) -> Tensor:
    """8-bit sRGB, (N, 3, H, W), of the network's L in [0, 1], (N, 1, H, W), and CIELAB's ab (N, 2, H, W); L is kept."""
    return to_bytes(lab_to_srgb_keeping_lightness(torch.cat((lightness * 100, ab), dim=1)))


@torch.inference_mode()
def _sums(painting: Painting, batch: Batch, config: TrainConfig) -> _Sums:
    neutral = torch.zeros_like(batch.ab)
    made, gray, true = (pictures_of(batch.lightness, ab) for ab in (painting.ab, neutral, batch.ab))
    means = (psnr(made, true), ssim(made, true), colorfulness(made), psnr(gray, true), ssim(gray, true))
    error = painting.ab - batch.ab
    errors = (error.abs(), error.square(), batch.ab.abs(), batch.ab.square())
    label = batch.labels[:, 0]
    named = None
    if config.class_head != "imagenet":
        named = int((painting.class_logits[0].argmax(dim=1) == label)[label >= 0].sum())
    return _Sums(
        pictures=len(batch.keys),
        ab_values=error.numel(),
        means=torch.stack([each.double().sum().cpu() for each in (*means, colorfulness(true))]),
        errors=torch.stack([each.double().sum().cpu() for each in errors]),
        labelled=int((label >= 0).sum()),
        named=named,
    )

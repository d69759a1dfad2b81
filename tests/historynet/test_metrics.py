from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from mhmd.errors import DatasetError, WeightsError
from mhmd.historynet import checkpoint
from mhmd.historynet.checkpoint import About
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import split_batches
from mhmd.historynet.dataset import open_dataset
from mhmd.historynet.metrics import Scores, colorfulness, evaluate, psnr, score, ssim
from mhmd.historynet.model import Classes, Generator, Painting

CPU = torch.device("cpu")


class Told(Generator):
    """A generator that answers what it was told to, picture by picture, and always names label 1."""

    def __init__(self, ab: Tensor) -> None:
        super().__init__(TrainConfig(width=0.01, size_px=32, framing="crop"), Classes((3, 3, 1, 1), 3))
        self.ab, self.at = ab, 0

    def forward(self, lightness: Tensor, whole: Tensor | None = None) -> Painting:  # noqa: ARG002  # a generator's
        self.at += len(lightness)
        ab = self.ab[self.at - len(lightness) : self.at]
        logits = torch.tensor([[0.0, 1.0, 0.0]]).expand(len(lightness), -1)
        ab = torch.nn.functional.pad(ab, (0, lightness.shape[-1] - ab.shape[-1]))
        return Painting(ab, torch.zeros(len(lightness), 8), (logits,), torch.zeros_like(lightness))


def true_ab(shards: str) -> Tensor:
    return torch.cat([batch.ab for batch in split_batches(open_dataset(shards), "val", 32, 5, CPU)])


def scores_of(ab: Tensor, shards: str) -> Scores:
    return score(Told(ab), split_batches(open_dataset(shards), "val", 32, 2, CPU))


def test_truth_scores_best_and_neutral_scores_as_neutral(shards: str) -> None:
    ab = true_ab(shards)
    best, gray = scores_of(ab, shards), scores_of(torch.zeros_like(ab), shards)
    assert (best.pictures, best.ab_mae, best.ab_rmse, best.psnr) == (5, 0, 0, 100)
    assert best.ssim == pytest.approx(1)
    assert best.colorfulness == best.true_colorfulness == gray.true_colorfulness > 20
    for measure in ("psnr", "ssim", "ab_mae", "ab_rmse"):
        assert getattr(gray, measure) == getattr(gray, f"neutral_{measure}") == getattr(best, f"neutral_{measure}")
    assert gray.colorfulness == 0
    assert gray.psnr < 30
    assert gray.ssim < 0.999


def test_ab_errors_are_in_cielab_units_over_both_channels_and_all_pictures(shards: str) -> None:
    ab = true_ab(shards)
    off = torch.zeros_like(ab)
    off[0, 0], off[4, 1] = 10, -20
    found = scores_of(ab + off, shards)
    assert found.ab_mae == pytest.approx((10 + 20) / 10, rel=1e-4)
    assert found.ab_rmse == pytest.approx(((100 + 400) / 10) ** 0.5, rel=1e-4)
    assert found.neutral_ab_mae == pytest.approx(ab.abs().mean().item(), rel=1e-5)


def test_top1_counts_labelled_pictures_only(shards: str) -> None:
    found = scores_of(true_ab(shards), shards)
    assert (found.labelled, found.top1) == (3, pytest.approx(1 / 3))
    unlabelled = [
        replace(batch, labels=torch.full_like(batch.labels, -1))
        for batch in split_batches(open_dataset(shards), "val", 32, 5, CPU)
    ]
    assert score(Told(true_ab(shards)), unlabelled).top1 is None


def test_psnr_ssim_and_colorfulness_are_the_published_ones() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 256, (2, 3, 24, 24), np.uint8)
    made = (true + rng.normal(0, 20, true.shape)).clip(0, 255).astype(np.uint8)
    ours = psnr(torch.from_numpy(made), torch.from_numpy(true)).tolist()
    assert ours == pytest.approx([peak_signal_noise_ratio(t, m) for t, m in zip(true, made, strict=True)])
    theirs = [
        structural_similarity(
            t, m, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        for t, m in zip(true, made, strict=True)
    ]
    assert ssim(torch.from_numpy(made), torch.from_numpy(true)).tolist() == pytest.approx(theirs, abs=0.01)
    red_and_blue = torch.tensor([[255, 0], [0, 0], [0, 255]], dtype=torch.uint8).view(1, 3, 1, 2)
    # rg is 255 and 0, yb is 127.5 and -255
    spread, middle = np.hypot(127.5, 191.25), np.hypot(127.5, -63.75)
    assert colorfulness(red_and_blue).item() == pytest.approx(spread + 0.3 * middle)


def test_scoring_gives_the_mode_back(shards: str, tiny: Callable[..., TrainConfig]) -> None:
    generator = Generator(tiny(), Classes((3, 3, 1, 1), 3)).train()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    score(generator, split_batches(open_dataset(shards), "val", 32, 2, CPU))
    assert generator.training
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())


def test_a_checkpoint_is_evaluated_where_labels_agree(
    shards: str, tiny: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    dataset = open_dataset(shards)
    about = About(tiny(), 1, dataset.key, dataset.labels, dataset.mask_classes)
    path = tmp_path / "model.safetensors"
    tensors = Generator(about.config, about.classes).state_dict()
    checkpoint.write(path, {f"generator.{name}": tensor for name, tensor in tensors.items()}, about)
    assert evaluate(path, shards, "val", device="cpu").pictures == 5
    assert evaluate(path, shards, "train", device="cpu", pictures=9).pictures == 9
    with pytest.raises(DatasetError, match="test split"):
        evaluate(path, shards, "test", device="cpu")
    checkpoint.write(path, {}, About(tiny(), 1, dataset.key, dataset.labels[:2], dataset.mask_classes))
    with pytest.raises(WeightsError):
        evaluate(path, shards, "val", device="cpu")

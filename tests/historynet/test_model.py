from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mhmd.errors import WeightsError
from mhmd.historynet.backbone import Trunk, load_backbone
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.critic import AbClassifier, Critic
from mhmd.historynet.layers import SameConv, count_parameters, scaled
from mhmd.historynet.model import Generator


def test_parameters_are_the_papers() -> None:
    with torch.device("meta"):
        generator = Generator(TrainConfig(), labels=42)
        assert count_parameters(generator) == 158_941_017
        assert count_parameters(generator.trunk) == 7_635_264
        assert count_parameters(Critic(TrainConfig())) == 2_764_737
        assert count_parameters(AbClassifier(TrainConfig())) == 32_909_504


def test_shapes_and_ranges() -> None:
    config = TrainConfig(width=0.05, size_px=72)
    lightness = torch.rand(2, 1, 72, 72)
    painting = Generator(config, labels=5)(lightness)
    assert painting.ab.shape == (2, 2, 72, 72)
    assert painting.mask.shape == (2, 1, 72, 72)
    assert painting.class_logits.shape == (2, 5)
    assert painting.info.shape == (2, 16)
    for bounded in (painting.ab, painting.mask):
        assert 0 < bounded.min() < bounded.max() < 1
    assert Critic(config)(lightness, painting.ab).shape == (2, 1, 9, 9)
    assert AbClassifier(config)(painting.ab).shape == painting.info.shape


def test_info_reaches_every_place_and_taps_reach_the_colours() -> None:
    generator = Generator(TrainConfig(width=0.05, size_px=64), labels=5).eval()
    lightness = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        before = generator(lightness).ab
        generator.whole.vector[-1].bias += 5
        by_info = generator(lightness).ab
        generator.parsing.to_112[0].convolution.bias += 5
        by_tap = generator(lightness).ab
    assert (before != by_info).any(dim=1).all()
    assert (by_info != by_tap).any(dim=1).all()


@pytest.mark.parametrize(
    ("kernel", "stride", "top", "side"),
    [(3, 1, 1, 6), (3, 2, 0, 3), (4, 2, 1, 3), (4, 1, 1, 6), (1, 1, 0, 6)],
)
def test_same_padding_is_keras(kernel: int, stride: int, top: int, side: int) -> None:
    """Which input pixel the kernel's first weight meets at the output's first pixel tells how much lies above."""
    layer = SameConv(1, 1, kernel, stride)
    x = torch.zeros(1, 1, 6, 6, requires_grad=True)
    out = layer(x)
    assert out.shape[-2:] == (side, side)
    out[0, 0, 0, 0].backward()
    reached = x.grad[0, 0].nonzero()
    assert reached.max().item() == kernel - 1 - top


def test_widths_are_multiples_of_8_and_exact_at_1() -> None:
    assert [scaled(c, 0.125) for c in (32, 64, 512)] == [8, 8, 64]
    assert scaled(420, 0.5) == 208
    assert scaled(420, 1.0) == 420


def test_trunk_is_torchvisions_vgg16(tmp_path: Path) -> None:
    from torchvision.models.vgg import cfgs, make_layers

    features = make_layers(cfgs["D"])
    path = tmp_path / "vgg.safetensors"
    save_file({f"features.{name}": tensor.half() for name, tensor in features.state_dict().items()}, path)
    features.half().float()
    trunk = Trunk(width=1)
    load_backbone(trunk, str(path))
    lightness = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(trunk(lightness), features[:23](lightness.expand(-1, 3, -1, -1)))


def test_backbone_weights_that_do_not_fit_are_told(tmp_path: Path) -> None:
    trunk = Trunk(width=0.1)
    with pytest.raises(WeightsError, match="nowhere"):
        load_backbone(trunk, str(tmp_path / "nowhere.safetensors"))
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(WeightsError, match="readable safetensors"):
        load_backbone(trunk, str(tmp_path / "text.safetensors"))
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"features\.0\.weight of shape \(8, 3, 3, 3\)"):
        load_backbone(trunk, str(tmp_path / "other.safetensors"))

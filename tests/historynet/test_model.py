from pathlib import Path

import pytest
import torch
from jaxtyping import Float32, Int64, jaxtyped
from safetensors.torch import save_file
from torch import Tensor

from mhmd.errors import WeightsError
from mhmd.historynet.backbone import Teacher, Trunk, has_classifier, load_teacher, load_trunk, read_weights
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.critic import AbClassifier, Critic
from mhmd.historynet.data import split_batches, train_batches
from mhmd.historynet.dataset import open_dataset
from mhmd.historynet.layers import SameConv, count_parameters, scaled
from mhmd.historynet.model import Classes, Generator
from mhmd.historynet.paint import paint
from mhmd.historynet.variants import VARIANTS, Variant

MHMD = Classes((42, 3, 6, 5), 6)
FEW = Classes((5, 2, 3, 4), 3)
PAPERS = {"baseline": 171_171_722, "classifier": 152_188_664, "parsing": 158_857_913, "full": 158_941_017}


@pytest.mark.parametrize(("variant", "count"), PAPERS.items())
def test_parameters_are_the_papers(variant: Variant, count: int) -> None:
    config = TrainConfig(variant=variant)
    with torch.device("meta"):
        generator = Generator(config, MHMD)
        assert count_parameters(generator) == count
        assert count_parameters(generator.trunk) == 7_635_264
        assert count_parameters(Critic(config)) == 2_764_737
        assert count_parameters(AbClassifier(config, MHMD)) == 32_909_504


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_and_ranges(variant: Variant) -> None:
    config = TrainConfig(variant=variant, width=0.05, size_px=72)
    generator, lightness = Generator(config, FEW), torch.rand(2, 1, 72, 72)
    painting = generator(lightness)
    ours = variant == "ours"
    heads = {"baseline": (1000,), "ours": (5, 2, 3, 4)}.get(variant, (5,))
    with jaxtyped("context"):
        assert isinstance(lightness, Float32[Tensor, "n 1 h w"])
        assert isinstance(painting.ab, Float32[Tensor, "n 2 h w"])
        assert isinstance(painting.info, Float32[Tensor, "n 16"])
        for logits, classes in zip(painting.class_logits, heads, strict=True):
            assert isinstance(logits, Float32[Tensor, f"n {classes}"])
        if variant in ("baseline", "classifier"):
            assert painting.mask_logits is None
        else:
            assert isinstance(painting.mask_logits, Float32[Tensor, f"n {3 if ours else 1} h w"])
        assert isinstance(Critic(config)(lightness, painting.ab), Float32[Tensor, "n 1 h//8 w//8"])
        assert isinstance(AbClassifier(config, FEW)(painting.ab), Float32[Tensor, f"n {5 if ours else 16}"])
    span = 110 if ours else 128
    assert -span < painting.ab.min() < painting.ab.max() < span


def test_batches_have_their_shapes(shards: str) -> None:
    dataset = open_dataset(shards)
    config = TrainConfig(size_px=40, batch=4)
    whole = next(split_batches(dataset, "val", 40, 3, torch.device("cpu")))
    square = next(train_batches(dataset, config, 0, torch.device("cpu")))
    for batch, count, width in ((square, 4, 40), (whole, 3, 67)):
        with jaxtyped("context"):
            assert isinstance(batch.seen, Float32[Tensor, f"{count} 1 40 {width}"])
            assert isinstance(batch.lightness, Float32[Tensor, f"{count} 1 40 {width}"])
            assert isinstance(batch.ab, Float32[Tensor, f"{count} 2 40 {width}"])
            assert isinstance(batch.mask, Int64[Tensor, f"{count} 40 {width}"])
            assert isinstance(batch.labels, Int64[Tensor, f"{count} 4"])
            assert len(batch.keys) == count


@pytest.mark.parametrize("variant", VARIANTS)
def test_pictures_of_any_size_are_painted(variant: Variant) -> None:
    generator = Generator(TrainConfig(variant=variant, width=0.05, size_px=64), FEW).train()
    for height, width in ((64, 64), (64, 117), (150, 90), (1, 3)):
        painting = paint(generator, torch.rand(1, 1, height, width))
        assert painting.ab.shape == (1, 2, height, width)
        assert painting.mask_logits is None or painting.mask_logits.shape[-2:] == (height, width)
    assert generator.training


def test_the_colour_branch_of_ours_is_convolutional() -> None:
    """With the same view of the whole, a part of a picture far from its edges is painted as it is alone."""
    generator = Generator(TrainConfig(variant="ours", width=0.02, size_px=64), FEW).eval()
    lightness, whole = torch.rand(1, 1, 384, 400), torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        all_of_it = generator(lightness, whole).ab
        part = generator(lightness[..., :376, 16:], whole).ab
    torch.testing.assert_close(all_of_it[..., 180:196, 196:212], part[..., 180:196, 180:196], atol=1e-3, rtol=1e-3)
    again = generator(lightness, torch.rand(1, 1, 64, 64)).ab
    assert (again - all_of_it).abs().max() > 1e-3


def test_info_reaches_every_place_and_taps_reach_the_colours() -> None:
    generator = Generator(TrainConfig(width=0.05, size_px=64), FEW).eval()
    lightness = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        before = generator(lightness).ab
        generator.whole.vector[-1].bias += 5
        by_info = generator(lightness).ab
        assert generator.parsing is not None
        generator.parsing.to_112[0].convolution.bias += 5
        by_tap = generator(lightness).ab
    assert (before != by_info).any(dim=1).all()
    assert (by_info != by_tap).any(dim=1).all()


def test_answers_reach_the_colours_of_ours_and_are_not_bent_by_them() -> None:
    config = TrainConfig(variant="ours", width=0.05, size_px=64)
    generator = Generator(config, FEW).eval()
    lightness = torch.rand(1, 1, 64, 64)
    before = generator(lightness).ab
    with torch.no_grad():
        generator.whole.heads[3].bias[0] += 9
    by_garment = generator(lightness).ab
    assert generator.parsing is not None
    with torch.no_grad():
        generator.parsing.mask[-1].convolution.bias[1] += 9
    by_mask = generator(lightness).ab
    assert (before != by_garment).any(dim=1).all()
    assert (by_garment != by_mask).any(dim=1).float().mean() > 0.9
    by_mask.sum().backward()
    assert generator.whole.heads[3].weight.grad is None
    assert generator.parsing.mask[-1].convolution.weight.grad is None
    assert generator.parsing.to_112[0].convolution.weight.grad is not None


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
    assert (TrainConfig(width=0.5).trunk_width, TrainConfig(width=0.5, backbone_weights="x").trunk_width) == (0.5, 1)


def test_trunk_is_torchvisions_vgg16(tmp_path: Path) -> None:
    from torchvision.models.vgg import cfgs, make_layers

    features = make_layers(cfgs["D"])
    path = tmp_path / "vgg.safetensors"
    save_file({f"features.{name}": tensor.half() for name, tensor in features.state_dict().items()}, path)
    features.half().float()
    found = read_weights(str(path))
    assert not has_classifier(found)
    lightness = torch.rand(1, 1, 32, 32)
    rgb = lightness.expand(-1, 3, -1, -1)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    inputs = {False: rgb, True: (rgb - mean[:, None, None]) / deviation[:, None, None]}
    for imagenet_scale, given in inputs.items():
        trunk = Trunk(1, imagenet_scale)
        load_trunk(trunk, found, "vgg")
        with torch.no_grad():
            torch.testing.assert_close(trunk(lightness), features[:23](given))


def test_a_teacher_is_the_whole_of_vgg16() -> None:
    with torch.device("meta"):
        wanted = Teacher().vgg16.state_dict()
    weights = {name: torch.zeros(1).expand(tensor.shape) for name, tensor in wanted.items()}
    weights["classifier.6.bias"] = torch.arange(1000.0)
    assert has_classifier(weights)
    teacher = load_teacher(weights, "vgg")
    assert teacher(torch.rand(2, 1, 32, 32))[1].tolist() == list(range(1000))
    assert not any(weight.requires_grad for weight in teacher.parameters())


def test_backbone_weights_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        read_weights(str(tmp_path / "nowhere.safetensors"))
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(WeightsError, match="readable safetensors"):
        read_weights(str(tmp_path / "text.safetensors"))
    with pytest.raises(WeightsError, match=r"other has no features\.0\.weight of shape \(8, 3, 3, 3\)"):
        load_trunk(Trunk(0.1, False), {"features.0.weight": torch.zeros(64, 3, 3, 3)}, "other")
    whole = Trunk(0.1, False).state_dict()
    name = "features.5.weight"
    for spoilt in (whole[name].to(torch.int8), torch.full_like(whole[name], torch.inf)):
        with pytest.raises(WeightsError, match=rf"{name} of other is .*; wanted finite floats"):
            load_trunk(Trunk(0.1, False), whole | {name: spoilt}, "other")

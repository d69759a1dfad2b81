"""Parsers with weights from elsewhere, here with random ones: what they answer, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch

from mhmd.demo.footage import photograph
from mhmd.errors import WeightsError
from mhmd.parsing.engine import Engine
from mhmd.parsing.parser import licence_notice, load_parser

LABELS = ("Background", "Hat", "Hair", "Upper-clothes", "Pants", "Left-shoe", "Face")


def small_segformer(path: Path, labels: Sequence[str]) -> None:
    """A small SegFormer with random weights, as transformers save it."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        num_encoder_blocks=4,
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    torch.manual_seed(0)
    SegformerForSemanticSegmentation(config).save_pretrained(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SegFormer that says how large its pictures are."""
    path = tmp_path_factory.mktemp("segformer")
    small_segformer(path, LABELS)
    (path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 96, "width": 64}}))
    return path


def test_segformer_from_a_folder(folder: Path) -> None:
    parser = load_parser("segformer", "cpu", str(folder))
    assert parser.classes == LABELS
    assert parser.clothes == {"Hat", "Upper-clothes", "Pants", "Left-shoe"}
    assert (parser.height, parser.width) == (96, 64)
    picture = photograph("astronaut")[:200]
    (parsing,) = Engine(parser).parse([picture])
    assert parsing.mask.shape == picture.shape[:2]
    assert 0 < parsing.confidence < 1


def test_a_size_of_one_number_is_that_of_both_sides(folder: Path, tmp_path: Path) -> None:
    copytree(folder, tmp_path, dirs_exist_ok=True)
    for said, wanted in ((64, (64, 64)), ({"shortest_edge": 64}, (512, 512)), (None, (512, 512))):
        (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": said}))
        parser = load_parser("segformer", "cpu", str(tmp_path))
        assert (parser.height, parser.width) == wanted


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.safetensors", b"\x07" * 900), ("preprocessor_config.json", b"[1, 2]"), ("config.json", b"{")],
)
def test_a_damaged_folder_is_refused(folder: Path, tmp_path: Path, name: str, content: bytes) -> None:
    copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=r"wanted a folder with config\.json and model\.safetensors"):
        load_parser("segformer", "cpu", str(tmp_path))


def test_more_classes_than_a_mask_can_tell_apart_are_refused(tmp_path: Path) -> None:
    small_segformer(tmp_path, [f"class {number}" for number in range(257)])
    with pytest.raises(WeightsError, match=r"has 257 classes; wanted 256 at most"):
        load_parser("segformer", "cpu", str(tmp_path))


def test_segformer_takes_pictures_as_transformers_do(folder: Path) -> None:
    from transformers import AutoModelForSemanticSegmentation

    square = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    values = torch.from_numpy(((square / 255 - mean) / std).astype(np.float32)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        wanted = AutoModelForSemanticSegmentation.from_pretrained(folder).eval()(pixel_values=values).logits
    answer = Engine(load_parser("segformer", "cpu", str(folder))).logits([square])
    torch.testing.assert_close(answer, wanted, atol=1e-4, rtol=1e-3)


def test_a_folder_without_a_model_and_a_name_that_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match=r"wanted a folder with config\.json and model\.safetensors"):
        load_parser("segformer", "cpu", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"cannot be fetched.*huggingface\.co/nobody/nothing.*--weights"):
        load_parser("segformer", "cpu", "nobody/nothing")


@pytest.mark.parametrize("name", ["lraspp", pytest.param("deeplabv3_resnet50", marks=pytest.mark.slow)])
def test_torchvision_tells_persons_from_the_rest(name: str, tmp_path: Path) -> None:
    from torchvision.models import segmentation

    make = {"lraspp": segmentation.lraspp_mobilenet_v3_large, "deeplabv3_resnet50": segmentation.deeplabv3_resnet50}
    torch.manual_seed(0)
    network = make[name](weights=None, weights_backbone=None, num_classes=21).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    parser = load_parser(name, "cpu", str(tmp_path / "weights.pth"))
    assert parser.classes == ("background", "person")
    square = np.random.default_rng(0).integers(0, 256, (520, 520, 3), np.uint8)
    answer = Engine(parser).logits([square])[0]
    values = torch.from_numpy(square).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(of).view(3, 1, 1) for of in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        wanted = network((values - mean) / std)["out"][0]
    torch.testing.assert_close(answer[1], wanted[15], atol=1e-4, rtol=1e-3)
    assert ((answer[1] > answer[0]) == (wanted.argmax(dim=0) == 15)).float().mean() > 0.999


def test_a_download_that_fails_says_what_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(
        WeightsError, match=r"lraspp cannot be fetched.*wanted https://.*\.pth; .*hub/checkpoints/.*--weights"
    ):
        load_parser("lraspp", "cpu")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"backbone.0.0.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth has .*wanted weights of lraspp"):
        load_parser("lraspp", "cpu", str(tmp_path / "other.pth"))


def test_what_is_said_of_licences() -> None:
    assert licence_notice("selfie-multiclass", "") == ""
    assert "no commercial use" in licence_notice("segformer", "")
    assert "look for their licence" in licence_notice("segformer", "somebody/something")
    assert "BSD-3-Clause" in licence_notice("lraspp", "")

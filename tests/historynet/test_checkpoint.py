from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mhmd.errors import WeightsError
from mhmd.historynet import checkpoint
from mhmd.historynet.checkpoint import About, load_generator, read_about
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.model import Generator

LABELS = (("before", "france", "formal"), ("after", "россия", "formal"))
CPU = torch.device("cpu")


@pytest.fixture
def about(tiny: Callable[..., TrainConfig]) -> About:
    return About(tiny(), step=7, dataset_key="k1", labels=LABELS, mask_classes=("background", "clothes"))


@pytest.fixture
def saved(tmp_path: Path, about: About) -> Path:
    path = tmp_path / "model.safetensors"
    tensors = Generator(about.config, about.classes).state_dict()
    checkpoint.write(path, {f"generator.{name}": tensor for name, tensor in tensors.items()}, about)
    return path


def test_what_is_written_is_read(saved: Path, about: About) -> None:
    generator, found = load_generator(saved, CPU)
    assert found == about
    assert not generator.training
    stored = load_file(saved)
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, stored[f"generator.{name}"])
    lightness = torch.rand(1, 1, 32, 32)
    assert torch.equal(generator(lightness).ab, load_generator(saved.parent, CPU)[0](lightness).ab)
    assert [path.name for path in saved.parent.iterdir()] == ["model.safetensors"]


def test_a_failed_write_leaves_the_file_before(saved: Path, about: About) -> None:
    before = saved.read_bytes()
    shared = torch.zeros(1)
    with pytest.raises(RuntimeError, match="share memory"):
        checkpoint.write(saved, {"generator.x": shared, "generator.y": shared}, about)
    assert saved.read_bytes() == before


def test_files_that_are_no_checkpoints_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        load_generator(tmp_path / "nowhere.safetensors", CPU)
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        load_generator(tmp_path, CPU)
    for data in (b"", b"text of some length", bytes(range(256)) * 9):
        (tmp_path / "other").write_bytes(data)
        with pytest.raises(WeightsError, match="checkpoint of mhmd train"):
            load_generator(tmp_path / "other", CPU)
    save_file({"generator.x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match="something else; wanted historynet 3"):
        read_about(tmp_path / "foreign.safetensors")


def test_bytes_that_were_not_written_are_told(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    metadata = data.index(b"step")
    places = {data.index(b": 7", metadata) + 2: "metadata are damaged", len(data) - 9: "generator is not what was"}
    for place, message in places.items():
        flipped = data.copy()
        flipped[place] ^= 1
        saved.write_bytes(flipped)
        with pytest.raises(WeightsError, match=message):
            load_generator(saved, CPU)
    last = saved.rename(saved.with_name(checkpoint.LAST))
    last.write_bytes(data[:-5])
    with pytest.raises(WeightsError, match="take this file away to train from the first step"):
        checkpoint.read(last, "")


def test_a_variant_that_is_not_known_is_told(saved: Path) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data.replace(rb"variant\": \"full", rb"variant\": \"fool"))
    with pytest.raises(WeightsError, match="variant = 'fool'"):
        load_generator(saved, CPU)


def test_tensors_of_another_architecture_are_told(saved: Path, about: About) -> None:
    tensors = load_file(saved)
    wider = replace(about, config=about.config.model_copy(update={"width": 0.5}))
    checkpoint.write(saved, tensors, wider)
    with pytest.raises(WeightsError, match=r"has \(2, 8, 3, 3\) as colour\.\S+; wanted \(2, 16, 3, 3\)"):
        load_generator(saved, CPU)
    tensors.pop("generator.trunk.features.0.bias")
    checkpoint.write(saved, tensors, about)
    with pytest.raises(WeightsError, match=r"has nothing as trunk\.features\.0\.bias; wanted \(8,\)"):
        load_generator(saved, CPU)
    checkpoint.write(
        saved,
        {**load_file(saved), "generator.trunk.features.0.bias": torch.zeros(8), "generator.x": torch.zeros(1)},
        about,
    )
    with pytest.raises(WeightsError, match="as x; wanted nothing"):
        load_generator(saved, CPU)


def test_what_differs_between_two_trainings_is_named(about: About, tmp_path: Path) -> None:
    about.require_same(replace(about, step=9), tmp_path)
    for other, message in (
        (replace(about, config=about.config.model_copy(update={"batch": 8})), "batch = 4; wanted 8"),
        (replace(about, dataset_key="k2"), "dataset key = 'k1'; wanted 'k2'"),
        (replace(about, mask_classes=("background",)), "mask classes = 'background, clothes'"),
        (replace(about, labels=LABELS[:1]), "labels"),
    ):
        with pytest.raises(WeightsError, match=message):
            about.require_same(other, tmp_path)

"""Checkpoints: safetensors whose metadata say what they are. Never pickle.

`model.safetensors` holds the generator of the best validation; `last.safetensors` holds everything that training needs
to go on. Tensors are named `<network>.<weight>` and `optimizer.<network>.<weight>.<moment>`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mhmd.errors import StorageError, WeightsError
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.dataset import Labels
from mhmd.historynet.model import Classes, Generator

MODEL, LAST = "model.safetensors", "last.safetensors"
FORMAT = "historynet 3"
_ENTRY = "mhmd"
_RUNNING = ("log_every", "checkpoint_every", "max_damaged")
"""Knobs that change nothing of what is learnt, so that a run may go on with others."""


@dataclass(frozen=True, slots=True)
class About:
    """What a checkpoint says of itself."""

    config: TrainConfig
    step: int
    dataset_key: str
    labels: Labels  # era, nationality, garment by label_id
    mask_classes: tuple[str, ...]
    val_ab_rmse: float | None = None  # of the validation that chose these weights

    @property
    def classes(self) -> Classes:
        """How many classes the network tells apart."""
        return Classes.of(self.labels, self.mask_classes)

    def require_labels(self, labels: Labels, path: Path) -> None:
        """Raises WeightsError unless the labels are those that the checkpoint was trained on."""
        if labels != self.labels:
            raise WeightsError(
                f"{path} knows {len(self.labels)} labels, and the dataset's {len(labels)} are not the same",
                wanted="the labels it was trained on",
                do="use a dataset of the same taxonomy",
            )

    def require_same(self, wanted: About, path: Path) -> None:
        """Raises WeightsError naming the first thing but the step in which training `wanted` differs from this."""
        for name in TrainConfig.model_fields:
            if name not in _RUNNING:
                _same(path, name, getattr(self.config, name), getattr(wanted.config, name))
        _same(path, "mask classes", ", ".join(self.mask_classes), ", ".join(wanted.mask_classes))
        self.require_labels(wanted.labels, path)
        _same(path, "dataset key", self.dataset_key, wanted.dataset_key)


def _same(path: Path, name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise WeightsError(
            f"{path} was trained with {name} = {found!r}",
            wanted=f"{wanted!r}",
            do=f"give {name} back its value, or train into another folder",
        )


def write(path: Path, tensors: Mapping[str, Tensor], about: About) -> None:
    """Write a checkpoint at once or not at all: temporary name, fsync, rename. Raises StorageError for want of room."""
    # contiguous: the networks keep their weights channels-last, files do not
    stored = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    said: dict[str, Any] = {  # Any: JSON
        "format": FORMAT,
        "config": about.config.model_dump(),
        "step": about.step,
        "dataset_key": about.dataset_key,
        "labels": about.labels,
        "mask_classes": about.mask_classes,
        "val_ab_rmse": about.val_ab_rmse,
    }
    said["sha256"] = {_ENTRY: _sum_of(said), **_sums(stored)}
    # one entry: safetensors writes several in an order that differs from run to run
    metadata = {_ENTRY: json.dumps(said, ensure_ascii=False)}
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        save_file(stored, temporary, metadata)
        temporary.chmod(0o644)  # safetensors lets nobody else read it
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise StorageError(
            f"{path} cannot be written: {error}",
            wanted=f"room for {size:,} bytes beside the checkpoint before it",
            do="make room and run the same command again; the checkpoint before is kept",
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def read_about(path: Path) -> About:
    """What a checkpoint says of itself. Raises WeightsError for a file that is none, or of another architecture."""
    with _opened(path) as (_, about, _):
        return about


def read(path: Path, prefix: str) -> tuple[About, dict[str, Tensor]]:
    """A checkpoint's tensors whose names begin with `prefix`, without it, on the CPU; "" gives all.

    `prefix` is a network's name and a dot. Raises WeightsError as above, and for bytes other than were written.
    """
    with _opened(path) as (file, about, sums):
        tensors = {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
    for network, found in _sums(tensors).items():
        if sums.get(network) != found:
            raise WeightsError(
                f"{path} is damaged: {network} is not what was written", wanted="an intact file", do=_instead(path)
            )
    return about, {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _sums(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """SHA-256 of the bytes of each network's tensors, by network; safetensors has no checksum of its own."""
    sums: dict[str, hashlib._Hash] = {}
    for name, tensor in sorted(tensors.items()):
        told = sums.setdefault(name.partition(".")[0], hashlib.sha256())
        told.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return {network: told.hexdigest() for network, told in sums.items()}


def _sum_of(said: dict[str, Any]) -> str:  # Any: JSON
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, About, dict[str, str]]]:  # Any: safetensors has no types
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about, sums = _about(path, file.metadata() or {})
            yield file, about, sums
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: {error}", wanted="a checkpoint of mhmd train", do=_instead(path)) from None


def _instead(path: Path) -> str:
    if path.name == LAST:
        return "train into another folder, or take this file away to train from the first step"
    return "name another model.safetensors"


def _about(path: Path, metadata: dict[str, str]) -> tuple[About, dict[str, str]]:
    try:
        said = json.loads(metadata.get(_ENTRY, "{}"))
        found = said.get("format", "a safetensors file of something else")
        if found != FORMAT:
            raise WeightsError(f"{path} is {found}", wanted=FORMAT, do=_instead(path))
        labels = tuple((era, nationality, garment) for era, nationality, garment in said["labels"])
        config = TrainConfig.model_validate(said["config"])
        classes = tuple(said["mask_classes"])
        about = About(config, said["step"], said["dataset_key"], labels, classes, said["val_ab_rmse"])
        sums = said.pop("sha256")
        if sums.pop(_ENTRY) != _sum_of(said):
            raise ValueError("not those that were written")
        return about, sums
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if not isinstance(error, ValidationError):
            raise WeightsError(
                f"{path}: its metadata are damaged ({type(error).__name__}: {error})",
                wanted="those of a checkpoint of mhmd train",
                do=_instead(path),
            ) from None
        first = error.errors()[0]
        raise WeightsError(
            f"{path} has {'.'.join(map(str, first['loc']))} = {first['input']!r}",
            wanted=f"a network that this version builds: {first['msg'][:1].lower()}{first['msg'][1:]}",
            do="use the version of mhmd that trained it",
        ) from None


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give a module these weights, which become its own. Raises WeightsError naming the first that does not fit."""
    wanted = module.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        shapes = [tuple(held[name].shape) if name in held else "nothing" for held in (tensors, wanted)]
        if shapes[0] != shapes[1]:
            raise WeightsError(
                f"{path} has {shapes[0]} as {name}", wanted=f"{shapes[1]}", do="use a checkpoint of this architecture"
            )
    module.load_state_dict(dict(tensors), assign=any(tensor.is_meta for tensor in wanted.values()))


def load_generator(path: Path, device: torch.device) -> tuple[Generator, About]:
    """The generator of a checkpoint, or of a run's folder, in evaluation mode. Raises WeightsError as `read` does."""
    path = path / MODEL if path.is_dir() else path
    about, tensors = read(path, "generator.")
    with torch.device("meta"):
        generator = Generator(about.config, about.classes)
    load_into(generator, tensors, path)
    return generator.to(device).eval(), about

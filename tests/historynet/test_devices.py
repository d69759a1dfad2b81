"""Two processes on one machine, by gloo, as torchrun would start them; forked, so that it takes a second."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import distributed, multiprocessing, nn

from mhmd.errors import UsageError
from mhmd.historynet import checkpoint
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import Part, train_batches
from mhmd.historynet.dataset import open_dataset
from mhmd.historynet.device import fabric_on
from mhmd.historynet.events import Event
from mhmd.historynet.learners import mean_gradients, new_learners
from mhmd.historynet.model import Classes
from mhmd.historynet.steps import gradients
from mhmd.historynet.train import train

Config = Callable[..., TrainConfig]


def _child(rank: int, work: Callable[[int], None], port: int) -> None:
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    work(rank)
    distributed.destroy_process_group()


def on_two(work: Callable[[int], None]) -> None:
    """Run `work` with rank 0 and rank 1, each in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.start_processes(_child, (work, port), nprocs=2, start_method="fork")


def gradients_of(shards: str, config: TrainConfig) -> Iterator[tuple[str, torch.Tensor]]:
    """The gradients of two steps' batches, one after the other and without an update, batch norm frozen."""
    dataset, fabric = open_dataset(shards), fabric_on("cpu", "float32")
    fabric.launch()
    classes = Classes.of(dataset.labels, dataset.mask_classes)
    learners = new_learners(fabric, config, classes)
    part = Part(fabric.global_rank, fabric.world_size)
    for _, learner in learners.named():
        for layer in learner.module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
    with closing(train_batches(dataset, config, 0, fabric.device, part=part)) as batches:
        for _ in range(2 * config.accumulate):
            gradients(fabric, learners, next(batches), config, classes.mask)
    for name, learner in learners.named():
        mean_gradients(fabric, learner.module)
        for weight, parameter in learner.module.named_parameters():
            if parameter.grad is not None:
                yield f"{name}.{weight}", parameter.grad


@pytest.mark.parametrize("variant", ["full", "ours"])
def test_two_processes_give_the_gradients_of_one_that_accumulates(
    shards: str, tmp_path: Path, tiny: Config, variant: str
) -> None:
    alone = dict(gradients_of(shards, tiny(variant=variant, batch=8, accumulate=2, archive=0.5)))

    def work(rank: int) -> None:
        found = dict(gradients_of(shards, tiny(variant=variant, batch=8, archive=0.5)))
        save_file({name: tensor.contiguous() for name, tensor in found.items()}, tmp_path / f"{rank}.safetensors")

    on_two(work)
    both = [load_file(tmp_path / f"{rank}.safetensors") for rank in range(2)]
    assert both[0].keys() == both[1].keys() == alone.keys()
    for name, gradient in alone.items():
        assert torch.equal(both[0][name], both[1][name]), name
        torch.testing.assert_close(both[0][name], gradient, rtol=1e-4, atol=1e-6 * (1 + gradient.abs().max().item()))
    assert max(gradient.abs().max() for gradient in alone.values()) > 1e-3


def test_two_processes_stop_together_and_go_on_to_what_one_makes(shards: str, tmp_path: Path, tiny: Config) -> None:
    """The second is asked to stop; the first writes the checkpoint that both go on from."""
    config = tiny(batch=8, steps=9, variant="ours", checkpoint_every=100, validate_every=100)

    def work(rank: int) -> None:
        (tmp_path / f"pid-{rank}").write_text(str(os.getpid()))
        told: list[Event] = []

        def report(event: Event) -> None:
            told.append(event)
            if event.kind == "step" and event.step == 2:
                os.kill(int((tmp_path / "pid-1").read_text()), signal.SIGTERM)

        result = train(shards, tmp_path / "two", config, device="cpu", report=report)
        assert bool(told) == (rank == 0)
        (tmp_path / f"ended-{rank}").write_text(f"{result.step} {result.stopped_by}")

    on_two(work)
    first, second = ((tmp_path / f"ended-{rank}").read_text().split(maxsplit=1) for rank in range(2))
    assert first[0] == second[0] in "345678"
    assert (first[1], second[1]) == ("another process", "SIGTERM")
    on_two(work)
    assert (tmp_path / "ended-1").read_text() == "9 None"
    alone = tiny(**config.model_dump() | {"accumulate": 2})
    train(shards, tmp_path / "one", alone, device="cpu", report=lambda _: None)
    one, two = (load_file(tmp_path / name / checkpoint.LAST) for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        if "running" not in name and "batches" not in name:  # each process has statistics of its own
            torch.testing.assert_close(tensor, two[name], rtol=1e-2, atol=2e-3, msg=lambda text, n=name: f"{n}: {text}")


def test_devices_that_cannot_share_a_batch_are_told(shards: str, tmp_path: Path, tiny: Config) -> None:
    with pytest.raises(UsageError, match="batch 4 for 3 devices"):
        train(shards, tmp_path, tiny(batch=4), device="cpu", devices=3, report=lambda _: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_no_cuda_is_told(shards: str, tmp_path: Path, tiny: Config) -> None:
    for device, devices in (("cuda", 1), ("cuda", 2), ("cuda:1", 1)):
        with pytest.raises(UsageError, match="is not here"):
            train(shards, tmp_path, tiny(), device=device, devices=devices, report=lambda _: None)

"""Two processes on one machine, by gloo, as torchrun would start them; forked, so that it takes a second."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import distributed, multiprocessing, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from mhmd.errors import MhmdError, UsageError
from mhmd.historynet import checkpoint
from mhmd.historynet.archive import drawn_aging
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import Part, on_device, train_batches
from mhmd.historynet.dataset import open_dataset
from mhmd.historynet.device import fabric_on
from mhmd.historynet.events import Event
from mhmd.historynet.learners import mean_gradients, new_learners
from mhmd.historynet.model import Classes, Generator
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


def test_what_fails_in_one_process_is_told_in_all(
    make_shards: Callable[..., str], tmp_path: Path, tiny: Config
) -> None:
    """A sample that only the second reads is damaged; then the first, which alone writes, has no room."""
    folder = Path(make_shards())
    config = tiny(batch=8, steps=4, checkpoint_every=2)
    dataset = open_dataset(str(folder))
    with closing(train_batches(dataset, config, 1, torch.device("cpu"), part=Part(1, 2))) as batches:
        key = next(batches).keys[0]
    [shard] = [each for each in folder.glob("train-*.tar") if f"{key}.jpg".encode() in each.read_bytes()]
    whole = shard.read_bytes()
    at = whole.index(f"{key}.jpg".encode())
    shard.write_bytes(whole[: at + 512] + bytes(64) + whole[at + 576 :])
    run = tmp_path / "run"
    (run / "samples").mkdir(parents=True)

    def work(rank: int) -> None:
        with pytest.raises(MhmdError) as raised:
            train(str(folder), run, config, device="cpu", report=lambda _: None)
        (tmp_path / f"told-{rank}").write_text(f"{type(raised.value).__name__} {raised.value}")

    on_two(work)
    told = [(tmp_path / f"told-{rank}").read_text() for rank in range(2)]
    assert told[0] == told[1]
    assert told[0].startswith(f"DatasetError 1 damaged samples, the last: the picture of {key}")
    shard.write_bytes(whole)
    (run / "samples").rmdir()
    (run / "samples").touch()
    on_two(work)
    told = [(tmp_path / f"told-{rank}").read_text() for rank in range(2)]
    assert told[0] == told[1]
    assert re.match(r"StorageError \S+step-000004\.png cannot be written", told[0])


def test_processes_that_do_not_see_the_same_run_are_told(shards: str, tmp_path: Path, tiny: Config) -> None:
    """As on machines whose folder of the run is their own: one goes on, the other begins."""
    train(shards, tmp_path / "0", tiny(batch=8, steps=1), device="cpu", report=lambda _: None)

    def work(rank: int) -> None:
        with pytest.raises(UsageError, match=r"found step 0 of dataset \w+, and step 1 of dataset \w+; wanted one"):
            train(shards, tmp_path / str(rank), tiny(batch=8, steps=1), device="cpu", report=lambda _: None)

    on_two(work)


def test_a_gpu_is_never_waited_for_in_a_step() -> None:
    """On tensors without values, which need no GPU: all that is sent there is sent without waiting."""
    waits: list[str] = []

    class Sent(TorchDispatchMode):
        def __torch_dispatch__(  # Any: whatever torch calls with
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            made, given = func(*args, **(kwargs or {})), [each for each in args if isinstance(each, torch.Tensor)]
            devices = [each.device.type for each in (*given, made) if isinstance(each, torch.Tensor)]
            crosses = func is torch.ops.aten._to_copy.default and len(set(devices)) > 1
            if func is torch.ops.aten._local_scalar_dense.default or (
                crosses and not (kwargs or {}).get("non_blocking")
            ):
                waits.append(f"{func} {devices}")
            return made

    config, gpu = TrainConfig(variant="ours", width=0.05, size_px=64), torch.device("cuda")
    with FakeTensorMode():
        with gpu:
            generator = Generator(config, Classes((5, 2, 3, 4), 6))
        with Sent():
            rgb, mask = (torch.zeros(shape, dtype=torch.uint8) for shape in ((4, 64, 64, 3), (4, 64, 64)))
            labels, agings = torch.zeros((4, 4), dtype=torch.int32), [drawn_aging(0, place, 0.7) for place in range(4)]
            assert None in agings
            assert any(agings)
            batch = on_device(rgb, mask, labels, agings, ("",) * 4, 0, gpu)
            painting = generator(batch.seen)
    assert waits == []
    assert {each.device.type for each in (batch.seen, batch.ab, batch.labels, painting.ab)} == {"cuda"}


def test_devices_that_cannot_share_a_batch_are_told(shards: str, tmp_path: Path, tiny: Config) -> None:
    for batch, devices in ((4, 3), (4, 4)):  # 32 px end in batch norms that see one value of a picture
        with pytest.raises(UsageError, match=f"batch 4 for {devices} devices.* wanted equal parts, of 2 or more"):
            train(shards, tmp_path, tiny(batch=batch), device="cpu", devices=devices, report=lambda _: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_no_cuda_is_told(shards: str, tmp_path: Path, tiny: Config) -> None:
    for device, devices in (("cuda", 1), ("cuda", 2), ("cuda:1", 1)):
        with pytest.raises(UsageError, match="is not here"):
            train(shards, tmp_path, tiny(), device=device, devices=devices, report=lambda _: None)

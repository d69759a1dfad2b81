"""Where tensors live: the name that a user gives, made into Lightning Fabric's terms."""

from __future__ import annotations

import os

import torch
from lightning_fabric import Fabric

from mhmd.errors import UsageError
from mhmd.historynet.config import Precision


def torch_device(name: str) -> torch.device:
    """The device of "auto" (CUDA, else MPS, else CPU), or of torch's own names such as "cpu" and "cuda:1".

    Raises UsageError for a name that torch does not know or a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        there = {"cpu": True, "mps": torch.backends.mps.is_available()}.get(
            device.type, device.type == "cuda" and (device.index or 0) < torch.cuda.device_count()
        )
    except RuntimeError:
        there = False
    if not there:
        raise UsageError(f"device {name!r} is not here", wanted="auto, cpu, cuda, cuda:N or mps", do="change --device")
    return device


def fabric_on(name: str, precision: Precision, devices: int = 1) -> Fabric:
    """Fabric, not launched yet, on so many devices of a kind, or on those that torchrun gives; weights are float32.

    With bfloat16 what is still computed in float32 may use TF32; with float32 nothing does.
    Raises UsageError when there are not so many devices.
    """
    device = torch_device(name)
    nodes = 1
    if "TORCHELASTIC_RUN_ID" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    if device.type != "cpu" and devices > 1:
        count = torch.cuda.device_count() if device.type == "cuda" else 1
        if devices > count or device.index is not None:
            raise UsageError(
                f"--devices {devices} on {name!r}, and {count} are here",
                wanted="as many as there are, of a kind such as cuda",
                do="change --devices or --device",
            )
    fast = precision == "bfloat16"
    torch.set_float32_matmul_precision("high" if fast else "highest")
    torch.backends.cudnn.allow_tf32 = fast
    torch.backends.cudnn.benchmark = True  # squares of one size: trying all algorithms once pays
    return Fabric(
        accelerator=device.type,
        devices=devices if device.index is None else [device.index],
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision="bf16-mixed" if fast else "32-true",
    )

"""Where tensors live: the name that a user gives, made into Lightning Fabric's terms."""

from __future__ import annotations

from typing import Literal

import torch
from lightning_fabric import Fabric

from mhmd.errors import UsageError


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


def fabric_on(name: str, precision: Literal["float32", "bfloat16"]) -> Fabric:
    """Fabric on one device; weights are float32 in both precisions."""
    device = torch_device(name)
    devices = 1 if device.index is None else [device.index]
    return Fabric(
        accelerator=device.type,
        devices=1 if device.type == "cpu" else devices,
        precision="bf16-mixed" if precision == "bfloat16" else "32-true",
    )

"""Where tensors live: the name that a user gives, made into Lightning Fabric's terms."""

from __future__ import annotations

from typing import Literal

from lightning_fabric import Fabric

from mhmd.device import torch_device as torch_device


def fabric_on(name: str, precision: Literal["float32", "bfloat16"]) -> Fabric:
    """Fabric on one device; weights are float32 in both precisions."""
    device = torch_device(name)
    devices = 1 if device.index is None else [device.index]
    return Fabric(
        accelerator=device.type,
        devices=1 if device.type == "cpu" else devices,
        precision="bf16-mixed" if precision == "bfloat16" else "32-true",
    )

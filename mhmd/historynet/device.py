"""Where tensors live: the name that a user gives, made into Lightning Fabric's terms."""

from __future__ import annotations

import os

import torch
from lightning_fabric import Fabric

from mhmd.device import torch_device as torch_device
from mhmd.errors import UsageError
from mhmd.historynet.config import Precision


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

"""Where tensors live, and which GPUs there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import UsageError

if TYPE_CHECKING:
    import torch

DEVICES = Path("/dev")


def torch_device(name: str) -> torch.device:
    """The device of "auto" (CUDA, else MPS, else CPU), or of torch's own names such as "cpu" and "cuda:1".

    Raises UsageError for a name that torch does not know or a device that is not there.
    """
    import torch

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


def gpus(name: str) -> tuple[str, ...]:
    """The GPUs that units on the device `name` may be dealt to, as CUDA_VISIBLE_DEVICES names them.

    None for another device than auto and cuda: cuda:1 is that one. Torch is imported only where a driver is.
    """
    if name not in ("auto", "cuda") or not (any(DEVICES.glob("nvidia[0-9]*")) or (DEVICES / "dxg").exists()):
        return ()
    import torch

    visible = [each for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    count = torch.cuda.device_count()
    return tuple(visible[:count]) if visible else tuple(str(number) for number in range(count))

"""Weights into networks, and networks onto devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mhmd.errors import WeightsError

if TYPE_CHECKING:
    from mhmd.parsing.parser import Precision


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a state dict that torch saved. Raises WeightsError.

    Nothing but tensors is unpickled.
    """
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)  # Any: whatever was saved
    except OSError as error:
        raise WeightsError(
            f"{path}: {error.strerror or error}", wanted="a file of weights", do="mend its path"
        ) from None
    except Exception as error:  # noqa: BLE001  # what is no pickle makes the unpickler trip over anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path}: {reason}", wanted="weights as .safetensors, or a state dict of torch", do="name another file"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} is no state dict", wanted="names and tensors", do="name another file")
    return state


def fill(network: nn.Module, weights: dict[str, Tensor], path: Path, what: str) -> None:
    """Give a network its weights. Raises WeightsError when they are of another architecture."""
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    wrong = [name for name in wanted if name not in weights or weights[name].shape != wanted[name]]
    foreign = sorted(set(weights) - set(wanted))
    if wrong or foreign:
        first = (
            f"no {wrong[0]}"
            if wrong and wrong[0] not in weights
            else f"{wrong[0]} of shape {list(weights[wrong[0]].shape)}"
            if wrong
            else f"a {foreign[0]}"
        )
        others = f" and {len(foreign)} weights of something else" if wrong and foreign else ""
        raise WeightsError(
            f"{path} has {first}{others}; {len(wrong)} of {len(wanted)} weights do not fit",
            wanted=f"weights of {what}",
            do="name the file of that network, or the parser that this file is of",
        )
    network.load_state_dict(weights)


def on_device(network: nn.Module, device: torch.device, precision: Precision) -> nn.Module:
    """The network ready for inference on a device, in channels-last memory."""
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return network.eval().requires_grad_(False).to(device, kind).to(memory_format=torch.channels_last)


def as_input(pictures: Tensor, precision: Precision, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Pictures N×H×W×3 of 0 to 255 as N×3×H×W with this mean and deviation taken out, in channels-last memory."""
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    centre = torch.tensor(mean, device=pictures.device)
    return ((pictures.float() - centre) / torch.tensor(std, device=pictures.device)).to(kind).permute(0, 3, 1, 2)

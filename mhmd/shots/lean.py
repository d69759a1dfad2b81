"""TransNet V2 in NumPy alone, for where it is asked now and then: importing torch costs a worker 500 MB and 2 s.

A window takes twice the time that `mhmd.shots.network` takes on a CPU; the numbers are the same.

Within a convolution, frames lie one after another as rows of channels, each with a border of zeros 1 px wide, so that
a neighbour is a row at a fixed distance. Three neighbours in a line make two outputs at a time with four products
instead of six (Winograd's F(2, 3), https://arxiv.org/abs/1509.09308).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mhmd.shots.weights import BATCH_NORM_EPSILON, BLOCKS, DILATIONS, LOOKUP, STAGES, read_weights

Array = NDArray[np.float32]

PAIRS_AT_ONCE = 1024
"""Pairs of rows that are worked on at once: they stay in the processor's cache."""


class Block(NamedTuple):
    """A block's four factorised convolutions: what each does within a frame, then what it does over time."""

    within: Array
    """4×3×C×8F: Winograd's four products of each of three lines, the four convolutions beside one another."""
    over_time: Sequence[Array]
    """For each dilation 3×2F×F, batch norm folded in."""
    bias: Array
    """4F."""


class LeanTransNet:
    """Tells for each frame of a window how likely a transition is there."""

    def __init__(self) -> None:
        self._weights = read_weights()
        self._stages = [[_block(self._weights, f"SDDCNN.{s}.DDCNN.{b}") for b in range(BLOCKS)] for s in range(STAGES)]

    def __call__(self, windows: NDArray[np.uint8]) -> Array:
        """B×T×27×48×3 RGB to B×T×2; see `mhmd.shots.network.TransNet`."""
        return np.stack([self._predicted(window) for window in windows])

    def _predicted(self, window: NDArray[np.uint8]) -> Array:
        x = np.divide(window, 255, dtype=np.float32)
        means = []
        for first, second in self._stages:
            shape = (*x.shape[:3], len(first.bias))
            shortcut = _convolved(_laid_out(x), first, shape)
            y = _inside(_convolved(shortcut, second, shape) + shortcut, shape)
            height, width = shape[1] // 2, shape[2] // 2
            quads = y[:, : 2 * height, : 2 * width].reshape(shape[0], height, 2, width, 2, shape[3])
            x = quads.mean(axis=(2, 4))
            means.append(x.mean(axis=(1, 2)))
        features = self._linear(np.concatenate(means, axis=1), "frame_sim_layer.projection")
        alike = self._linear(_around(features), "frame_sim_layer.fc", rectified=True)
        histograms = self._linear(_around(_histograms(window)), "color_hist_layer.fc", rectified=True)
        joint = np.concatenate([histograms, alike, x.reshape(len(x), -1)], axis=1)
        joint = self._linear(joint, "fc1", rectified=True)
        both = np.concatenate([self._linear(joint, "cls_layer1"), self._linear(joint, "cls_layer2")], axis=1)
        predicted: Array = 1 / (1 + np.exp(-both))
        return predicted

    def _linear(self, x: Array, name: str, *, rectified: bool = False) -> Array:
        y: Array = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return y.clip(0) if rectified else y


def _block(weights: Mapping[str, Array], name: str) -> Block:
    scale = weights[f"{name}.bn.weight"] / np.sqrt(weights[f"{name}.bn.running_var"] + BATCH_NORM_EPSILON)
    bias = weights[f"{name}.bn.bias"] - weights[f"{name}.bn.running_mean"] * scale
    convolutions = [f"{name}.Conv3D_{dilation}.layers" for dilation in DILATIONS]
    g = np.concatenate([weights[f"{each}.0.weight"][:, :, 0] for each in convolutions]).transpose(3, 2, 1, 0)
    within = np.stack([g[0], (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, g[2]])
    over_time = [
        np.ascontiguousarray((weights[f"{each}.1.weight"][:, :, :, 0, 0] * part[:, None, None]).transpose(2, 1, 0))
        for each, part in zip(convolutions, np.split(scale, len(DILATIONS)), strict=True)
    ]
    return Block(np.ascontiguousarray(within), over_time, bias)


def _margin(width: int) -> int:
    """Rows before the first frame and after the last one, so that every row has its neighbours."""
    return width + 4


def _laid_out(x: Array) -> Array:
    """T×H×W×C as rows with borders, and margins."""
    times, height, width, channels = x.shape
    rows = np.zeros((times * (height + 2) * (width + 2) + 2 * _margin(width), channels), np.float32)
    _inside(rows, x.shape)[:] = x
    return rows


def _inside(rows: Array, shape: tuple[int, ...]) -> Array:
    """The T×H×W×C in what `_laid_out` gives, not copied."""
    times, height, width, channels = shape
    framed = rows[_margin(width) : -_margin(width)].reshape(times, height + 2, width + 2, channels)
    return framed[:, 1:-1, 1:-1]


def _convolved(rows: Array, block: Block, shape: tuple[int, ...]) -> Array:
    """Rows of C channels to rows of 4F, rectified; `shape` is T×H×W×4F."""
    times, height, width, _ = shape
    frame = (height + 2) * (width + 2)
    mixed = _within(rows, block.within, times * frame, width + 2)
    done = np.zeros((len(mixed) + 2 * _margin(width), shape[3]), np.float32)
    sums = done[_margin(width) : -_margin(width)]
    parts = zip(np.split(mixed, 4, axis=1), block.over_time, np.split(sums, 4, axis=1), DILATIONS, strict=True)
    for part, weights, total, dilation in parts:
        _over_time(part, weights, total, dilation * frame)
    sums += block.bias
    np.maximum(sums, 0, out=sums)
    framed = sums.reshape(times, height + 2, width + 2, -1)
    framed[:, [0, -1]] = framed[:, :, [0, -1]] = 0
    return done


def _within(rows: Array, weights: Array, count: int, line: int) -> Array:
    """The convolutions within frames: N×8F of the `count` rows N between margins; `line` rows are a line."""
    mixed = np.empty((count, weights.shape[3]), np.float32)
    for first in range(0, count // 2, PAIRS_AT_ONCE):
        pairs = min(PAIRS_AT_ONCE, count // 2 - first)
        start = 2 + 2 * first  # of the line above
        d = [rows[start + n : start + n + 2 * (pairs + line) : 2] for n in (-1, 0, 1, 2)]
        above, middle, below = (slice(n * line // 2, n * line // 2 + pairs) for n in range(3))
        a, b, c, e = (
            (v[above] @ w[0] + v[middle] @ w[1]) + v[below] @ w[2]
            for v, w in zip((d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]), weights, strict=True)
        )
        out = mixed[2 * first : 2 * (first + pairs)].reshape(pairs, 2, -1)
        out[:, 0] = a + b + c
        out[:, 1] = b - c - e
    return mixed


def _over_time(part: Array, weights: Array, total: Array, shift: int) -> None:
    """Adds to `total` N×F the convolution of `part` N×2F with what lies `shift` rows before and after."""
    for first in range(0, len(part), 2 * PAIRS_AT_ONCE):
        end = min(first + 2 * PAIRS_AT_ONCE, len(part))
        out = part[first:end] @ weights[1]
        if end > shift:
            late = max(first, shift)
            out[late - first :] += part[late - shift : end - shift] @ weights[0]
        if first + shift < len(part):
            early = min(end, len(part) - shift)
            out[: early - first] += part[first + shift : early + shift] @ weights[2]
        total[first:end] = out


def _around(features: Array) -> Array:
    """T×C to T×101: how alike each frame is to those around it; 0 outside the window."""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    alike = np.pad(unit @ unit.T, ((0, 0), (LOOKUP // 2, LOOKUP // 2)))
    row, item = alike.strides
    return np.lib.stride_tricks.as_strided(alike, (len(alike), LOOKUP), (row + item, item))


def _histograms(window: NDArray[np.uint8]) -> Array:
    """T×512: of 8×8×8 colours."""
    bins = (window >> 5).astype(np.int64) @ np.array([64, 8, 1])
    numbers = bins.reshape(len(window), -1) + 512 * np.arange(len(window))[:, None]
    return np.bincount(numbers.ravel(), minlength=512 * len(window)).reshape(-1, 512).astype(np.float32)

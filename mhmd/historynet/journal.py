"""What a run leaves to be looked at: metrics.jsonl, TensorBoard curves and histograms, panels of samples."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from mhmd.errors import StorageError
from mhmd.historynet.data import Batch
from mhmd.historynet.metrics import Scores, pictures_of
from mhmd.historynet.model import Generator, Painting
from mhmd.historynet.paint import paint
from mhmd.media.opencv import cv2


class Journal:
    """Records of one run; opened at a step, it forgets what an interrupted run wrote after it. No run, no records."""

    def __init__(self, run: Path | None, step: int) -> None:
        self._run = run
        if run is None:
            return
        self._metrics = run / "metrics.jsonl"
        with told(self._metrics):
            if self._metrics.exists():
                lines = self._metrics.read_bytes().splitlines(keepends=True)
                temporary = self._metrics.with_name(".metrics.jsonl.tmp")
                temporary.write_bytes(b"".join(line for line in lines if _step_of(line) <= step))
                temporary.replace(self._metrics)
        with told(run / "tensorboard"):
            self._curves = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self._curves.close()

    def losses(self, step: int, losses: Mapping[str, float], learning_rate: float) -> None:
        """Losses of one training step, and its learning rate."""
        if self._run is not None:
            self._line(step, "train", {**losses, "learning_rate": learning_rate})

    def scores(self, step: int, scores: Scores) -> None:
        """A validation."""
        self._line(step, "val", asdict(scores))

    def panel(self, step: int, generator: Generator, batches: Sequence[Batch]) -> None:
        """What a generator makes of these pictures: `samples/step-<step>.png`, the same and ab's spread in TensorBoard.

        A row a picture: gray, truth, ours, and mask and our mask where there are masks.
        """
        assert self._run is not None, "only the process that leads has pictures"
        if not batches:  # all of them are damaged
            return
        paintings = [paint(generator, batch.lightness) for batch in batches]
        pairs = zip(batches, paintings, strict=True)
        rgb = stacked([row for batch, made in pairs for row in _rows(batch, made, generator.classes.mask)])
        encoded, png = cv2.imencode(".png", rgb.numpy()[..., ::-1])
        assert encoded
        with told(path := self._run / "samples" / f"step-{step:06d}.png"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png.tobytes())
        with told(self._run / "tensorboard"):
            self._picture_events(step, rgb, paintings, batches)

    def _picture_events(self, step: int, rgb: Tensor, paintings: Sequence[Painting], batches: Sequence[Batch]) -> None:
        self._curves.add_image("panel", rgb, step, dataformats="HWC")
        for channel, name in enumerate("ab"):
            for who, found in (("ours", paintings), ("truth", batches)):
                values = torch.cat([each.ab[:, channel].float().flatten().cpu() for each in found])
                self._curves.add_histogram(f"{name}/{who}", values, step)
        self._curves.flush()

    def _line(self, step: int, split: str, values: Mapping[str, float | None]) -> None:
        with told(self._metrics), self._metrics.open("a") as file:
            file.write(json.dumps({"step": step, "split": split, **values}, allow_nan=False) + "\n")
        with told(Path(self._curves.log_dir)):
            for name, value in values.items():
                if value is not None:
                    self._curves.add_scalar(f"{split}/{name}", value, step)
            self._curves.flush()


def _step_of(line: bytes) -> float:
    """The step of a line of metrics; beyond all steps when it was cut off, or damaged as a power failure leaves it."""
    try:
        return float(json.loads(line)["step"]) if line.endswith(b"\n") else math.inf
    except (ValueError, KeyError, TypeError):
        return math.inf


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what goes wrong in writing a record into a StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}",
            wanted="room for a run's records",
            do="make room and run the same command again; it goes on from the last checkpoint",
        ) from None


def stacked(rows: Sequence[Tensor]) -> Tensor:
    """Rows of tiles, (T, 3, h, w) each, as one picture (H, W, 3); tiles are made equal with black below and right."""
    height, width = max(row.shape[-2] for row in rows), max(row.shape[-1] for row in rows)
    equal = [functional.pad(row, (0, width - row.shape[-1], 0, height - row.shape[-2])) for row in rows]
    return torch.stack(equal).permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # rows·H, tiles·W, 3


def _rows(batch: Batch, painting: Painting, classes: int) -> list[Tensor]:
    """The tiles of each picture, (T, 3, H, W), 8-bit, on the CPU; a class of a mask is a gray level."""
    gray = torch.zeros_like(batch.ab)
    tiles = [pictures_of(batch.lightness, ab) for ab in (gray, batch.ab, painting.ab)]
    logits = painting.mask_logits
    if batch.mask is not None and logits is not None:
        brightest = max(classes - 1, 1)
        tiles.append(_levels(batch.mask / brightest))
        made = logits[:, 0].sigmoid() if logits.shape[1] == 1 else logits.argmax(dim=1) / brightest
        tiles.append(_levels(made))
    return list(torch.stack(tiles, dim=1).cpu())  # N of T, 3, H, W


def _levels(mask: Tensor) -> Tensor:
    return (mask * 255).round().to(torch.uint8)[:, None].expand(-1, 3, -1, -1)

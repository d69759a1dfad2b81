"""What a run leaves to be looked at: metrics.jsonl, TensorBoard curves, panels of samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from mhmd.historynet.data import Batch
from mhmd.historynet.metrics import Scores, pictures_of
from mhmd.media.opencv import cv2


class Journal:
    """Records of one run; opened at a step, it forgets what an interrupted run wrote after it."""

    def __init__(self, run: Path, step: int) -> None:
        self._run = run
        self._metrics = run / "metrics.jsonl"
        if self._metrics.exists():
            lines = self._metrics.read_text().splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
            temporary = self._metrics.with_name(".metrics.jsonl.tmp")
            temporary.write_text("".join(kept))
            temporary.replace(self._metrics)
        self._curves = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._curves.close()

    def losses(self, step: int, losses: Mapping[str, float]) -> None:
        """Losses of one training step."""
        self._line(step, "train", losses)

    def scores(self, step: int, scores: Scores) -> None:
        """A validation."""
        self._line(step, "val", asdict(scores))

    def panel(self, step: int, rgb: Tensor) -> None:
        """A panel of (H, W, 3), 8-bit, as `samples/step-<step>.png`."""
        path = self._run / "samples" / f"step-{step:06d}.png"
        path.parent.mkdir(exist_ok=True)
        encoded, png = cv2.imencode(".png", rgb.cpu().numpy()[..., ::-1])
        assert encoded
        path.write_bytes(png.tobytes())

    def _line(self, step: int, split: str, values: Mapping[str, float | None]) -> None:
        with self._metrics.open("a") as file:
            file.write(json.dumps({"step": step, "split": split, **values}, allow_nan=False) + "\n")
        for name, value in values.items():
            if value is not None:
                self._curves.add_scalar(f"{split}/{name}", value, step)
        self._curves.flush()


def painted_panel(generator: nn.Module, batch: Batch) -> Tensor:
    """A row a picture of the batch: gray, truth, ours, mask, our mask; (N·S, 5·S, 3), 8-bit."""
    was_training = generator.training
    generator.eval()
    with torch.inference_mode():
        painting = generator(batch.lightness)
    generator.train(was_training)
    gray = torch.full_like(batch.ab, 0.5)
    colours = [pictures_of(batch.lightness, ab) for ab in (gray, batch.ab, painting.ab)]
    masks = [(mask * 255).round().to(torch.uint8).expand(-1, 3, -1, -1) for mask in (batch.mask, painting.mask)]
    rows = torch.cat((*colours, *masks), dim=3)  # N, 3, S, 5·S
    return rows.permute(0, 2, 3, 1).flatten(0, 1)

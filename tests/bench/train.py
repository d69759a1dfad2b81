"""How fast training goes, beside a plain eager loop of the same network; and how fast samples can be read.

Without a GPU: step times of the small model on the CPU. With one: images/s of `full` at 224 px.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import torch

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import Batch, train_batches
from mhmd.historynet.dataset import Dataset, open_dataset
from mhmd.historynet.device import fabric_on
from mhmd.historynet.learners import new_learners
from mhmd.historynet.model import Classes
from mhmd.historynet.steps import gradients
from mhmd.report import print_table
from tests.bench.train_data import write_dataset
from tests.bench.train_plain import PlainLoop

GFLOP = 217.0
"""Of a training step of `full` at 224 px, an image; 29 of them in the gradient penalty."""
PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0}
"""Dense bfloat16, as the vendor says."""
SMALL = {"width": 0.125, "size_px": 112, "batch": 8, "batchnorm_momentum": 0.1}
ROUNDS = 9
CLASSES = Classes((42, 3, 6, 5), 6)


def bench(films: Path | None = None) -> None:
    """Print all tables; `films` are not needed."""
    del films
    torch.set_num_threads(1)
    _on_the_cpu()
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset(write_dataset(Path(folder) / "out", samples=192, height=512, width=912))
        _reading(dataset)
    if not torch.cuda.is_available():
        print("train on a GPU: skipped: no GPU")
        return
    _on_a_gpu()


def _on_the_cpu() -> None:
    """CPU seconds a step of one thread; a round takes each in turn, so that both see the same other load."""
    rows = []
    for variant in ("full", "ours"):
        config = TrainConfig.model_validate({"variant": variant, **SMALL})
        batch = random_batch(config, torch.device("cpu"))
        loops = {"ours": fabric_step(config, "cpu"), "plain": PlainLoop(config, CLASSES, torch.device("cpu")).step}
        spent: dict[str, list[float]] = {name: [] for name in loops}
        for step in loops.values():
            step(batch)
        for _ in range(ROUNDS):
            for name, step in loops.items():
                started = process_time()
                step(batch)
                spent[name].append(process_time() - started)
        best = {name: min(times) for name, times in spent.items()}
        medians = {name: median(times) for name, times in spent.items()}
        rows.append((variant, best["ours"], best["plain"], best["plain"] / best["ours"], *medians.values()))
    head = ("variant", "ours s, min", "plain s, min", "plain / ours", "ours s, median", "plain s, median")
    print_table(
        f"train on the CPU: a step of {SMALL['batch']} at {SMALL['size_px']} px, width {SMALL['width']}", head, rows
    )


def fabric_step(config: TrainConfig, device: str) -> Callable[[Batch], None]:
    """One step as `mhmd train` makes it, without reading the losses."""
    fabric = fabric_on(device, config.precision)
    learners = new_learners(fabric, config, CLASSES)

    def step(batch: Batch) -> None:
        gradients(fabric, learners, batch, config, CLASSES.mask)
        learners.update(fabric, config.learning_rate, 1)

    return step


def random_batch(config: TrainConfig, device: torch.device) -> Batch:
    """A batch of noise."""
    rng = torch.Generator().manual_seed(0)
    count, side = config.batch, config.size_px
    lightness = torch.rand((count, 1, side, side), generator=rng).to(device)
    return Batch(
        seen=lightness,
        lightness=lightness,
        ab=(torch.rand((count, 2, side, side), generator=rng) * 60 - 30).to(device),
        mask=torch.randint(CLASSES.mask, (count, side, side), generator=rng).to(device),
        labels=torch.zeros((count, 4), dtype=torch.long, device=device),
        keys=("",) * count,
        number=0,
    )


def _reading(dataset: Dataset) -> None:
    """Batches of 224 px from JPEGs of 512 px and their masks: images/s, and CPU milliseconds an image."""
    rows = []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for framing, archive in (("squash", 0.0), ("crop", 0.0), ("crop", 0.5)):
        for workers in sorted({1, 2, os.cpu_count() or 1}):
            config = TrainConfig.model_validate(
                {"framing": framing, "archive": archive, "batch": 32, "weight_info": 0.0}
            )
            with closing(train_batches(dataset, config, 0, device, workers=workers)) as batches:
                next(batches)
                started, cpu = perf_counter(), os.times()
                count = sum(len(batch.keys) for batch in islice(batches, 5))
                wall, now = perf_counter() - started, os.times()
            spent = now.user + now.system - cpu.user - cpu.system
            rows.append((framing, archive, workers, count / wall, 1000 * spent / count))
    head = ("framing", "archive", "threads", "images/s", "CPU ms an image")
    print_table(f"reading 912×512 JPEGs and masks into batches of 224 px on {device.type}", head, rows)


def _on_a_gpu() -> None:
    """Images/s of `full` at 224 px, data on the device: the plain loop in float32, ours in bfloat16, compiled."""
    name, device = torch.cuda.get_device_name(), torch.device("cuda")
    peak = next((peak for known, peak in PEAK_TFLOPS.items() if known in name), None)
    rows = []
    for size in (16, 32, 64, 128, 256):
        speeds = []
        for ours in (False, True):
            knobs = {"precision": "bfloat16", "compile": True} if ours else {}
            config = TrainConfig.model_validate({"variant": "full", "batch": size, **knobs})
            step = fabric_step(config, "cuda") if ours else PlainLoop(config, CLASSES, device).step
            if not ours:  # torch's own defaults
                torch.set_float32_matmul_precision("highest")
                torch.backends.cudnn.allow_tf32 = True
            speeds.append(_gpu_speed(step, random_batch(config, device)))
            del step
            torch.compiler.reset()
            torch.cuda.empty_cache()
        share = speeds[1] * GFLOP / 1000 / peak if peak else float("nan")
        rows.append((size, *speeds, speeds[1] / speeds[0], share))
    print_table(f"train on {name}", ("batch", "plain float32", "ours bfloat16", "times", "share of the floor"), rows)


def _gpu_speed(step: Callable[[Batch], None], batch: Batch) -> float:
    """Images a second; not a number where there is no room for the batch."""
    try:
        for _ in range(5):
            step(batch)
    except torch.cuda.OutOfMemoryError:
        return float("nan")
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        started = perf_counter()
        for _ in range(10):
            step(batch)
        torch.cuda.synchronize()
        times.append((perf_counter() - started) / 10)
    return len(batch.keys) / float(np.median(times))

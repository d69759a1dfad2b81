"""How fast `mhmd extract` is, beside decoding alone and beside PySceneDetect; and how much memory it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from mhmd.report import print_table
from tests.bench.footage import ffmpeg, films_in, in_full_hd, repeated

COPIES = 2
"""Of each film so many are worked on, two at a time."""

RUNS = 3
DETECTORS = ("adaptive", "cascade")
COLUMNS = ("film", "who", "wall s", "CPU s", "frames/s", "of bare: wall", "of bare: CPU", "MB a process")


@dataclass(frozen=True)
class Cost:
    """Wall and CPU time, s, and the largest memory of one process, MB."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def bench(folder: Path | None = None) -> None:
    """The films of `folder`, and one at 1080p made of them all."""
    films = films_in(folder)
    with tempfile.TemporaryDirectory(prefix="mhmd-bench-") as scratch:
        work = Path(scratch)
        hd = in_full_hd(films, Path(tempfile.gettempdir()) / f"mhmd-bench-{len(films)}-1080p.mp4")
        rows = [row for film in [*films, hd] for row in _compared(film, work)]
        print_table(f"extract, {COPIES} films, two at a time; median of {RUNS}", COLUMNS, rows)
        print_table("memory of a worker over a longer film", ("film", "detector", "MB"), _growth(films[-1], work))


def _compared(film: Path, work: Path) -> list[tuple[object, ...]]:
    decode = [ffmpeg(), "-v", "error", "-threads", "1", "-i", str(film), "-an", "-f", "null", "-"]
    scenes = [str(Path(sys.executable).with_name("scenedetect")), "-q", "-i", str(film), "-o", str(work / "scenes")]
    rivals = {
        "ffmpeg -f null": lambda: _cost([decode] * COPIES),
        **{f"mhmd {name}": lambda name=name: _cost([_extract(film, work, name, COPIES)]) for name in DETECTORS},
        "scenedetect": lambda: _cost([[*scenes, "detect-adaptive", "save-images"]] * COPIES),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in rivals}
    for _ in range(RUNS):  # in turn, so that what slows the machine slows all of them
        for name, run in rivals.items():
            costs[name].append(run())
            shutil.rmtree(work / "data", ignore_errors=True)
            shutil.rmtree(work / "scenes", ignore_errors=True)
    bare = costs["ffmpeg -f null"]
    frames = COPIES * _frames(film)
    return [
        (
            film.stem,
            name,
            f"{median(cost.wall_s for cost in mine):.2f}",
            f"{median(cost.cpu_s for cost in mine):.2f}",
            f"{frames / median(cost.wall_s for cost in mine):.0f}",
            f"{median(other.wall_s / cost.wall_s for cost, other in zip(mine, bare, strict=True)):.2f}",
            f"{median(other.cpu_s / cost.cpu_s for cost, other in zip(mine, bare, strict=True)):.2f}",
            f"{max(cost.memory_mb for cost in mine):.0f}",
        )
        for name, mine in costs.items()
    ]


def _growth(film: Path, work: Path) -> list[tuple[object, ...]]:
    long = repeated(film, 10, work / f"long{film.suffix}")
    rows: list[tuple[object, ...]] = []
    for detector in DETECTORS:
        for name, path in ((film.stem, film), (f"{film.stem}, ten times", long)):
            rows.append((name, detector, f"{_cost([_extract(path, work, detector, 1)]).memory_mb:.0f}"))
            shutil.rmtree(work / "data")
    return rows


def _extract(film: Path, work: Path, detector: str, copies: int) -> list[str]:
    manifest = work / "films.csv"
    lines = [f"film{k},Film {k},{film}" for k in range(copies)]
    manifest.write_text("film_id,title,path\n" + "\n".join(lines) + "\n")
    mhmd = str(Path(sys.executable).with_name("mhmd"))
    where = ["--films", str(manifest), "--data", str(work / "data"), "--workers", "2"]
    return [mhmd, "extract", *where, "--detector", detector, "--log-format", "plain"]


def _cost(commands: Sequence[Sequence[str]]) -> Cost:
    """Of commands run at the same time, with their children."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = perf_counter()
    running = [subprocess.Popen(command, **quiet) for command in commands]
    cpu_s, memory_mb = 0.0, 0.0
    for process in running:
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, f"{' '.join(map(str, process.args))} failed"
        cpu_s += usage.ru_utime + usage.ru_stime
        memory_mb = max(memory_mb, usage.ru_maxrss / 1024)
    return Cost(perf_counter() - started, cpu_s, memory_mb)


def _frames(film: Path) -> int:
    import av

    with av.open(str(film)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))

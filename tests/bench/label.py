"""How long 1,353,166 frames of 147 films take against 20,000 ranges: the join alone, and all of `mhmd label`."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa
import pyarrow.compute

from mhmd.entries import LabelEntry
from mhmd.labels.join import Extent, join
from mhmd.records import Film, Frame, Record, Shot
from mhmd.report import print_table
from mhmd.storage import Stamp, Storage, schema_of
from mhmd.taxonomy import Taxonomy, load_taxonomy

FILMS, FRAMES, RANGES = 147, 1_353_166, 20_000
INTERVAL_S = 0.55
LAUNCHER = """
import os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=sys.stderr)
sys.exit(bool(status))
"""
"""A small process between: one that this one starts would count this one's memory as its own."""
RUNS = 3


def bench(folder: Path | None = None) -> None:
    """On synthetic tables; `folder` counts for nothing."""
    del folder
    taxonomy = load_taxonomy()
    with tempfile.TemporaryDirectory(prefix="mhmd-bench-") as scratch:
        work = Path(scratch)
        films = {name: _frames(name, count) for name, count in zip(_names(), _shares(FRAMES), strict=True)}
        labels = pa.concat_tables(
            [_ranges(name, len(films[name]), n) for name, n in zip(films, _shares(RANGES), strict=True)]
        )
        _store(work, films, labels)
        rows = [("the join alone", *_joined(films, labels, taxonomy))]
        rows += [(f"mhmd label, {workers} workers", *_command(work, workers)) for workers in (1, 2)]
        print_table(
            f"{FRAMES} frames, {FILMS} films, {RANGES} ranges; median of {RUNS}",
            ("what", "wall s", "CPU s", "MB of the largest process"),
            rows,
        )


def _names() -> list[str]:
    return [f"film_{number:03d}" for number in range(FILMS)]


def _shares(total: int) -> list[int]:
    return [total // FILMS + (number < total % FILMS) for number in range(FILMS)]


def _frames(film: str, count: int) -> pa.Table:
    """Frames each 0.55 s of a film of 25 frames a second, ten a shot; all other columns blank."""
    ticks = np.round(np.arange(count) * INTERVAL_S * 12800).astype(np.int64)
    columns = {
        "film_id": pa.array([film] * count),
        "frame_id": pa.array([f"{film}_{pts:010d}" for pts in ticks.tolist()]),
        "shot": pa.array(np.arange(count) // 10),
        "pts": pa.array(ticks),
        "time_s": pa.array(ticks / 12800),
    }
    return _whole(Frame, columns, count)


def _whole(record: type[Record], columns: dict[str, pa.Array], count: int) -> pa.Table:
    schema = schema_of(record)
    blank = {"string": "", "bool": False, "fixed_size_binary[96]": bytes(96)}
    for field in schema:
        if field.name not in columns:
            value = [] if pa.types.is_list(field.type) else blank.get(str(field.type), 0)
            columns[field.name] = pa.array([value] * count, field.type)
    return pa.table(columns).select(schema.names).cast(schema)


def _ranges(film: str, frames: int, count: int) -> pa.Table:
    """The film's own row, and ranges side by side that refine its garment."""
    ends = np.linspace(0, frames * INTERVAL_S, count).round(3)
    garments = ["formal", "non-formal", "communist uniform", "national military uniform"]
    rows = [{"film_id": film, "era": "During WWII", "nationality": "China", "garment": "formal"}]
    rows += [
        {"film_id": film, "start_s": start, "end_s": end, "garment": garments[number % 4]}
        for number, (start, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
    ]
    names = [field.name for field in fields(LabelEntry)]
    return pa.Table.from_pylist([dict.fromkeys(names) | row for row in rows], schema_of(LabelEntry))


def _store(work: Path, films: dict[str, pa.Table], labels: pa.Table) -> None:
    storage = Storage(str(work / "data"))
    for film, frames in films.items():
        stamp = Stamp(digest=film)
        shots = len(frames) // 10 + 1
        columns = {"film_id": pa.array([film] * shots), "shot": pa.array(np.arange(shots))}
        storage.write_table(f"shots/{film}.parquet", _whole(Shot, columns, shots), stamp)
        storage.write_table(f"frames/{film}.parquet", frames, stamp)
        end = {"film_id": pa.array([film]), "duration_s": pa.array([len(frames) * INTERVAL_S])}
        storage.write_table(f"films/{film}.parquet", _whole(Film, end, 1), stamp)
    Storage(str(work)).write_table("labels.parquet", labels)


def _joined(films: dict[str, pa.Table], labels: pa.Table, taxonomy: Taxonomy) -> tuple[str, str, str]:
    walls, cpus = [], []
    for _ in range(RUNS):
        wall, cpu = perf_counter(), process_time()
        for film, frames in films.items():
            own = labels.filter(pa.compute.equal(labels["film_id"], film))
            joined = join(frames, own, taxonomy, Extent(len(frames) * INTERVAL_S, len(frames)))
            assert not joined.problems
            assert (joined.label_id >= 0).all()
        walls.append(perf_counter() - wall)
        cpus.append(process_time() - cpu)
    return (
        f"{median(walls):.2f}",
        f"{median(cpus):.2f}",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}",
    )


def _command(work: Path, workers: int) -> tuple[str, str, str]:
    """Wall and CPU time, s, of the command with its children, and the largest of them, MB."""
    mhmd = str(Path(sys.executable).with_name("mhmd"))
    where = ["--data", str(work / "data"), "--labels", str(work / "labels.parquet"), "--workers", str(workers)]
    walls, cpus, largest = [], [], 0.0
    for _ in range(RUNS):
        for path in (work / "data" / "labels").glob("*.parquet"):
            path.unlink()
        words = [sys.executable, "-c", LAUNCHER, mhmd, "label", *where, "--log-format", "plain"]
        wall_s, cpu_s, memory = map(float, subprocess.run(words, capture_output=True, check=True).stderr.split()[-3:])
        walls.append(wall_s)
        cpus.append(cpu_s)
        largest = max(largest, memory / 1024)
    return f"{median(walls):.2f}", f"{median(cpus):.2f}", f"{largest:.0f}"

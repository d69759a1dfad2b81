"""The Hamming join on as many hashes as MHMD has frames, beside faiss, and the whole stage on tables of that size.

Each measurement has a process of its own, so that its largest memory is told. Two thirds of the hashes are in groups of
2 to 60 with 0 to 8 flipped bits, three groups have 20,000, the others are alone.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mhmd.report import print_table

FRAMES = 1_353_166
GROWTH = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
RADIUS = 8
ALIKE, GROUPS_ALIKE = 20_000, 3
SAMPLE = 4096
FILMS = 147
RUNS = 3

Hashes = NDArray[np.uint64]


def bench() -> None:
    """Print three tables; the aims stand in their titles."""
    joined = [_alone("join", FRAMES, RADIUS) for _ in range(RUNS)]
    rival = [_alone("faiss", FRAMES, RADIUS) for _ in range(RUNS)]
    ours_s, faiss_s = (min(run["seconds"] for run in runs) for runs in (joined, rival))
    assert rival[0]["pairs"] == joined[0]["sampled_pairs"], "faiss finds other pairs"
    rows = [
        ("mhmd", ours_s, joined[0]["pairs"], max(run["mb"] for run in joined), 1.0),
        (f"faiss, of {SAMPLE} queries", faiss_s, "", max(run["mb"] for run in rival), faiss_s / ours_s),
    ]
    title = f"all pairs of {FRAMES} hashes within {RADIUS} bits: at most 30 s and 1500 MB; faiss 15 times as long"
    print_table(title, ("who", "s, best run", "pairs", "MB", "times"), rows)
    rows = [(each["count"], each["seconds"], each["pairs"], each["mb"]) for each in _grown()]
    print_table("growth", ("hashes", "s", "pairs", "MB"), rows)
    with tempfile.TemporaryDirectory(prefix="mhmd-bench-") as data:
        _workspace(Path(data))
        whole = _alone("stage", data)
    title = f"mhmd dedup on {FRAMES} frames of {FILMS} films, reading and writing included: at most 90 s"
    print_table(title, ("s", "MB of its process", "frames kept"), [(whole["seconds"], whole["mb"], whole["kept"])])


def hashes(count: int) -> Hashes:
    """So many hashes in groups as they are in films, shuffled."""
    rng = np.random.default_rng(0)
    alike = min(ALIKE, count // 60)
    parts = [_near(rng, np.full(alike, rng.integers(0, 2**64, dtype=np.uint64))) for _ in range(GROUPS_ALIKE)]
    grouped = 2 * count // 3 - GROUPS_ALIKE * alike
    sizes = rng.integers(2, 61, grouped // 20 + 60)
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), grouped)]
    parts.append(_near(rng, np.repeat(rng.integers(0, 2**64, len(sizes), np.uint64), sizes)))
    parts.append(rng.integers(0, 2**64, count - sum(map(len, parts)), np.uint64))
    return rng.permutation(np.concatenate(parts))


def _near(rng: np.random.Generator, values: Hashes) -> Hashes:
    """The same with 0 to 8 flipped bits each."""
    flips = rng.integers(0, 9, len(values))
    for flip in range(8):
        bits = np.uint64(1) << rng.integers(0, 64, len(values), np.uint64)
        values = np.where(flip < flips, values ^ bits, values)
    return values


def _grown() -> list[dict[str, Any]]:  # Any: JSON
    return [{"count": count, **_alone("join", count, RADIUS)} for count in GROWTH]


def _alone(what: str, *words: object) -> dict[str, Any]:  # Any: JSON
    """What a measurement says that runs in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.dedup_speed", what, *map(str, words)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


def join(count: int, radius: int) -> dict[str, float]:
    """Take all pairs of so many hashes, as they come."""
    from mhmd.hashing.hamming import pairs_within

    values = hashes(count)
    for _ in pairs_within(values[:40_000], radius):  # compiles where nothing is kept yet
        pass
    pairs, sampled, started = 0, 0, perf_counter()
    for part in pairs_within(values, radius):
        pairs += len(part.first)
        sampled += int(np.count_nonzero(part.first < SAMPLE) + np.count_nonzero(part.second < SAMPLE))
    return {"seconds": perf_counter() - started, "pairs": pairs, "sampled_pairs": sampled, "mb": _mb(False)}


def faiss(count: int, radius: int) -> dict[str, float]:
    """Have faiss look up a sample of so many hashes in all; the time that all of them would take."""
    import faiss

    values = hashes(count).view(np.uint8).reshape(count, 8)
    index = faiss.IndexBinaryFlat(64)
    index.add(values)
    started = perf_counter()
    limits, _, _ = index.range_search(values[:SAMPLE], radius + 1)  # below, not up to
    seconds = (perf_counter() - started) * count / SAMPLE
    return {"seconds": seconds, "pairs": int(limits[-1]) - SAMPLE, "mb": _mb(False)}


def stage(data: str) -> dict[str, float]:
    """Make dedup of a workspace."""
    from mhmd.make import make
    from mhmd.stage import Where
    from mhmd.stages.dedup import STAGE, DedupConfig
    from mhmd.storage import Storage

    started = perf_counter()
    made = make(STAGE, DedupConfig(radius=RADIUS), Where(data), on="serial")
    seconds = perf_counter() - started
    assert made.count("made") == 1
    names = [f"verdicts/{film}.parquet" for film in Storage(data).names("verdicts", ".parquet")]
    kept = sum(int(Storage(data).table(name, ["kept"])["kept"].to_numpy().sum()) for name in names)
    return {"seconds": seconds, "mb": _mb(True), "kept": kept}


def _workspace(data: Path) -> None:
    """Tables of as many frames as MHMD has, in as many films; every hash of a group has the same signature."""
    import pyarrow as pa

    from mhmd.records import Film, Frame, Record, Screening, Shot, columns_of
    from mhmd.storage import Stamp, Storage, schema_of

    rng = np.random.default_rng(1)
    values = hashes(FRAMES)
    storage = Storage(str(data))
    blank = {"string": "", "float64": 0.0, "bool": False, "list<int32>": None, "binary[96]": bytes(range(96))}

    def table(record: type[Record], rows: int, columns: dict[str, Any]) -> pa.Table:  # Any: Arrow's arrays
        schema = schema_of(record)
        others = {
            column.name: pa.repeat(pa.scalar(blank.get(column.arrow, 0), schema.field(column.name).type), rows)
            for column in columns_of(record)
            if column.name not in columns
        }
        return pa.table({name: (columns | others)[name] for name in schema.names}).cast(schema)

    for number, part in enumerate(np.array_split(np.arange(FRAMES), FILMS)):
        film, rows = f"film_{number:03d}", len(part)
        ids = pa.array([f"{film}_{frame:010d}" for frame in range(rows)])
        names = pa.array([film] * rows)
        stamp = Stamp("made for the benchmark")
        columns = {
            "film_id": names,
            "frame_id": ids,
            "shot": pa.array(np.arange(rows, dtype=np.int32) // 9),
            "width": pa.array(np.full(rows, 910, np.int32)),
            "height": pa.array(np.full(rows, 512, np.int32)),
            "phash": pa.array(values[part]),
            "sharpness": pa.array(rng.gamma(2, 200, rows)),
            "colorfulness": pa.array(rng.gamma(4, 8, rows)),
            "ref": pa.array([f"frames/{film}.tar:{frame * 90_000}:88888" for frame in range(rows)]),
        }
        storage.write_table(f"frames/{film}.parquet", table(Frame, rows, columns), stamp)
        for record in (Film, Shot):
            storage.write_table(f"{record.TABLE}/{film}.parquet", schema_of(record).empty_table(), stamp)
        screened = table(Screening, rows, {"film_id": names, "frame_id": ids, "rejected_by": pa.nulls(rows)})
        storage.write_table(f"screenings/{film}.parquet", screened)


def _mb(children: bool) -> float:
    """The largest memory that this process, or else its largest child, ever had, MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    numbers = {"join": join, "faiss": faiss}
    print(json.dumps(numbers[what](*map(int, words)) if what in numbers else stage(*words)))

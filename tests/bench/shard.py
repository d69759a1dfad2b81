"""How fast datasets are written, checked, read and assembled, beside what does the least of it."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import webdataset as wds
from torch.utils.data import DataLoader

from mhmd.dataset.check import check
from mhmd.dataset.load import Loaded, load
from mhmd.media.jpeg import decode_jpeg, encode_jpeg
from mhmd.parsing.mask import decode_mask, encode_mask
from mhmd.report import print_table
from mhmd.tar import members_of
from tests.corpus import Corpus, make_corpus

RUNS = 3
FILMS, FRAMES, SIZE = 9, 700, (910, 512)
KNOBS = {"shard_mb": 64}
MANY_FILMS, MANY_FRAMES = 147, 9205
BLOCK_BYTES = 1 << 20
READERS = 2


def bench(films: Path | None = None) -> None:
    """On a corpus that is made up: frames of 910×512 px, some 100 KB each. `films` is not looked at."""
    del films
    with tempfile.TemporaryDirectory(prefix="mhmd-bench-") as scratch:
        corpus = make_corpus(Path(scratch), FILMS, FRAMES, SIZE, _Pool())
        out = corpus.root / "out"
        corpus.shard(**KNOBS)
        size_mb = sum(path.stat().st_size for path in out.glob("*.tar")) / 1e6
        contests: dict[str, dict[str, Callable[[], object]]] = {
            "write": {
                "mhmd shard": lambda: _written(corpus),
                "copy, fsync, SHA-256": lambda: _copied(out, corpus.root / "copy"),
                "webdataset.ShardWriter": lambda: _by_webdataset(corpus, corpus.root / "copy"),
            },
            "check": {
                "mhmd check --fast": lambda: check(out, fast=True),
                "hashlib": lambda: [_hashed(path) for path in out.iterdir()],
                "mhmd check": lambda: check(out),
            },
            "read": {
                "mhmd.load in a DataLoader, 2 workers": lambda: _loaded(
                    DataLoader(load(out, shuffle=500), batch_size=None, num_workers=READERS)
                ),
                "OpenCV alone, 2 processes": lambda: _decoded(out, _by_opencv),
                "our decoders alone, 2 processes": lambda: _decoded(out, _by_us),
                "mhmd.load, 2 threads": lambda: _loaded(load(out, shuffle=500, threads=READERS)),
            },
        }
        for name, rivals in contests.items():
            print_table(
                f"{name}: {FILMS * FRAMES} samples, {size_mb:.0f} MB; median of {RUNS}",
                ("who", "wall s", "MB/s", "samples/s", "rate of the first over its"),
                _rows(rivals, size_mb),
            )
    print_table("assemble", ("samples", "shards", "s", "MB"), [_assembled()])


def _rows(rivals: dict[str, Callable[[], object]], size_mb: float) -> list[tuple[object, ...]]:
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(RUNS):
        for name, run in rivals.items():
            started = perf_counter()
            run()
            times[name].append(perf_counter() - started)
    first = times[next(iter(rivals))]
    return [
        (
            name,
            f"{median(mine):.2f}",
            f"{size_mb / median(mine):.0f}",
            f"{FILMS * FRAMES / median(mine):.0f}",
            f"{median(other / one for one, other in zip(first, mine, strict=True)):.2f}",
        )
        for name, mine in times.items()
    ]


class _Pool:
    """A few pictures with the detail of photographs, over and over."""

    def __init__(self) -> None:
        chance = np.random.default_rng(0)
        self._pictures = [_picture(chance) for _ in range(24)]

    def __call__(self, film: int, frame: int, size: tuple[int, int]) -> tuple[bytes, bytes]:
        del size
        return self._pictures[(7 * film + frame) % len(self._pictures)]


def _picture(chance: np.random.Generator) -> tuple[bytes, bytes]:
    width, height = SIZE
    layers = [
        cv2.resize(chance.normal(0, 40 / 2**k, (9 * 2**k, 16 * 2**k, 3)).astype(np.float32), SIZE) for k in range(6)
    ]
    picture = np.clip(128 + sum(layers), 0, 255).astype(np.uint8)
    blobs = cv2.resize(chance.random((9, 16)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return encode_jpeg(picture), encode_mask(np.clip(blobs * 6, 0, 5).astype(np.uint8))


def _written(corpus: Corpus) -> None:
    shutil.rmtree(corpus.root / "out")
    corpus.shard(**KNOBS)


def _copied(out: Path, copy: Path) -> None:
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in sorted(out.glob("*.tar")):
        digest = hashlib.sha256()
        with path.open("rb") as source, (copy / path.name).open("wb") as target:
            while block := source.read(BLOCK_BYTES):
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())


def _by_webdataset(corpus: Corpus, copy: Path) -> None:
    """What one would write: rows joined already, pictures read from the workspace one by one."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    samples = list(_samples(corpus))
    with wds.ShardWriter(f"{copy}/%06d.tar", maxsize=KNOBS["shard_mb"] << 20, verbose=0) as writer:
        for key, jpeg, mask, info in samples:
            with jpeg[0].open("rb") as file:
                file.seek(jpeg[1])
                picture = file.read(jpeg[2])
            with mask[0].open("rb") as file:
                file.seek(mask[1])
                png = file.read(mask[2])
            writer.write({"__key__": key, "jpg": picture, "mask.png": png, "json": info})


def _samples(corpus: Corpus) -> Iterator[tuple[str, tuple[Path, int, int], tuple[Path, int, int], dict[str, object]]]:
    import pyarrow.parquet as pq

    rows = pq.read_table(corpus.root / "out" / "samples.parquet").drop_columns(["shard", "offset", "size_bytes"])
    infos = {row["key"]: row for row in rows.to_pylist()}
    refs: dict[str, list[tuple[Path, int, int]]] = {key: [] for key in infos}
    for table in ("frames", "masks"):
        for film in corpus.films:
            found = pq.read_table(corpus.root / "data" / table / f"{film}.parquet", columns=["frame_id", "ref"])
            for key, ref in zip(*(found[name].to_pylist() for name in found.column_names), strict=True):
                name, offset, size = ref.rsplit(":", 2)
                refs[key].append((corpus.root / "data" / name, int(offset), int(size)))
    for key, info in infos.items():
        yield key, refs[key][0], refs[key][1], info


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _loaded(samples: Iterable[Loaded]) -> int:
    return sum(sample.mask.numel() for sample in samples)


def _decoded(out: Path, decode: Callable[[str, bytes], object]) -> None:
    shards = sorted(out.glob("train-*.tar"))
    with multiprocessing.get_context("fork").Pool(READERS) as pool:
        pool.map(partial(_decode_shard, decode), map(str, shards), chunksize=1)


def _decode_shard(decode: Callable[[str, bytes], object], path: str) -> None:
    for name, data in members_of(Path(path).read_bytes()[: -2 * 512]):
        decode(name, data)


def _by_opencv(name: str, data: bytes) -> None:
    if not name.endswith(".json"):
        flags = cv2.IMREAD_COLOR_RGB if name.endswith(".jpg") else cv2.IMREAD_UNCHANGED
        cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _by_us(name: str, data: bytes) -> None:
    if name.endswith(".jpg"):
        decode_jpeg(data)
    elif name.endswith(".png"):
        decode_mask(data, name)


ASSEMBLE = """
import sys, time
from pathlib import Path
import pyarrow.compute as pc
from mhmd.dataset.assemble import Wanted, assemble
from mhmd.entries import LabelName
from mhmd.inputs import Inputs
from mhmd.splits import SPLITS
from mhmd.stages.shard import STAGE, ShardConfig, plans_of
from mhmd.storage import Storage
from mhmd.taxonomy import Taxonomy
from tests.corpus import Corpus
corpus = Corpus(Path(sys.argv[1]), tuple(f"film{k:03d}" for k in range(int(sys.argv[2]))), int(sys.argv[3]))
inputs = Inputs(STAGE, corpus.where, Storage(corpus.where.data), "corpus", corpus.films)
started = time.perf_counter()
rows = assemble(inputs, Taxonomy.of(inputs.rows(LabelName)), Wanted()).rows
parts = [plans_of(rows.filter(pc.equal(rows["split"], of)), of, ShardConfig(), inputs) for of in SPLITS]
print(rows.num_rows, sum(map(len, parts)), f"{time.perf_counter() - started:.1f}")
"""


def _assembled() -> tuple[object, ...]:
    """Tables of 1,353,135 frames joined, ordered, cut into shards, each with its digest; in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="mhmd-bench-") as scratch:
        make_corpus(Path(scratch), MANY_FILMS, MANY_FRAMES, SIZE, None)
        command = [sys.executable, "-c", ASSEMBLE, scratch, str(MANY_FILMS), str(MANY_FRAMES)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    samples, shards, seconds = done.stdout.split()
    return samples, shards, seconds, f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f}"

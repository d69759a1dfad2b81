"""Does a dataset hold what it says? Checksums, counts, every sample, and no title in two splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.cores import cores
from mhmd.dataset.described import Stats, companion_problems, rows_of, stats_of
from mhmd.dataset.inside import shard_problems
from mhmd.dataset.published import SAMPLES, STATS, listed
from mhmd.errors import DatasetError
from mhmd.splits import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage

BLOCK_BYTES = 1 << 22

Told = Callable[[int, int, str], None]


def check(out: str | Path, *, fast: bool = False, readers: int = 1, progress: Told = lambda *_: None) -> list[str]:
    """Everything that is wrong with a dataset in a folder or under a URL, a line each; empty when it is sound.

    `fast` reads every byte, but looks into no shard: checksums, and whether the tables, indices and texts agree. Else
    every sample is decoded and compared with its row. So many `readers` (loaders' workers × nodes) must find a shard
    each. Raises DatasetError when there is no dataset at all.
    """
    from mhmd.storage import Storage

    files = Storage(str(out))
    sums = sums_of(files)
    with ThreadPoolExecutor(cores(), thread_name_prefix="check") as pool:
        checked = pool.map(lambda name: list(_file_problems(files, name, sums[name])), sums)
        problems = list(_all(checked, sums, progress))
        problems += [
            f"{name}.tar: is not listed in SHA256SUMS" for name in files.names("", ".tar") if f"{name}.tar" not in sums
        ]
        if problems:
            return problems
        for name in (SAMPLES, STATS):
            if name not in sums:
                raise DatasetError(f"{files.url} has no {name}", wanted="a dataset of `mhmd shard`", do="make it again")
        rows, stats = rows_of(files, problems), stats_of(files, problems)
        if problems:
            return problems
        problems += _table_problems(rows, stats, readers)
        problems += _shard_lists(rows, stats, sums)
        problems += companion_problems(files, rows, stats, sums)
        if not fast and not problems:
            shards = sorted(set(rows["shard"].to_pylist()))
            mine = {shard: rows.filter(_equal(rows["shard"], shard)) for shard in shards}
            opened = pool.map(lambda shard: list(shard_problems(files, shard, mine[shard], stats)), shards)
            problems += _all(opened, shards, progress)
    return problems


def sums_of(files: Storage) -> dict[str, str]:
    """SHA-256 by file name, of SHA256SUMS. Raises DatasetError when there is no dataset."""
    sums = listed(files)
    if not sums:
        there = not files.local or Path(files.root).is_dir()
        found = "has no SHA256SUMS that lists files" if there else "is no folder"
        raise DatasetError(f"{files.url} {found}", wanted="a dataset that `mhmd shard` made", do="check the path")
    return sums


def _all(found: Iterable[list[str]], names: Iterable[str], progress: Told) -> Iterator[str]:
    names = list(names)
    for number, (name, problems) in enumerate(zip(names, found, strict=True)):
        yield from problems
        progress(number + 1, len(names), name)


def _file_problems(files: Storage, name: str, wanted: str) -> Iterator[str]:
    if "/" in name or not files.is_file(name):
        yield f"{name}: is {'no file' if '/' not in name and files.exists(name) else 'missing'}"
        return
    digest = hashlib.sha256()
    block = bytearray(BLOCK_BYTES)
    with (
        files.told(name, "read"),
        files.fs.open(files.path(name), "rb", **({} if files.local else {"block_size": BLOCK_BYTES})) as file,
    ):
        while size := file.readinto(block):
            digest.update(memoryview(block)[:size])
    if digest.hexdigest() != wanted:
        yield f"{name}: its bytes are not those of SHA256SUMS"


def _table_problems(rows: pa.Table, stats: Stats, readers: int) -> Iterator[str]:
    """What `samples.parquet` shows by itself."""
    keys = rows["key"].to_pylist()
    twice = sorted(key for key, count in Counter(keys).items() if count > 1)
    yield from (f"sample {key}: its key comes twice" for key in twice)
    yield from (f"sample {key}: its key has a dot, where loaders cut it" for key in keys if "." in key)
    for split in sorted(set(rows["split"].to_pylist()) - set(SPLITS)):
        yield f"{SAMPLES}: split {split!r} is none of {', '.join(SPLITS)}"
    parsers = sorted(set(rows["parser"].to_pylist()))
    if parsers not in ([], [stats["parser"]]):
        yield f"{STATS}: parser {stats['parser']!r}, but {SAMPLES} has {', '.join(parsers)}"
    splits: dict[str, set[str]] = {}
    for title, split in zip(rows["title"].to_pylist(), rows["split"].to_pylist(), strict=True):
        splits.setdefault(title, set()).add(split)
    for title, of in sorted(splits.items()):
        if len(of) > 1:
            yield f"title {title!r}: in {' and '.join(sorted(of))}"
    for split in SPLITS:
        count, shards = rows.filter(_equal(rows["split"], split)).num_rows, stats["shards"][split]
        if count != stats["samples"][split]:
            yield f"{STATS}: {stats['samples'][split]} samples in {split}, but {SAMPLES} has {count}"
        if count and len(shards) < readers:
            yield f"{split}: {len(shards)} shards are too few for {readers} readers; make it with a smaller shard_mb"
    names = stats["labels"]
    for row in rows.select(["key", "label_id", "era", "nationality", "garment"]).to_pylist():
        label = row["label_id"]
        if not -1 <= label < len(names) or (
            label >= 0 and names[label] != [row["era"], row["nationality"], row["garment"]]
        ):
            yield f"sample {row['key']}: label {label} is not {row['era']} / {row['nationality']} / {row['garment']}"


def _shard_lists(rows: pa.Table, stats: Stats, sums: dict[str, str]) -> Iterator[str]:
    """Whether the tables and the sums name the same shards, each of one split."""
    tars = {name for name in sums if name.endswith(".tar")}
    named = {shard for split in SPLITS for shard in stats["shards"][split]}
    used = set(rows["shard"].unique().to_pylist())
    for shard in sorted(tars | named | used):
        lacking = [what for what, of in (("SHA256SUMS", tars), (STATS, named), (SAMPLES, used)) if shard not in of]
        if lacking:
            yield f"{shard}: is not in {' and '.join(lacking)}"
            continue
        mine = rows.filter(_equal(rows["shard"], shard))
        yield from (f"{shard}: {problem}" for problem in _place_problems(mine))
        splits = sorted(set(mine["split"].to_pylist()))
        if any(shard not in stats["shards"].get(split, []) for split in splits):
            yield f"{shard}: {SAMPLES} puts samples of {', '.join(splits)} into it"


def _place_problems(rows: pa.Table) -> Iterator[str]:
    """Whether the samples of a shard lie one after the other, from its beginning."""
    at = 0
    for key, offset, size in zip(*(rows[of].to_pylist() for of in ("key", "offset", "size_bytes")), strict=True):
        if offset != at or size <= 0:
            yield f"{SAMPLES} puts sample {key} at byte {offset} with {size} bytes, not at {at}, after the one before"
            return
        at = offset + size


def _equal(column: Any, value: str) -> Any:  # Any: pyarrow.compute has no types
    import pyarrow.compute as pc

    return pc.equal(column, value)

"""Does a dataset hold what it says? Checksums, counts, every sample, and no title in two splits."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.dataset.published import SAMPLES, STATS, listed
from mhmd.errors import DatasetError, PictureError
from mhmd.records import SampleInfo, SampleRow
from mhmd.sample import FIELDS, MEMBERS, from_members
from mhmd.splits import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage

BLOCK_BYTES = 1 << 22

Told = Callable[[int, int, str], None]
Stats = dict[str, Any]  # Any: JSON


def check(out: str | Path, *, fast: bool = False, readers: int = 1, progress: Told = lambda *_: None) -> list[str]:
    """Everything that is wrong with a dataset in a folder or under a URL, a line each; empty when it is sound.

    `fast` reads every byte, but looks into no shard: checksums, and whether the tables agree. Else every sample is
    decoded and compared with its row. So many `readers` (loaders' workers × nodes) must find a shard each.
    Raises DatasetError when there is no dataset at all.
    """
    from mhmd.storage import Storage

    files = Storage(str(out))
    sums = sums_of(files)
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="check") as pool:
        checked = pool.map(lambda name: list(_file_problems(files, name, sums[name])), sums)
        problems = list(_all(checked, sums, progress))
        problems += [
            f"{name}.tar: is not listed in SHA256SUMS" for name in files.names("", ".tar") if f"{name}.tar" not in sums
        ]
        if problems:
            return problems
        rows, stats = _tables(files, sums)
        problems += _table_problems(rows, stats, readers)
        problems += _shard_lists(rows, stats, sums)
        if not fast and not problems:
            shards = sorted(set(rows["shard"].to_pylist()))
            mine = {shard: rows.filter(_equal(rows["shard"], shard)) for shard in shards}
            opened = pool.map(lambda shard: list(_shard_problems(files, shard, mine[shard], stats)), shards)
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
    if "/" in name or not files.exists(name):
        yield f"{name}: is missing"
        return
    digest = hashlib.sha256()
    block = bytearray(BLOCK_BYTES)
    with files.fs.open(files.path(name), "rb", **({} if files.local else {"block_size": BLOCK_BYTES})) as file:
        while size := file.readinto(block):
            digest.update(memoryview(block)[:size])
    if digest.hexdigest() != wanted:
        yield f"{name}: its bytes are not those of SHA256SUMS"


def _tables(files: Storage, sums: dict[str, str]) -> tuple[pa.Table, Stats]:
    """`samples.parquet` and `stats.json`. Raises DatasetError when one is not as `mhmd shard` writes it."""
    from mhmd.storage import schema_of

    for name in (SAMPLES, STATS):
        if name not in sums:
            raise DatasetError(f"{files.url} has no {name}", wanted="a dataset of `mhmd shard`", do="make it again")
    rows, stats = files.table(SAMPLES), json.loads(files.read(STATS))
    schema = schema_of(SampleRow)
    if rows.schema.names != schema.names or rows.schema.types != schema.types:
        raise DatasetError(
            f"{SAMPLES} has columns {', '.join(rows.schema.names)}",
            wanted=", ".join(schema.names),
            do="make the dataset again with this version",
        )
    return rows, stats


def _table_problems(rows: pa.Table, stats: Stats, readers: int) -> Iterator[str]:
    """What `samples.parquet` shows by itself."""
    keys = rows["key"].to_pylist()
    twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    yield from (f"sample {key}: its key comes twice" for key in twice)
    yield from (f"sample {key}: its key has a dot, where loaders cut it" for key in keys if "." in key)
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
        if label >= len(names) or (label >= 0 and names[label] != [row["era"], row["nationality"], row["garment"]]):
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
        splits = sorted(set(rows.filter(_equal(rows["shard"], shard))["split"].to_pylist()))
        if any(shard not in stats["shards"][split] for split in splits):
            yield f"{shard}: {SAMPLES} puts samples of {', '.join(splits)} into it"


def _shard_problems(files: Storage, shard: str, rows: pa.Table, stats: Stats) -> Iterator[str]:
    """What is wrong with one shard, whose samples are the rows in order."""
    import tarfile

    wanted = iter(rows.to_pylist())
    classes = len(stats["mask_classes"])
    try:
        with files.fs.open(files.path(shard), "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for key, start, contents, odd in _samples(tar):
                yield from (f"{shard}: member {name!r} is not of a sample" for name in odd)
                if not key:
                    continue
                row = next(wanted, None)
                if row is None or key != row["key"] or start != row["offset"]:
                    yield f"{shard}: sample {key} at byte {start} is not where {SAMPLES} has it"
                    return
                yield from (f"{shard}: {problem}" for problem in _sample_problems(key, contents, row, classes))
    except (tarfile.TarError, OSError, EOFError) as error:
        yield f"{shard}: is no whole tar: {error}"
    missing = sum(1 for _ in wanted)
    if missing:
        yield f"{shard}: {missing} samples of {SAMPLES} are not in it"


def _samples(tar: Any) -> Iterator[tuple[str, int, dict[str, bytes], list[str]]]:  # Any: a tarfile
    """Key, offset, members and odd names of each sample in a tar, in order; odd ones at its end come without a key."""
    key, start, contents, odd = "", 0, dict[str, bytes](), list[str]()
    for member in tar:
        name, _, extension = member.name.partition(".")
        if (
            not member.isreg()
            or "/" in member.name
            or extension not in MEMBERS
            or (name == key and extension in contents)
        ):
            odd.append(member.name)
            continue
        if name != key:
            if key:
                yield key, start, contents, odd
            key, start, contents, odd = name, member.offset, {}, odd if not key else []
        contents[extension] = tar.extractfile(member).read()
    yield key, start, contents, odd


def _sample_problems(key: str, contents: dict[str, bytes], row: dict[str, Any], classes: int) -> Iterator[str]:
    """What is wrong with one sample whose row (Any: its cells) is given."""
    from mhmd.media.jpeg import decode_jpeg
    from mhmd.parsing.mask import decode_mask

    try:
        sample = from_members(key, contents)
        said, meant = asdict(sample.info), asdict(SampleInfo(*(row[name] for name in FIELDS)))
        for name in FIELDS:
            if said[name] != meant[name]:
                yield f"sample {key}: its JSON says {name} {said[name]!r}, {SAMPLES} {meant[name]!r}"
        size = (row["height"], row["width"])
        picture, mask = decode_jpeg(sample.jpeg), decode_mask(sample.mask_png, key)
    except (DatasetError, PictureError) as error:
        yield f"sample {key}: {error.found}"
        return
    if picture.shape[:2] != size:
        yield f"sample {key}: its picture is {picture.shape[:2]}, not {size}"
    if mask.shape != size:
        yield f"sample {key}: its mask is {mask.shape}, not {size}"
    if mask.max() >= classes:
        yield f"sample {key}: its mask has class {mask.max()} of {classes}"


def _equal(column: Any, value: str) -> Any:  # Any: pyarrow.compute has no types
    import pyarrow.compute as pc

    return pc.equal(column, value)

"""What is wrong inside a shard: members, samples, and what follows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mhmd.dataset.described import Stats
from mhmd.dataset.published import SAMPLES
from mhmd.errors import DatasetError, PictureError
from mhmd.records import SampleInfo
from mhmd.sample import FIELDS, MEMBERS, from_members
from mhmd.tar import BLOCK_BYTES, END_BYTES

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage


def shard_problems(files: Storage, shard: str, rows: pa.Table, stats: Stats) -> Iterator[str]:
    """What is wrong with one shard, whose samples are the rows in order."""
    import tarfile

    wanted = iter(rows.to_pylist())
    stop = 0
    classes = len(stats["mask_classes"])
    try:
        with files.fs.open(files.path(shard), "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for key, (start, end), last, contents, odd in _samples(tar):
                stop = max(stop, last)
                yield from (f"{shard}: member {name!r} is not of a sample" for name in odd)
                if not key:
                    continue
                row = next(wanted, None)
                if row is None or key != row["key"] or start != row["offset"]:
                    yield f"{shard}: sample {key} at byte {start} is not where {SAMPLES} has it"
                    return
                if end - start != row["size_bytes"]:
                    yield f"{shard}: sample {key} has {end - start} bytes, {row['size_bytes']} in {SAMPLES}"
                yield from (f"{shard}: {problem}" for problem in _sample_problems(key, contents, row, classes))
        yield from (f"{shard}: {problem}" for problem in _end_problems(files, shard, stop))
    except (tarfile.TarError, OSError, EOFError) as error:
        yield f"{shard}: is no whole tar: {error}"
    missing = sum(1 for _ in wanted)
    if missing:
        yield f"{shard}: {missing} samples of {SAMPLES} are not in it"


def _end_problems(files: Storage, shard: str, stop: int) -> Iterator[str]:
    """Whether nothing but zeros, two blocks at least, follows the last member."""
    end = bytes(files.read(shard, stop))
    if any(end):
        yield f"has {len(end.rstrip(bytes(1)))} bytes after its last member that are of none"
    elif len(end) < END_BYTES:
        yield "is no whole tar: its end is missing"


Found = tuple[str, tuple[int, int], int, dict[str, bytes], list[str]]


def _samples(tar: Any) -> Iterator[Found]:  # Any: a tarfile
    """Key, first and end byte, where all that was read ends, members and odd names of each sample in a tar, in order.

    Odd ones at its end come without a key.
    """
    key, start, end, last, contents, odd = "", 0, 0, 0, dict[str, bytes](), list[str]()
    for member in tar:
        name, _, extension = member.name.partition(".")
        stop = member.offset_data + (member.size + -member.size % BLOCK_BYTES if member.isreg() else 0)
        if (
            not member.isreg()
            or "/" in member.name
            or extension not in MEMBERS
            or (name == key and extension in contents)
        ):
            odd.append(member.name)
            last = stop
            continue
        if name != key:
            if key:
                yield key, (start, end), last, contents, odd
            key, start, contents, odd = name, member.offset, {}, odd if not key else []
        contents[extension] = tar.extractfile(member).read()
        end = last = stop
    yield key, (start, end), last, contents, odd


def _sample_problems(key: str, contents: dict[str, bytes], row: dict[str, Any], classes: int) -> Iterator[str]:
    """What is wrong with one sample whose row (Any: its cells) is given."""
    from mhmd.media.jpeg import decode_whole_jpeg
    from mhmd.parsing.mask import decode_mask

    try:
        sample = from_members(key, contents)
        said, meant = asdict(sample.info), asdict(SampleInfo(*(row[name] for name in FIELDS)))
        for name in FIELDS:
            if said[name] != meant[name]:
                yield f"sample {key}: its JSON says {name} {said[name]!r}, {SAMPLES} {meant[name]!r}"
        size = (row["height"], row["width"])
        picture, mask = decode_whole_jpeg(sample.jpeg), decode_mask(sample.mask_png, key)
    except (DatasetError, PictureError) as error:
        yield f"sample {key}: {error.found}"
        return
    if picture.shape[:2] != size:
        yield f"sample {key}: its picture is {picture.shape[:2]}, not {size}"
    if mask.shape != size:
        yield f"sample {key}: its mask is {mask.shape}, not {size}"
    if mask.max() >= classes:
        yield f"sample {key}: its mask has class {mask.max()} of {classes}"

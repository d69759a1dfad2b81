"""A dataset that is there: its files, and which shard was made from what."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mhmd.errors import DatasetError, StorageError

if TYPE_CHECKING:
    from mhmd.storage import Stamp, Storage

SUMS, STATS, SAMPLES = "SHA256SUMS", "stats.json", "samples.parquet"
"""What every dataset has. SHA256SUMS is written last: with it the dataset is there."""


@dataclass(frozen=True)
class Shard:
    """A shard that is there. `offsets` are where each sample begins and where the last one ends, in bytes."""

    name: str
    digest: str
    sha256: str
    size_bytes: int
    offsets: tuple[int, ...]


class Published:
    """A local dataset, whose shards another may link. One that is damaged has fewer shards to offer, or none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()

    def shard_of(self, digest: str) -> Shard | None:
        """The shard that was made from what this digest tells, if there is one and its bytes are those of its sum."""
        with self._lock:  # read once, not by each thread
            name, sums = self._by_digest.get(digest), self._sums
        if name is None or name not in sums or not (self.folder / name).is_file():
            return None
        with self._lock:
            offsets = self._offsets.get(name)
        if offsets is None or sha256_of(self.folder / name) != sums[name]:
            return None
        return Shard(name, digest, sums[name], (self.folder / name).stat().st_size, offsets)

    @cached_property
    def _sums(self) -> dict[str, str]:
        from mhmd.storage import Storage

        return listed(Storage(str(self.folder)))

    @cached_property
    def _by_digest(self) -> dict[str, str]:
        if not all(self._is_sound(name) for name in (STATS, SAMPLES)):
            return {}
        made_from = json.loads((self.folder / STATS).read_text("utf-8")).get("made_from", {})
        return {digest: name for name, digest in made_from.items()}

    def _is_sound(self, name: str) -> bool:
        return (self.folder / name).is_file() and sha256_of(self.folder / name) == self._sums.get(name)

    @cached_property
    def _offsets(self) -> dict[str, tuple[int, ...]]:
        import pyarrow.parquet as pq

        rows = pq.read_table(self.folder / SAMPLES, columns=["shard", "offset", "size_bytes"])
        found: dict[str, list[int]] = {}
        ends: dict[str, int] = {}
        for shard, offset, size in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True):
            found.setdefault(shard, []).append(offset)
            ends[shard] = offset + size
        return {shard: (*offsets, ends[shard]) for shard, offsets in found.items()}


def sha256_of(file: Path) -> str:
    """SHA-256 of a local file, hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def listed(files: Storage) -> dict[str, str]:
    """SHA-256 by name of the files that a dataset's SHA256SUMS lists; empty without one."""
    if not files.exists(SUMS):
        return {}
    lines = files.read(SUMS).decode("utf-8", errors="replace").splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def is_whole(files: Storage, digest: str) -> bool:
    """Whether a dataset of this digest is there with all its files: shards of their sizes, small ones of their sums."""
    sums = listed(files)
    if SAMPLES not in sums or STATS not in sums:
        return False
    shards = {name for name in sums if name.endswith(".tar")}
    for name in sums.keys() - shards - {SAMPLES}:
        if not files.is_file(name) or hashlib.sha256(files.read(name)).hexdigest() != sums[name]:
            return False
    sizes = json.loads(files.read(STATS)).get("bytes", {})
    if any(not files.is_file(name) or files.size(name) != sizes.get(name) for name in shards):
        return False
    stamp = _stamp_of(files)
    return stamp is not None and stamp.digest == digest


def _stamp_of(files: Storage) -> Stamp | None:
    try:
        return files.stamp(SAMPLES)
    except StorageError:
        return None  # damaged: it is made again


def refuse_foreign(files: Storage, digest: str = "") -> None:
    """Raises DatasetError where publishing would lose something.

    In a folder: anything that no dataset made here lists. Under a URL: a dataset of another digest, since objects
    cannot change place all at once.
    """
    if not files.local:
        if digest and files.exists(SUMS) and not is_whole(files, digest):
            raise DatasetError(
                f"{files.url} has a dataset made from something else",
                wanted="a new place: what others read there must not change under their hands",
                do="name another --out, or delete that one",
            )
        return
    out = Path(files.root)
    if out.is_mount():
        raise DatasetError(
            f"{out} is a mount point",
            wanted="a folder whose place a new dataset can take all at once",
            do=f"name a folder in it: --out {out / 'dataset'}",
        )
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    foreign = sorted(found - {SUMS} - set(listed(files)))
    if foreign:
        raise DatasetError(
            f"{out} has {foreign[0]} in it, which is of no dataset",
            wanted="a new or empty folder, or a dataset that may be replaced",
            do="name another --out, or move that away",
        )

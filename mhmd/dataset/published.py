"""A dataset that is there: its files, and which shard was made from what."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import DatasetError

if TYPE_CHECKING:
    from mhmd.dataset.write import Shard
    from mhmd.storage import Storage

SUMS, STATS, SAMPLES = "SHA256SUMS", "stats.json", "samples.parquet"
"""What every dataset has. SHA256SUMS is written last: with it the dataset is there."""


class Published:
    """A local dataset, whose shards another may link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def shard_of(self, digest: str) -> Shard | None:
        """The whole shard that was made from what this digest tells, if there is one."""
        from mhmd.dataset.write import Shard

        name = self._by_digest.get(digest)
        sha256 = self._sums.get(name or "")
        if name is None or sha256 is None or not (self.folder / name).is_file():
            return None
        offsets = self._offsets[name]
        size = (self.folder / name).stat().st_size
        return Shard(name, digest, sha256, size, offsets) if size > offsets[-1] else None

    @cached_property
    def _sums(self) -> dict[str, str]:
        from mhmd.storage import Storage

        return listed(Storage(str(self.folder)))

    @cached_property
    def _by_digest(self) -> dict[str, str]:
        if STATS not in self._sums or SAMPLES not in self._sums:
            return {}
        made_from = json.loads((self.folder / STATS).read_text("utf-8")).get("made_from", {})
        return {digest: name for name, digest in made_from.items()}

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


def listed(files: Storage) -> dict[str, str]:
    """SHA-256 by name of the files that a dataset's SHA256SUMS lists; empty without one."""
    if not files.exists(SUMS):
        return {}
    lines = files.read(SUMS).decode("utf-8", errors="replace").splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def is_whole(files: Storage, digest: str) -> bool:
    """Whether a dataset of this digest is there with all its files."""
    names = listed(files)
    if not names or not all(files.exists(name) for name in names):
        return False
    stamp = files.stamp(SAMPLES)
    return stamp is not None and stamp.digest == digest


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
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    foreign = sorted(found - {SUMS} - set(listed(files)))
    if foreign:
        raise DatasetError(
            f"{out} has {foreign[0]} in it, which is of no dataset",
            wanted="a new or empty folder, or a dataset that may be replaced",
            do="name another --out, or move that away",
        )

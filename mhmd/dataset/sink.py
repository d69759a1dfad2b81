"""Where a dataset goes: a folder that appears at once, or objects of which the last one counts."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.dataset.place import Place
from mhmd.dataset.published import SAMPLES, SUMS, Published, Shard, refuse_foreign
from mhmd.dataset.write import ShardPlan, ShardWriter
from mhmd.storage import PARTIAL, Stamp, Storage, encode_table

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.sink import StoredProgress


class DatasetSink:
    """Takes a dataset: shards, files, and the rows of `samples.parquet`.

    A local one is made in a folder beside OUT, which takes OUT's place when it is complete. Under a URL, SHA256SUMS
    is put last. What a run that was cut off has finished, the next takes over.
    """

    def __init__(self, out: str, digest: str, progress: StoredProgress, threads: int = 1) -> None:
        """`digest` is of all that the dataset is made from; `threads` shards are written at a time."""
        self.counts: dict[str, int] = defaultdict(int)
        self._digest = digest
        self._progress = progress
        self._threads = threads
        self._out = Storage(out)
        refuse_foreign(self._out, digest)
        self._place = Place(self._out) if self._out.local else None
        self._files = Storage(str(self._place.partial)) if self._place else self._out
        others = [Published(folder) for folder in self._place.siblings()] if self._place else []
        self._writer = ShardWriter(self._files, others)
        self._sums: dict[str, str] = {}

    def progress(self, done: int, total: int) -> None:
        """Tell how many samples are in the shards so far."""
        self._progress(done, total, done)

    def shards(self, plans: Sequence[ShardPlan], samples: int) -> list[Shard]:
        """Have these shards made, with `samples` in all, or taken from where they are already, and no others."""
        shards = self._writer.write(plans, self._threads, lambda done: self.progress(done, samples))
        self._sums = {shard.name: shard.sha256 for shard in shards}
        self.counts["shards"] = len(shards)
        return shards

    def file(self, name: str, data: bytes) -> None:
        """Add a small file."""
        self._files.write(name, data)
        self._sums[name] = hashlib.sha256(data).hexdigest()

    def json(self, name: str, values: Mapping[str, object]) -> None:
        """Add a small JSON file."""
        self.file(name, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())

    def samples(self, table: pa.Table) -> None:
        """Write `samples.parquet`."""
        self.file(SAMPLES, encode_table(table, Stamp(self._digest))[0])
        self.counts["samples"] = table.num_rows

    @property
    def sums(self) -> Mapping[str, str]:
        """SHA-256 by name of the files so far."""
        return self._sums

    def commit(self) -> None:
        """Write `SHA256SUMS`, and publish."""
        self._writer.forget_journal()
        if self._place:
            self._sweep(self._place.partial)
        sums = "".join(f"{self._sums[name]}  {name}\n" for name in sorted(self._sums))
        self._files.write(SUMS, sums.encode())
        if self._place:
            with self._out.told("", "publish"):
                self._place.swap()

    def discard(self) -> None:
        """Let the next run have the place; finished shards are left to it, unfinished ones are gone already."""
        if self._place:
            self._place.free()

    def _sweep(self, partial: Path) -> None:
        """Take away what earlier runs, or others, left in the folder."""
        for path in partial.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in self._sums or path.name.startswith(PARTIAL):
                path.unlink()

"""Where a dataset goes: a folder that appears at once, or objects of which the last one counts."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.dataset.published import SAMPLES, SUMS, Published, refuse_foreign
from mhmd.dataset.write import Shard, ShardPlan, ShardWriter
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
        self._files, others = self._out, []
        refuse_foreign(self._out, digest)
        if self._out.local:
            folder = Path(self._out.root)
            self._partial, self._old = (folder.with_name(f".{folder.name}.{of}") for of in ("partial", "old"))
            if self._old.exists() and not folder.exists():
                self._old.rename(folder)  # the last run was cut off just between its two renames
            self._partial.mkdir(parents=True, exist_ok=True)
            self._files, others = Storage(str(self._partial)), [Published(folder)]
        self._writer = ShardWriter(self._files, others)
        self._sums: dict[str, str] = {}

    def progress(self, done: int, total: int) -> None:
        """Tell how many samples are in the shards so far."""
        self._progress(done, total, done)

    def shards(self, plans: Sequence[ShardPlan], samples: int) -> list[Shard]:
        """Have these shards made, with `samples` in all, or taken from where they are already."""
        shards = self._writer.write(plans, self._threads, lambda done: self.progress(done, samples))
        self._sums |= {shard.name: shard.sha256 for shard in shards}
        self.counts["shards"] += len(shards)
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
        if self._files.local:
            self._sweep()
        sums = "".join(f"{self._sums[name]}  {name}\n" for name in sorted(self._sums))
        self._files.write(SUMS, sums.encode())
        if self._files.local:
            self._swap()

    def discard(self) -> None:
        """Nothing: finished shards are left to the next run, unfinished ones are gone already."""

    def _sweep(self) -> None:
        """Take away what earlier runs left in the folder."""
        for path in self._partial.iterdir():
            if path.name not in self._sums or path.name.startswith(PARTIAL):
                path.unlink()

    def _swap(self) -> None:
        folder = Path(self._out.root)
        shutil.rmtree(self._old, ignore_errors=True)
        if folder.exists():
            folder.rename(self._old)
        self._partial.rename(folder)
        shutil.rmtree(self._old, ignore_errors=True)

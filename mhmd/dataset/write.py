"""Shards into a folder or under a URL: made, taken from where they were made before, or linked from another dataset."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.dataset.published import Shard, sha256_of
from mhmd.errors import MhmdError
from mhmd.storage import Storage, sync
from mhmd.tar import TarWriter

if TYPE_CHECKING:
    from mhmd.dataset.published import Published

JOURNAL = ".made"
"""Folder beside unpublished shards, with a file for each that is whole: what a run leaves that was cut off."""

TOLD_EVERY_S = 0.25

Members = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class ShardPlan:
    """A shard to be made. `digest` is of all that its bytes depend on; `members` gives those of each sample."""

    name: str
    digest: str
    members: Callable[[], Iterable[Members]]


class _GivenUp(MhmdError):
    """Raised in the shards that are under way when another one fails."""

    def __init__(self) -> None:
        super().__init__("a shard was given up", wanted="all to be written", do="see why another one failed")


class ShardWriter:
    """Makes the shards of one dataset in `files`, several at a time, and no shard that is there already."""

    def __init__(self, files: Storage, others: Sequence[Published]) -> None:
        """`others` are datasets whose equal shards are linked, or copied where there are no links."""
        self._files = files
        self._others = others
        self._noted: set[str] = set()
        self._done = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def write(self, plans: Sequence[ShardPlan], threads: int, progress: Callable[[int], None]) -> list[Shard]:
        """All shards, in order. `progress` gets the number of samples that are in them so far.

        Raises StorageError when one cannot be written; those that were finished stay for the next run.
        """
        self._noted, self._done = self._journal(), 0
        self._stop.clear()
        for name in self._noted - {plan.name for plan in plans}:
            self._forget(name)
        with ThreadPoolExecutor(max(1, threads), thread_name_prefix="shard") as pool:
            made = [pool.submit(self._shard, plan) for plan in plans]
            try:
                while wait(made, TOLD_EVERY_S, FIRST_EXCEPTION).not_done:
                    if any(each.done() and each.exception() for each in made):
                        break
                    progress(self._done)
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
        for each in made:
            error = None if each.cancelled() else each.exception()
            if error and not isinstance(error, _GivenUp):
                raise error
        progress(self._done)
        return [each.result() for each in made]

    def forget_journal(self) -> None:
        """Take the notes away, before the dataset is published."""
        for name in self._journal():
            self._files.remove(f"{JOURNAL}/{name}.json")
        if self._files.local:
            shutil.rmtree(self._files.path(JOURNAL), ignore_errors=True)

    def _shard(self, plan: ShardPlan) -> Shard:
        shard = self._made_before(plan) or self._linked(plan)
        if shard is None:
            shard = self._make(plan)
            self._files.write(f"{JOURNAL}/{plan.name}.json", json.dumps(asdict(shard)).encode())
        else:
            self._count(len(shard.offsets) - 1)
        return shard

    def _made_before(self, plan: ShardPlan) -> Shard | None:
        if plan.name not in self._noted:
            return None
        shard = self._noted_shard(plan.name)
        if shard and shard.digest == plan.digest and self._files.size(plan.name) == shard.size_bytes:
            path = Path(self._files.path(plan.name))
            if not self._files.local or (path.is_file() and sha256_of(path) == shard.sha256):
                return shard
        self._forget(plan.name)
        return None

    def _noted_shard(self, name: str) -> Shard | None:
        """What the journal says of a shard; None when its note is damaged."""
        try:
            found = json.loads(self._files.read(f"{JOURNAL}/{name}.json"))
            return Shard(**{**found, "offsets": tuple(found["offsets"])})
        except (ValueError, TypeError, KeyError):
            return None

    def _linked(self, plan: ShardPlan) -> Shard | None:
        """The shard of another dataset, if one has it. Its place is taken by a link, so that it costs nothing."""
        for other in self._others:
            shard = other.shard_of(plan.digest)
            if shard is None:
                continue
            with self._files.told(plan.name, "write"):
                self._take(other.folder / shard.name, plan.name)
            return Shard(plan.name, shard.digest, shard.sha256, shard.size_bytes, shard.offsets)
        return None

    def _take(self, source: Path, name: str) -> None:
        scratch = self._files.scratch("", name)
        try:
            try:
                os.link(source, scratch)
            except OSError:  # another file system, or one without links
                shutil.copyfile(source, scratch)
                with scratch.open("rb") as copied:
                    sync(copied)
            self._files.adopt(scratch, name)
        finally:
            scratch.unlink(missing_ok=True)

    def _make(self, plan: ShardPlan) -> Shard:
        with self._files.told(plan.name, "write"):
            tar = TarWriter(self._files.scratch("", plan.name))
            try:
                offsets = [self._add(tar, members) for members in self._until_stopped(plan)]
                offsets.append(tar.size_bytes)
                sha256 = tar.close()
                self._files.adopt(tar.file, plan.name)
            finally:
                tar.discard()
        return Shard(plan.name, plan.digest, sha256, tar.size_bytes, tuple(offsets))

    def _add(self, tar: TarWriter, members: Members) -> int:
        self._count(1)
        return tar.add_all(members)

    def _until_stopped(self, plan: ShardPlan) -> Iterator[Members]:
        for members in plan.members():
            if self._stop.is_set():
                raise _GivenUp
            yield members

    def _count(self, samples: int) -> None:
        with self._lock:
            self._done += samples

    def _journal(self) -> set[str]:
        return set(self._files.names(JOURNAL, ".json"))

    def _forget(self, name: str) -> None:
        self._files.remove(f"{JOURNAL}/{name}.json")
        self._files.remove(name)

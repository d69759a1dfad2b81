"""The place of a local dataset: one run at a time makes it, beside OUT, and it appears all at once."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from mhmd.dataset.published import SUMS
from mhmd.errors import DatasetError
from mhmd.storage import Storage


class Place:
    """OUT's folder and what lies beside it while it is made: `.OUT.partial`, `.OUT.old` and `.OUT.lock`.

    The lock is the operating system's: it is gone with the process, however that ends.
    """

    def __init__(self, out: Storage) -> None:
        """Take the place. Raises DatasetError when another run has it, StorageError when nothing can be written."""
        self.folder = Path(out.root)
        self.partial, self._old, self._lock = (
            self.folder.with_name(f".{self.folder.name}.{of}") for of in ("partial", "old", "lock")
        )
        with out.told("", "write"):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = self._locked()
            try:
                self._recover()
                self.partial.mkdir(exist_ok=True)
            except BaseException:
                self.free()
                raise

    def siblings(self) -> list[Path]:
        """OUT, and the other datasets of its parent folder: their shards may be linked."""
        beside = sorted(path.parent for path in self.folder.parent.glob(f"*/{SUMS}"))
        return [self.folder, *(path for path in beside if path != self.folder and not path.name.startswith("."))]

    def swap(self) -> None:
        """Have what was made take OUT's place."""
        if self.folder.exists():
            self.folder.rename(self._old)
        self.partial.rename(self.folder)
        shutil.rmtree(self._old, ignore_errors=True)

    def free(self) -> None:
        """Let the next run have the place."""
        if self._handle is not None:
            self._lock.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _locked(self) -> int:
        while True:
            handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                raise DatasetError(
                    f"another run of `mhmd shard` is making {self.folder}",
                    wanted="one run at a time",
                    do="wait until it has ended, or name another --out",
                ) from None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), self._lock.stat()):
                    return handle
            os.close(handle)  # its owner took the file away between our opening and our locking it

    def _recover(self) -> None:
        """Mend what a run left that was cut off around its last two renames."""
        if self._old.exists() and not self.folder.exists():
            self._old.rename(self.folder)
        shutil.rmtree(self._old, ignore_errors=True)


def tidy(out: Storage) -> None:
    """Take away the old dataset that a run left beside its new one when it was cut off at its very end."""
    folder = Path(out.root)
    if out.local and folder.exists() and folder.with_name(f".{folder.name}.old").exists():
        place = Place(out)
        if not any(place.partial.iterdir()):
            place.partial.rmdir()
        place.free()

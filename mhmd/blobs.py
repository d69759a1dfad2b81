"""Stored bytes that `ref` columns point at, many at a time."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mhmd.storage import Storage

OPEN_FILES = 64


class Blobs:
    """Reads refs of one storage; keeps the files open that it read from last. For one thread."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._files: OrderedDict[str, int] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._files:
            os.close(self._files.popitem()[1])

    def many(self, refs: Sequence[str]) -> list[bytes]:
        """The bytes of each ref, in order. Raises StorageError when one cannot be read whole."""
        places = [(name, int(offset), int(size)) for name, offset, size in (ref.rsplit(":", 2) for ref in refs)]
        if self._storage.local:
            return [self._read(name, offset, size) for name, offset, size in places]
        return self._storage.read_many(places)

    def _read(self, name: str, offset: int, size: int) -> bytes:
        if name not in self._files:
            with self._storage.told(name, "read"):
                self._files[name] = os.open(self._storage.path(name), os.O_RDONLY)
            if len(self._files) > OPEN_FILES:
                os.close(self._files.popitem(last=False)[1])
        self._files.move_to_end(name)
        with self._storage.told(name, "read"):
            data = os.pread(self._files[name], size, offset)
        return self._storage.whole(name, data, size)

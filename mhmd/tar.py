"""Bytes → tar: front to back, with nothing in it but names and bytes."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from mhmd.storage import sync

BLOCK_BYTES = 512


class TarWriter:
    """A tar written front to back with nothing in it but names and bytes: same members, same bytes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.hash = hashlib.sha256()
        self.size_bytes = 0
        self._out = file.open("wb")

    def add(self, name: str, data: bytes) -> int:
        """Append a member and return the offset of its data in the tar, in bytes."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), 0o644, 0
        self._write(info.tobuf(tarfile.PAX_FORMAT))
        offset = self.size_bytes
        self._write(data)
        self._write(bytes(-len(data) % BLOCK_BYTES))
        return offset

    def close(self) -> str:
        """Finish the tar, fsync it and return the SHA-256 of its bytes, hexadecimal."""
        self._write(bytes(2 * BLOCK_BYTES))
        sync(self._out)
        self._out.close()
        return self.hash.hexdigest()

    def discard(self) -> None:
        """Drop what was written."""
        self._out.close()
        self.file.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self.hash.update(data)
        self.size_bytes += len(data)

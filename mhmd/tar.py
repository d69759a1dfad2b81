"""Bytes → tar: front to back, with nothing in it but names and bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from mhmd.storage import sync

BLOCK_BYTES = 512
END_BYTES = 2 * BLOCK_BYTES
NAME_BYTES, SIZE_AT, SUM_AT, LARGEST = 100, 124, 148, 8**11
"""Of a ustar header: the longest name, where size and checksum lie, and the size from which they are written anew."""


class TarWriter:
    """A tar written front to back with nothing in it but names and bytes: same members, same bytes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.hash = hashlib.sha256()
        self.size_bytes = 0
        self._out = file.open("wb")

    def add(self, name: str, data: bytes) -> int:
        """Append a member and return the offset of its data in the tar, in bytes."""
        self.add_all([(name, data)])
        return self.size_bytes - len(data) - (-len(data) % BLOCK_BYTES)

    def add_all(self, members: Sequence[tuple[str, bytes]]) -> int:
        """Append members at once and return the offset of the first one's header, in bytes."""
        start = self.size_bytes
        parts = ((header(name, len(data)), data, bytes(-len(data) % BLOCK_BYTES)) for name, data in members)
        self._write(b"".join(part for three in parts for part in three))
        return start

    def close(self) -> str:
        """Finish the tar, fsync it and return the SHA-256 of its bytes, hexadecimal."""
        self._write(bytes(END_BYTES))
        sync(self._out)
        self._out.close()
        return self.hash.hexdigest()

    def discard(self) -> None:
        """Drop what was written."""
        self.file.unlink(missing_ok=True)
        with suppress(OSError):  # what waits to be written may have no room on the disk
            self._out.close()

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self.hash.update(data)
        self.size_bytes += len(data)


def header(name: str, size_bytes: int) -> bytes:
    """The header of a member: `tarfile`'s own, of mode 644, without an owner, of the time 0."""
    raw = name.encode()
    if len(raw) > NAME_BYTES or len(raw) != len(name) or size_bytes >= LARGEST:
        return _by_tarfile(name, size_bytes)
    blank, blank_sum = _blank()
    size = b"%011o" % size_bytes
    total = blank_sum + sum(raw) + sum(size)
    return b"".join(
        (
            raw.ljust(NAME_BYTES, b"\0"),
            blank[NAME_BYTES:SIZE_AT],
            size,
            blank[SIZE_AT + 11 : SUM_AT],
            b"%06o\0 " % total,
            blank[SUM_AT + 8 :],
        )
    )


def _by_tarfile(name: str, size_bytes: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size_bytes, 0o644, 0
    return info.tobuf(tarfile.PAX_FORMAT)


@cache
def _blank() -> tuple[bytes, int]:
    """The header of an empty member without a name, and its checksum without the size's digits."""
    blank = _by_tarfile("", 0)
    rest = blank[:SIZE_AT] + blank[SIZE_AT + 11 : SUM_AT] + b" " * 8 + blank[SUM_AT + 8 :]
    return blank, sum(rest)


def members_of(data: bytes) -> list[tuple[str, bytes]]:
    """Names and bytes of the members in a stretch of a tar that begins with a header and ends after a member.

    Raises tarfile.TarError when it is none.
    """
    found, at = [], 0
    while at < len(data):
        head = data[at : at + BLOCK_BYTES]
        if head[257:262] != b"ustar" or head[156:157] not in b"0\0":
            return _members_by_tarfile(data)
        size = int(head[SIZE_AT : SIZE_AT + 11], 8)
        start = at + BLOCK_BYTES
        if head != header(name := head[:NAME_BYTES].rstrip(b"\0").decode(), size) or start + size > len(data):
            return _members_by_tarfile(data)
        found.append((name, data[start : start + size]))
        at = start + size + -size % BLOCK_BYTES
    return found


def _members_by_tarfile(data: bytes) -> list[tuple[str, bytes]]:
    """What others wrote, or with names that do not fit."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        files = ((member.name, tar.extractfile(member)) for member in tar)
        return [(name, file.read()) for name, file in files if file is not None]

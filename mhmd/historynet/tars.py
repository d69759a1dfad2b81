"""Members of shards, at random: tars that lie here are read where they lie, others are fetched whole."""

from __future__ import annotations

import os
import tarfile
import tempfile
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from mhmd.errors import DatasetError
from mhmd.historynet.plan import SHARDS_AT_ONCE
from mhmd.sample import JPEG, MASK
from mhmd.storage import file_system

KEPT = 2 * SHARDS_AT_ONCE + 2
"""Shards kept open: of the samples that are mixed now, and of those that come next."""
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Pictures:
    """The bytes of a sample's pictures; no mask where there is none."""

    jpeg: bytes
    mask_png: bytes | None


class Tars:
    """The shards of a dataset; may be used by several threads at once."""

    def __init__(self, url: str) -> None:
        self._filesystem, self._root = file_system(url)
        self._tars: OrderedDict[str, Future[_Tar]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, shard: str, key: str, mask: bool) -> Pictures:
        """The pictures of a sample, its mask only where asked for.

        Raises DatasetError when the shard cannot be read, or has not these members whole.
        """
        with self._lock:
            found = self._tars.get(shard)
            if opens := found is None:
                found = self._tars[shard] = Future()
                while len(self._tars) > KEPT:
                    self._tars.popitem(last=False)
            self._tars.move_to_end(shard)
        assert found is not None
        if opens:
            try:
                found.set_result(self._opened(shard))
            except (OSError, tarfile.TarError, ValueError) as error:
                told = DatasetError(
                    f"shard {self._root}/{shard}: {error}", wanted="a tar of samples", do="run mhmd check"
                )
                found.set_exception(told)
        tar = found.result()
        return Pictures(tar.member(f"{key}.{JPEG}"), tar.member(f"{key}.{MASK}") if mask else None)

    def _opened(self, shard: str) -> _Tar:
        path = f"{self._root}/{shard}"
        if isinstance(self._filesystem, LocalFileSystem):
            return _Tar(path, os.open(path, os.O_RDONLY))
        handle, fetched = tempfile.mkstemp(prefix="mhmd-", suffix=".tar")
        try:
            self._filesystem.get_file(path, fetched)
        except BaseException:
            os.close(handle)
            raise
        finally:
            Path(fetched).unlink()  # its bytes stay as long as it is open
        return _Tar(path, handle)


class _Tar:
    """One open tar and where its members lie; closed when nobody holds it any more."""

    def __init__(self, name: str, handle: int) -> None:
        self._name, self._handle = name, handle
        self._places = _scanned(handle)

    def __del__(self) -> None:
        os.close(self._handle)

    def member(self, name: str) -> bytes:
        """A member's bytes. Raises DatasetError when it is missing or cut off."""
        place = self._places.get(name)
        data = b"" if place is None else os.pread(self._handle, place[1], place[0])
        if place is None or len(data) != place[1]:
            raise DatasetError(
                f"shard {self._name} has no whole {name}", wanted="the members of its samples", do="run mhmd check"
            )
        return data


def _scanned(handle: int) -> dict[str, tuple[int, int]]:
    """Offset and size of each picture in a tar, by member name; as far as it can be followed when it is damaged."""
    places: dict[str, tuple[int, int]] = {}
    offset = 0
    while len(header := os.pread(handle, _BLOCK, offset)) == _BLOCK and header[:1] != b"\0":
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "strict") if header[156:157] in b"xgLK" else None
            name, size = header[:100].rstrip(b"\0").decode(), int(header[124:136].rstrip(b" \0") or b"0", 8)
        except (ValueError, tarfile.TarError):
            break
        if member is not None or header[345:346] != b"\0":  # long names: rare, so left to the library
            return _scanned_by_library(handle)
        if not name.endswith(".json"):
            places[name] = (offset + _BLOCK, size)
        offset += _BLOCK + -(-size // _BLOCK) * _BLOCK
    return places


def _scanned_by_library(handle: int) -> dict[str, tuple[int, int]]:
    places = {}
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            for member in tar:
                places[member.name] = (member.offset_data, member.size)
    return places

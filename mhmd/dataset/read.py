"""The bytes of a dataset → samples, wherever it lies: what the loader and the trainer read with."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from tarfile import TarError
from typing import TYPE_CHECKING, Any

from mhmd.dataset.published import SAMPLES, STATS, listed
from mhmd.errors import DatasetError, MissingInput, PictureError, StorageError
from mhmd.sample import Sample, from_members
from mhmd.storage import Storage
from mhmd.tar import members_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


def described(files: Storage, columns: Sequence[str]) -> tuple[dict[str, Any], pa.Table]:  # Any: JSON
    """What `stats.json` says of a dataset, and these columns of its `samples.parquet`, a row a sample.

    Raises DatasetError where there is no whole dataset, or one of another make.
    """
    sums = listed(files)
    if SAMPLES not in sums or STATS not in sums:
        raise DatasetError(
            f"{files.url} is no dataset", wanted="a folder that `mhmd shard` made", do="check the path, or run it first"
        )
    try:
        return json.loads(files.read(STATS)), files.table(SAMPLES, columns)
    except (StorageError, MissingInput, ValueError) as error:
        found = error.found if isinstance(error, StorageError | MissingInput) else f"{STATS} of {files.url}: {error}"
        raise DatasetError(found, wanted="a dataset as `mhmd shard` makes it", do="run mhmd shard again") from None


class Shards:
    """Samples in any order; may be used by several threads at once.

    Shards that lie here are read where they lie; others are fetched whole, by the first who wants a sample of them.
    """

    def __init__(self, files: Storage, kept: int) -> None:
        """So many shards are kept open, those that were used last."""
        self._files, self._kept = files, kept
        self._open: OrderedDict[str, Future[_File]] = OrderedDict()
        self._lock = threading.Lock()

    def sample(self, shard: str, offset: int, size_bytes: int) -> Sample:
        """The sample that lies there. Raises DatasetError when it cannot be read or is damaged."""
        with self._lock:
            found = self._open.get(shard)
            if opens := found is None:
                found = self._open[shard] = Future()
                while len(self._open) > self._kept:
                    self._open.popitem(last=False)
            self._open.move_to_end(shard)
        assert found is not None
        if opens:
            try:
                found.set_result(self._opened(shard))
            except BaseException as error:  # whoever waits for it must hear of it, and who comes later tries again
                found.set_exception(error)
                with self._lock:
                    if self._open.get(shard) is found:
                        del self._open[shard]
                raise
        return sample_of(
            found.result().read(offset, size_bytes), size_bytes, f"{self._files.path(shard)} at byte {offset}"
        )

    def _opened(self, shard: str) -> _File:
        try:
            with self._files.told(shard, "read"):
                if self._files.local:
                    return _File(os.open(self._files.path(shard), os.O_RDONLY))
                return _File(self._fetched(shard))
        except StorageError as error:
            raise DatasetError(error.found, wanted="all shards of the dataset", do="run mhmd check") from None

    def _fetched(self, shard: str) -> int:
        handle, fetched = tempfile.mkstemp(prefix="mhmd-", suffix=".tar")
        try:
            self._files.fs.get_file(self._files.path(shard), fetched)
        except BaseException:
            os.close(handle)
            raise
        finally:
            Path(fetched).unlink()  # its bytes stay as long as it is open
        return handle


class _File:
    """An open file; closed when nobody holds it any more."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __del__(self) -> None:
        os.close(self._handle)

    def read(self, offset: int, size_bytes: int) -> bytes:
        return os.pread(self._handle, size_bytes, offset)


def in_turn(files: Storage, shard: str, places: Iterable[tuple[int, int]]) -> Iterator[Sample]:
    """The samples at these offsets and of these sizes, in bytes; a far shard is read as far as they go.

    Raises StorageError when the shard cannot be read, DatasetError for a damaged sample.
    """
    with files.told(shard, "read"), files.fs.open(files.path(shard), "rb") as file:
        for offset, size_bytes in places:
            file.seek(offset)
            yield sample_of(file.read(size_bytes), size_bytes, f"{files.path(shard)} at byte {offset}")


def sample_of(data: bytes, size_bytes: int, place: str) -> Sample:
    """The sample that a stretch of a shard is. Raises DatasetError, which names the place, for a damaged one."""
    if len(data) < size_bytes:
        found = f"{place}: the shard ends {size_bytes - len(data)} bytes before the end of the sample"
        raise DatasetError(found, wanted="the whole shard", do="run mhmd check")
    try:
        parts = [(name.partition("."), content) for name, content in members_of(data)]
    except (TarError, ValueError) as error:
        raise DatasetError(f"{place}: {error}", wanted="a tar of samples", do="run mhmd check") from None
    keys = sorted({key for (key, _, _), _ in parts})
    if len(keys) != 1:
        found = f"members of {', '.join(keys)}" if keys else "no members"
        raise DatasetError(f"{place} has {found}", wanted="one sample", do="run mhmd check")
    return from_members(keys[0], {extension: content for (_, _, extension), content in parts})


def picture_of(sample: Sample, shrunk: int = 1) -> NDArray[np.uint8]:
    """The picture as RGB (H, W, 3), or at a half, a quarter or an eighth (2, 4, 8).

    Raises DatasetError, which names the sample, when it is no JPEG.
    """
    from mhmd.media.jpeg import decode_jpeg

    try:
        return decode_jpeg(sample.jpeg, shrunk)
    except PictureError as error:
        found = f"the picture of {sample.info.key} is {error.found}"
        raise DatasetError(found, wanted="a JPEG", do="run mhmd check") from None


def mask_of(sample: Sample) -> NDArray[np.uint8]:
    """The mask as class indices (H, W). Raises DatasetError, which names the sample, when it is no mask."""
    from mhmd.parsing.mask import decode_mask

    return decode_mask(sample.mask_png, sample.info.key)

"""A decoded sample, and its way out of a DataLoader's worker: in memory that is lent, given back, and lent again.

torch would make new shared memory for each tensor, send a file descriptor of it through a thread and a socket, and
have both processes map it page by page, which takes as long as decoding. Here a worker has trays. A sample is laid
into a free one as soon as it is decoded, and only word of it is sent. Who reads maps the tray; it is free again when
neither side has a tensor in it any more.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from multiprocessing.reduction import ForkingPickler
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakSet, ref

import torch
from torch.utils.data import get_worker_info

from mhmd.records import SampleInfo
from mhmd.sample import FIELDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRAYS, TRAY_BYTES = 128, 64 << 20
"""Of a worker. Only what is written takes memory; what finds no room goes torch's way."""
FREE, SENT = range(2)
"""The first byte of a tray: whether it is free for all that other processes have of it."""
HEAD_BYTES = 64
"""A tray's sample begins after so many."""
LOANS = 64
"""Who holds more samples than this has the others copied: every loan takes a file descriptor."""
ENDED = "DataLoader worker (pid {}) has ended, and its samples are gone: it was killed, or ran out of memory"

_INFO = attrgetter(*FIELDS)


@dataclass(frozen=True, slots=True)
class Loaded:
    """One decoded sample."""

    picture: torch.Tensor  # 3, H, W; uint8, RGB
    mask: torch.Tensor  # H, W; uint8, a class index a pixel
    info: SampleInfo

    def pin_memory(self) -> Loaded:
        """The sample in pinned memory: what a DataLoader with `pin_memory` asks for."""
        return Loaded(self.picture.pin_memory(), self.mask.pin_memory(), self.info)


def laid(picture: NDArray[np.uint8], mask: NDArray[np.uint8], info: SampleInfo) -> Loaded:
    """The sample of a picture (H, W, 3) and a mask (H, W); in a DataLoader's worker it lies in a tray."""
    rows, classes = torch.from_numpy(picture), torch.from_numpy(mask)
    height, width, _ = rows.shape
    trays = _trays(os.getpid())
    memory = trays.free(4 * height * width) if trays and mask.shape == (height, width) else None
    if memory is None:
        return Loaded(rows.permute(2, 0, 1), classes, info)
    lying = _lying(memory, 0, height, width, info)
    lying.picture.copy_(rows.permute(2, 0, 1))
    lying.mask.copy_(classes)
    return lying


def _lying(memory: memoryview | _Loan, start: int, height: int, width: int, info: SampleInfo) -> Loaded:
    """The sample that lies there in memory, picture before mask."""
    whole = torch.frombuffer(memory, dtype=torch.uint8, count=4 * height * width, offset=start)
    picture = whole.as_strided((3, height, width), (1, 3 * width, 3))
    return Loaded(picture, whole.as_strided((height, width), (width, 1), 3 * height * width), info)


class _Trays:
    """The trays of a worker: a file in memory that other processes find among those it has open."""

    def __init__(self) -> None:
        """Raises OSError when there is no room for it."""
        self.handle = os.memfd_create("mhmd-trays")
        os.truncate(self.handle, TRAYS * TRAY_BYTES)
        self.number = os.fstat(self.handle).st_ino
        self._memory = memoryview(mmap.mmap(self.handle, TRAYS * TRAY_BYTES))
        self._held: list[ReferenceType[memoryview] | None] = [None] * TRAYS
        self._first = torch.frombuffer(self._memory, dtype=torch.uint8, count=1).data_ptr() + HEAD_BYTES
        self._lock = threading.Lock()

    def free(self, size_bytes: int) -> memoryview | None:
        """The room of a free tray, if there is one of this size: the first, so that few are ever written to."""
        if size_bytes > TRAY_BYTES - HEAD_BYTES:
            return None
        with self._lock:
            for tray in range(TRAYS):
                held = self._held[tray]
                start = tray * TRAY_BYTES
                if self._memory[start] == FREE and (held is None or held() is None):
                    room = self._memory[start + HEAD_BYTES : start + HEAD_BYTES + size_bytes]
                    self._held[tray] = ref(room)
                    return room
        return None

    def send(self, sample: Loaded) -> int | None:
        """The number of the tray in which this sample lies as it was laid, which is now sent; None when in none."""
        picture, mask = sample.picture, sample.mask
        if mask.ndim != 2 or any(each.device.type != "cpu" or each.dtype != torch.uint8 for each in (picture, mask)):
            return None
        height, width = mask.shape
        tray, inside = divmod(picture.data_ptr() - self._first, TRAY_BYTES)
        form = (picture.shape, picture.stride(), mask.stride(), mask.data_ptr() - picture.data_ptr())
        laid_so = ((3, height, width), (1, 3 * width, 3), (width, 1), 3 * height * width)
        if not 0 <= tray < TRAYS or inside or form != laid_so:
            return None
        with self._lock:
            if self._memory[tray * TRAY_BYTES] == SENT:  # once before
                return None
            self._memory[tray * TRAY_BYTES] = SENT
        return tray


@cache
def _trays(process: int) -> _Trays | None:
    """The trays of this process, if it is a DataLoader's worker and processes here find each other's files."""
    if get_worker_info() is None or not hasattr(os, "memfd_create"):
        return None
    try:
        trays = _Trays()
        os.close(os.open(f"/proc/{process}/fd/{trays.handle}", os.O_RDWR))
    except OSError:  # no /proc, or a limit on memory or files
        return None
    return trays if os.access(f"/proc/{os.getppid()}/fd", os.R_OK) else None


class _Loan(mmap.mmap):
    """A tray in a process that reads, given back when no tensor lies in it any more."""

    taker: int

    def __del__(self, process: Callable[[], int] = os.getpid, free: int = FREE) -> None:  # names may be gone at exit
        if process() == self.taker:  # and no process that was forked from it
            self[0] = free


_loans: WeakSet[_Loan] = WeakSet()


def _sent(sample: Loaded) -> tuple[Any, ...]:  # Any: what pickle takes
    """How a sample is pickled for another process."""
    trays = _trays(os.getpid())
    tray = trays.send(sample) if trays else None
    if trays is None or tray is None:
        return Loaded, (sample.picture, sample.mask, sample.info)
    height, width = sample.mask.shape
    return _taken, (os.getpid(), trays.handle, trays.number, tray, height, width, _INFO(sample.info))


def _taken(process: int, handle: int, number: int, tray: int, height: int, width: int, info: tuple[Any, ...]) -> Loaded:
    """The sample that lies in a worker's tray. Raises RuntimeError, as torch does, when the worker has ended."""
    try:
        opened = os.open(f"/proc/{process}/fd/{handle}", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise RuntimeError(ENDED.format(process)) from None
    try:
        if os.fstat(opened).st_ino != number:
            raise RuntimeError(ENDED.format(process))
        loan = _Loan(opened, HEAD_BYTES + 4 * height * width, offset=tray * TRAY_BYTES)
    finally:
        os.close(opened)
    loan.taker = os.getpid()
    lying = _lying(loan, HEAD_BYTES, height, width, SampleInfo(*info))
    if len(_loans) < LOANS:
        _loans.add(loan)
        return lying
    return Loaded(lying.picture.clone(), lying.mask.clone(), lying.info)


ForkingPickler.register(Loaded, _sent)

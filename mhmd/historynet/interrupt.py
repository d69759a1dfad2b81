"""SIGINT and SIGTERM as a request that a loop answers when it can."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class StopRequest:
    """The name of the signal that asked to stop, once one has."""

    signal: str | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Catch the first SIGINT or SIGTERM; a second acts as it would have without us.

    Python gives signals to the main thread only: in any other, nothing is caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def give_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # a signal handler's shape
        request.signal = signal.Signals(number).name
        give_back()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        give_back()

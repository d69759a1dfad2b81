"""How far a stage is over all its units, how fast, and for how long still."""

from __future__ import annotations

import time
from collections.abc import Callable

from mhmd.execute import Outcome, Progress


class Pace:
    """Adds up what units tell of themselves. `clock` gives seconds."""

    def __init__(self, units: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`units` are those to be made; fresh ones are not among them."""
        self.units = units
        self.ended = 0
        self._clock = clock
        self._started = clock()
        self._told: dict[str, Progress] = {}
        self._running: set[str] = set()

    def take(self, event: Progress | Outcome) -> None:
        """Count an event in."""
        if isinstance(event, Progress):
            self._told[event.unit] = event
            self._running.add(event.unit)
        elif event.status != "fresh":
            self._running.discard(event.unit)
            self.ended += 1

    @property
    def share(self) -> float:
        """How much of all units is done, 0 to 1."""
        running = (self._told[unit] for unit in self._running)
        return (self.ended + sum(each.done / max(1, each.total) for each in running)) / max(1, self.units)

    @property
    def stored(self) -> int:
        """How many pictures or masks were stored so far."""
        return sum(each.stored for each in self._told.values())

    def text(self) -> str:
        """Units ended, frames a second, what is stored, and the time that is left if all goes on as before."""
        seconds = max(self._clock() - self._started, 1e-9)
        rate = sum(each.done for each in self._told.values()) / seconds
        left = f", {_clock(seconds * (1 - self.share) / self.share)} left" if self.share else ""
        stored = f", {self.stored} stored" if self.stored else ""
        return f"{self.ended}/{self.units}, {rate:.0f}/s{stored}{left}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"

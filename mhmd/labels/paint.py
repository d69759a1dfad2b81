"""Which row gives each frame each attribute, and which rows of one level differ there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mhmd.labels.rows import UNKNOWN, Rows, differs
from mhmd.manifest.problems import Problem
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Seconds = NDArray[np.float64]

PAIRS = 1 << 22
"""So many pairs of a row and a frame that it speaks of are in memory at once."""


class Paint:
    """The rows that give each frame each attribute (3, frames), -1 = none, for rows of one level after the other."""

    def __init__(self, rows: Rows, frames: int, taxonomy: Taxonomy) -> None:
        import numpy as np

        self.winner = np.full((len(ATTRIBUTES), frames), -1, np.int64)
        self.confidence = np.full((len(ATTRIBUTES), frames), np.nan)
        self._told: dict[tuple[int, str], Problem] = {}
        self._rows = rows
        self._taxonomy = taxonomy

    @property
    def problems(self) -> Iterable[Problem]:
        """Rows that differ from another of their level on a frame, one for each and attribute."""
        return self._told.values()

    def level(self, pairs: Iterator[tuple[Indices, Indices]]) -> None:
        """Lay rows over what is there. `pairs` are indices of rows and of the frames that they speak of."""
        import numpy as np

        winner, confidence = np.full_like(self.winner, -1), np.full_like(self.confidence, np.nan)
        for row, frame in pairs:
            for attribute, names in enumerate(self._rows.names):
                given = names[row] != -1
                self._lay(attribute, row[given], frame[given], winner[attribute], confidence[attribute])
        over = winner >= 0
        self.winner[over], self.confidence[over] = winner[over], confidence[over]

    def _lay(self, attribute: int, row: Indices, frame: Indices, winner: Indices, confidence: Seconds) -> None:
        import numpy as np

        before = winner[frame]
        self._contradict(attribute, before, row, before >= 0)
        winner[frame] = row
        last = winner[frame]  # where a frame stands more than once in these pairs
        self._contradict(attribute, last, row)
        np.fmin.at(confidence, frame, self._rows.confidence[row])

    def _contradict(self, attribute: int, one: Indices, other: Indices, both: NDArray[np.bool_] | bool = True) -> None:
        import numpy as np

        names = self._rows.names[attribute]
        torn = both & (names[one] != names[other]) & (names[one] != UNKNOWN) & (names[other] != UNKNOWN)
        if not torn.any():
            return
        above, below = np.sort(np.stack([one[torn], other[torn]]), axis=0)
        order = np.lexsort((above, below))
        for at in order[np.unique(below[order], return_index=True)[1]]:
            problem = differs(self._rows, attribute, int(below[at]), int(above[at]), self._taxonomy)
            self._told.setdefault((problem.row, problem.column), problem)


def expanded(rows: Indices, first: Indices, after: Indices, most: int = PAIRS) -> Iterator[tuple[Indices, Indices]]:
    """Each row with all numbers of its half-open interval; so many pairs at once at most, or one row's."""
    import numpy as np

    counts = np.maximum(after - first, 0)
    total = np.cumsum(counts)
    start = 0
    while start < len(rows):
        end = max(start + 1, int(np.searchsorted(total, (total[start - 1] if start else 0) + most, side="right")))
        some = counts[start:end]
        within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        yield np.repeat(rows[start:end], some), np.repeat(first[start:end], some) + within
        start = end

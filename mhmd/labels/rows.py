"""A film's rows of the labels manifest as arrays, and those that contradict each other wherever frames lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from mhmd.manifest.tabular import PROBLEMS_TOLD, Problem, numbers_of
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a film goes: its end, s, how many shots it has, and where each starts and ends, s, as far as known."""

    duration_s: float
    shots: int
    bounds: tuple[tuple[float, float], ...] = ()


class Rows:
    """A film's rows of the labels manifest as arrays; what is not given is not a number, or -1."""

    def __init__(self, entries: pa.Table, taxonomy: Taxonomy) -> None:
        import numpy as np

        def column(name: str) -> Seconds:
            values: Seconds = entries[name].to_numpy().astype(float)
            return values

        self.number = numbers_of(entries)
        self.start_s, self.end_s, self.shot = column("start_s"), column("end_s"), column("shot")
        self.confidence = column("confidence")
        self.frame_id = entries["frame_id"].combine_chunks()
        single = self.frame_id.is_valid().to_numpy(zero_copy_only=False)
        ranged = ~np.isnan(self.start_s) | ~np.isnan(self.shot)
        self.level = np.where(single, 2, np.where(ranged, 1, 0))
        self.names = np.stack([_coded(entries[each], taxonomy.names(each)) for each in ATTRIBUTES])


def contradicting(rows: Rows, extent: Extent | None, taxonomy: Taxonomy) -> list[Problem]:
    """Rows of films, ranges and shots that overlap another of their level and differ, with a frame there or without.

    Of a row that differs from several one is told. Shots whose place is not known are left out.
    """
    import numpy as np

    start, end = _intervals(rows, extent)
    order = np.argsort(start, kind="stable")
    problems: list[Problem] = []
    for level, (attribute, names) in product((0, 1), enumerate(rows.names)):
        latest: dict[int, int] = {}  # by name, the row that reaches furthest
        for row in order[((rows.level == level) & (names >= 0) & (start < end))[order]].tolist():
            others = [other for name, other in latest.items() if name != names[row] and end[other] > start[row]]
            problems += [differs(rows, attribute, row, other, taxonomy) for other in others[:1]]
            furthest = latest.setdefault(int(names[row]), row)
            if end[furthest] < end[row]:
                latest[int(names[row])] = row
    return sorted(problems)[: PROBLEMS_TOLD + 1]


def _intervals(rows: Rows, extent: Extent | None) -> tuple[Seconds, Seconds]:
    """Where each row of a film, a range or a shot starts and ends, s; what is in no time, or not known, is empty."""
    import numpy as np

    start, end = np.where(rows.level == 0, -np.inf, rows.start_s), np.where(rows.level == 0, np.inf, rows.end_s)
    of_shot = ~np.isnan(rows.shot)
    bounds = np.array(extent.bounds if extent else (), float).reshape(-1, 2)
    known = of_shot & (rows.shot < len(bounds))
    lies = bounds[rows.shot[known].astype(int)]
    start[known], end[known] = np.fmax(start[known], lies[:, 0]), np.fmin(end[known], lies[:, 1])
    end[of_shot & ~known] = -np.inf
    return start, end


def differs(rows: Rows, attribute: int, one: int, other: int, taxonomy: Taxonomy) -> Problem:
    above, below = sorted((one, other), key=lambda row: int(rows.number[row]))
    known, names = taxonomy.names(ATTRIBUTES[attribute]), rows.names[attribute]
    said = f"{known[names[below]]!r} differs from {known[names[above]]!r} in row {rows.number[above]}"
    return Problem(int(rows.number[below]), ATTRIBUTES[attribute], f"{said}: both hold for the same frames")


def _coded(values: pa.ChunkedArray, names: tuple[str, ...]) -> Indices:
    """Index of each name, -1 for null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = pc.fill_null(pc.index_in(values, pa.array(names, pa.string())), -1)
    indices: Indices = codes.to_numpy().astype(np.int64)
    return indices

"""The three names of a frame into its label, and the rows that together give names of no label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhmd.labels.rows import Extent, Rows, intervals
from mhmd.manifest.problems import Problem, further
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Seconds = NDArray[np.float64]

GAP_S = 0.05
"""Stretches no longer than this, where no frame is stored, are nobody's meaning: ends of ranges were rounded."""


def names_of(winner: Indices, rows: Rows) -> Indices:
    """The names (3, places) that the rows of `winner` (3, places) give, as the taxonomy counts them; -1 = none."""
    import numpy as np

    given = np.append(rows.names, np.full((len(ATTRIBUTES), 1), -1), axis=1)
    return np.take_along_axis(given, winner, axis=1)


def label_ids(names: Indices, taxonomy: Taxonomy) -> Indices:
    """Label of each frame from its `names` (3, frames), -1 where one is missing or no label has them."""
    import numpy as np

    table = np.full([len(taxonomy.names(attribute)) for attribute in ATTRIBUTES], -1, np.int64)
    for label in taxonomy.labels:
        table[tuple(taxonomy.attribute_id(each, getattr(label, each)) for each in ATTRIBUTES)] = label.label_id
    return np.where((names >= 0).all(axis=0), table[tuple(np.maximum(names, -1))], -1)


def unfit(winner: Indices, names: Indices, rows: Rows, taxonomy: Taxonomy) -> list[Problem]:
    """Rows that meet, as `winner` (3, places) has them, and give `names` (3, places) that no label has together.

    A name that is missing or not known may be any. Told of the last row, once.
    """
    import numpy as np

    fits = np.zeros([len(taxonomy.names(attribute)) + 1 for attribute in ATTRIBUTES], bool)  # the last place: any
    for label in taxonomy.labels:
        ids = tuple(taxonomy.attribute_id(each, getattr(label, each)) for each in ATTRIBUTES)
        fits[np.ix_(*([each, -1] for each in ids))] = True
    names = np.maximum(names, -1)
    if (rows.veil >= 0).any():
        names = np.where(np.append(rows.level, -1)[winner] < rows.veil[:, None], -1, names)
    problems = []
    for trio in np.unique(winner[:, ~fits[tuple(names)]], axis=1).T:
        given = [
            taxonomy.names(each)[rows.names[at, row]] if row >= 0 and rows.names[at, row] >= 0 else None
            for at, (each, row) in enumerate(zip(ATTRIBUTES, trio, strict=True))
        ]
        culprits = sorted({int(rows.number[row]) for row in trio if row >= 0})
        beside = f"; it comes together with row {' and '.join(map(str, culprits[:-1]))}" if culprits[:-1] else ""
        column = "garment" if given[-1] else "nationality"
        problems.append(Problem(culprits[-1], column, f"{taxonomy.no_label(*given)}{beside}"))
    return [*further((), problems)]


def unfit_between(rows: Rows, times_s: Seconds, extent: Extent | None, taxonomy: Taxonomy) -> list[Problem]:
    """The same for stretches of the film in which no frame is stored: none at `times_s`.

    Rows of shots whose place is not known may hold in any of them. Without an extent the film ends with its last range.
    """
    import numpy as np

    start, end = intervals(rows, extent)
    ranged = rows.level == 1
    for row in np.flatnonzero(ranged & ~(start < end)).tolist():
        rows.cover(row)
    placed = np.flatnonzero(ranged & (start < end))
    last = max(end[placed], default=np.inf) if extent is None else extent.duration_s
    edges = np.unique(np.clip(np.concatenate([start[placed], end[placed], [0.0, last]]), 0.0, last))
    stored = np.diff(np.searchsorted(np.sort(times_s), edges))
    empty = edges[:-1][(np.diff(edges) > GAP_S) & (stored == 0)]
    winner = np.stack([_holding(names, rows.level, start, end, empty) for names in rows.names])
    return unfit(winner, names_of(winner, rows), rows, taxonomy)


def _holding(names: Indices, level: Indices, start: Seconds, end: Seconds, times_s: Seconds) -> Indices:
    """At each time a row that gives a name: one of a range, else of the film, else -1. Those that overlap agree."""
    import numpy as np

    of_film = np.flatnonzero((level == 0) & (names != -1))
    winner = np.full(len(times_s), of_film[-1] if len(of_film) else -1)
    ranged = np.flatnonzero((level == 1) & (names != -1) & (start < end))
    if len(ranged):
        ranged = ranged[np.argsort(start[ranged], kind="stable")]
        reach = np.maximum.accumulate(end[ranged])
        furthest = np.maximum.accumulate(np.where(end[ranged] == reach, np.arange(len(ranged)), 0))
        begun = np.searchsorted(start[ranged], times_s, side="right") - 1
        held = (begun >= 0) & (reach[begun] > times_s)
        winner[held] = ranged[furthest[begun[held]]]
    return winner

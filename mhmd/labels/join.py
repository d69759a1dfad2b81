"""The join of frames with the rows of the labels manifest: frame over range over film, attribute by attribute.

Times are compared as float64 numbers: a frame's `time_s` is the one nearest to its exact time, a manifest's the one
nearest to what was written. Rounding never swaps two numbers, so they compare as the exact ones do; exact times that
differ by less than float64 can tell count as equal. A range taken from `time_s` or from a shot's ends is thus exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.labels.rows import Extent, Rows, contradicting, differs
from mhmd.manifest.tabular import PROBLEMS_TOLD, Problem, flag, mask
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Seconds = NDArray[np.float64]

SOURCES = ("film", "range", "frame")
"""What a row of the labels manifest speaks of, from wide to precise."""

END_SLACK_S = 0.05
"""A range may end so much after its film does: who rounds a film's length to tenths means its end."""

PAIRS = 1 << 22
"""So many pairs of a row and a frame that it speaks of are in memory at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """What each frame of a film gets, in the frames' order.

    `names` (3, frames) are indices of the taxonomy's eras, nationalities and garments, `level` one of `SOURCES`, -1 =
    none. `confidence` is the lowest of the rows that gave one of the names, not a number where none says. `problems`
    says what is wrong; where there are any, the arrays mean nothing.
    """

    names: Indices
    label_id: Indices
    level: Indices
    confidence: Seconds
    problems: tuple[Problem, ...]


class Paint:
    """The rows that give each frame each attribute (3, frames), -1 = none, for rows of one level after the other."""

    def __init__(self, rows: Rows, frames: int, taxonomy: Taxonomy) -> None:
        import numpy as np

        self.winner = np.full((len(ATTRIBUTES), frames), -1, np.int64)
        self.confidence = np.full((len(ATTRIBUTES), frames), np.nan)
        self.problems: set[Problem] = set()
        self._rows = rows
        self._taxonomy = taxonomy

    def level(self, pairs: Iterator[tuple[Indices, Indices]]) -> None:
        """Lay rows over what is there. `pairs` are indices of rows and of the frames that they speak of."""
        import numpy as np

        winner, confidence = np.full_like(self.winner, -1), np.full_like(self.confidence, np.nan)
        for row, frame in pairs:
            for attribute, names in enumerate(self._rows.names):
                given = names[row] >= 0
                self._lay(attribute, row[given], frame[given], winner[attribute], confidence[attribute])
        over = winner >= 0
        self.winner[over], self.confidence[over] = winner[over], confidence[over]

    def _lay(self, attribute: int, row: Indices, frame: Indices, winner: Indices, confidence: Seconds) -> None:
        import numpy as np

        names = self._rows.names[attribute]
        before = winner[frame]
        self._contradict(attribute, before, row, (before >= 0) & (names[before] != names[row]))
        winner[frame] = row
        last = winner[frame]  # where a frame stands more than once in these pairs
        self._contradict(attribute, last, row, names[last] != names[row])
        np.fmin.at(confidence, frame, self._rows.confidence[row])

    def _contradict(self, attribute: int, one: Indices, other: Indices, torn: NDArray[np.bool_]) -> None:
        import numpy as np

        if not torn.any():
            return
        numbers = self._rows.number
        pair = np.stack([one[torn], other[torn]])
        ordered = np.take_along_axis(pair, np.argsort(numbers[pair], axis=0), axis=0)
        for first, second in np.unique(ordered, axis=1).T[: PROBLEMS_TOLD + 1].tolist():
            self.problems.add(differs(self._rows, attribute, second, first, self._taxonomy))


def join(frames: pa.Table, entries: pa.Table, taxonomy: Taxonomy, extent: Extent | None = None) -> Joined:
    """The labels of one film's frames (columns shot, time_s, and frame_id where rows name frames).

    `entries` are the film's rows of the labels manifest. A row that names a shot and a range holds where both do.
    Without an extent, no range and no shot is beyond the film.
    """
    import numpy as np

    rows = Rows(entries, taxonomy)
    paint = Paint(rows, len(frames), taxonomy)
    found = [*_beyond(rows, extent), *_unknown(frames, rows)]
    torn = contradicting(rows, extent, taxonomy)
    film, every = np.flatnonzero(rows.level == 0), np.arange(len(frames))
    paint.level((np.full(len(frames), row), every) for row in film)
    paint.level(_ranged(frames, rows))
    paint.level(_single(frames, rows))
    names = np.take_along_axis(np.append(rows.names, np.full((len(ATTRIBUTES), 1), -1), axis=1), paint.winner, axis=1)
    levels = np.append(rows.level, -1)[paint.winner].max(axis=0, initial=-1)
    label_id, unlabelled = _label_ids(names, paint.winner, rows, taxonomy)
    told = {(problem.row, problem.column) for problem in torn}
    torn += [problem for problem in paint.problems if (problem.row, problem.column) not in told]
    problems = tuple(sorted({*found, *torn, *unlabelled}))
    return Joined(names, label_id, levels, np.fmin.reduce(paint.confidence, axis=0), problems)


def unknown_films(entries: pa.Table, known: set[str]) -> list[Problem]:
    """Rows of the labels manifest whose film nothing knows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    films = pa.array(sorted(known), pa.string())
    strange = mask(pc.invert(pc.is_in(entries["film_id"], films)))
    return flag(entries, "film_id", strange, lambda v: f"{v!r} is no film of the films manifest or the workspace")


def _ranged(frames: pa.Table, rows: Rows) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of the rows that speak of a range, a shot or what lies in both, and their frames."""
    import numpy as np

    times = frames["time_s"].to_numpy()
    of_shot = ~np.isnan(rows.shot)
    ranges = np.flatnonzero((rows.level == 1) & ~of_shot)
    in_time = np.argsort(times, kind="stable")
    ends = np.searchsorted(times[in_time], [rows.start_s[ranges], rows.end_s[ranges]])
    for row, frame in expanded(ranges, *ends):
        yield row, in_time[frame]
    if of_shot.any():
        shots = np.flatnonzero(of_shot)
        number = frames["shot"].to_numpy()
        in_shots = np.argsort(number, kind="stable")
        first, after = (np.searchsorted(number[in_shots], rows.shot[shots], side=side) for side in ("left", "right"))
        for row, frame in expanded(shots, first, after):
            time = times[in_shots[frame]]
            held = ~((time < rows.start_s[row]) | (time >= rows.end_s[row]))  # true where there is no range, too
            yield row[held], in_shots[frame[held]]


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


def _single(frames: pa.Table, rows: Rows) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of the rows that speak of one frame, and this."""
    import numpy as np

    single = np.flatnonzero(rows.level == 2)
    if len(single):
        index = _index_of(frames, rows)[single]
        yield single[index >= 0], index[index >= 0]


def _index_of(frames: pa.Table, rows: Rows) -> Indices:
    """For each row the index of the frame that it names, -1 where there is none."""
    import numpy as np
    import pyarrow.compute as pc

    found = pc.index_in(rows.frame_id, frames["frame_id"].combine_chunks(), skip_nulls=True)
    index: Indices = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return index


def _beyond(rows: Rows, extent: Extent | None) -> Iterator[Problem]:
    """Ranges and shots that leave the film."""
    import numpy as np

    if extent is None:
        return
    end = f"is beyond the film's end at {extent.duration_s:.3f} s"
    for name, over, how in (
        ("start_s", rows.start_s >= extent.duration_s, end),
        ("end_s", rows.end_s > extent.duration_s + END_SLACK_S, end),
        ("shot", rows.shot >= extent.shots, f"is none of the film's {extent.shots} shots, which count from 0"),
    ):
        for row in np.flatnonzero(over)[: PROBLEMS_TOLD + 1]:
            yield Problem(int(rows.number[row]), name, f"{getattr(rows, name)[row]:.12g} {how}")
    for row in np.flatnonzero(~np.isnan(rows.shot) & ~np.isnan(rows.start_s)):
        shot = int(rows.shot[row])
        if shot < len(extent.bounds):
            start_s, end_s = extent.bounds[shot]
            if rows.end_s[row] <= start_s or rows.start_s[row] >= end_s:
                what = f"{shot} lies at {start_s:.3f} to {end_s:.3f} s, outside the row's range"
                yield Problem(int(rows.number[row]), "shot", what)


def _unknown(frames: pa.Table, rows: Rows) -> Iterator[Problem]:
    """Rows of frames that the film has not."""
    import numpy as np

    if (rows.level == 2).any():
        lost = (rows.level == 2) & (_index_of(frames, rows) < 0)
        for row in np.flatnonzero(lost)[: PROBLEMS_TOLD + 1]:
            what = f"{rows.frame_id[row].as_py()!r} is not among the film's stored frames"
            yield Problem(int(rows.number[row]), "frame_id", what)


def _label_ids(names: Indices, winner: Indices, rows: Rows, taxonomy: Taxonomy) -> tuple[Indices, list[Problem]]:
    """Label of each frame, -1 where a name is missing; and the rows that together give names of no label."""
    import numpy as np

    sizes = [len(taxonomy.names(attribute)) for attribute in ATTRIBUTES]
    table = np.full(sizes, -1, np.int64)
    fits = np.zeros([size + 1 for size in sizes], bool)  # the last place of each stands for a name that is missing
    for label in taxonomy.labels:
        ids = tuple(taxonomy.attribute_id(each, getattr(label, each)) for each in ATTRIBUTES)
        table[ids] = label.label_id
        fits[np.ix_(*([each, -1] for each in ids))] = True
    complete = (names >= 0).all(axis=0)
    label_id = np.where(complete, table[tuple(names)], -1)
    problems = []
    strange = np.unique(winner[:, ~fits[tuple(names)]], axis=1)
    for trio in strange.T[: PROBLEMS_TOLD + 1]:
        culprits = sorted({int(rows.number[row]) for row in trio if row >= 0})
        given = [
            taxonomy.names(each)[rows.names[at, trio[at]]] if trio[at] >= 0 else None
            for at, each in enumerate(ATTRIBUTES)
        ]
        beside = f"; it comes together with row {' and '.join(map(str, culprits[:-1]))}" if culprits[:-1] else ""
        problems.append(
            Problem(culprits[-1], "garment" if given[-1] else "nationality", f"{taxonomy.no_label(*given)}{beside}")
        )
    return label_id, problems

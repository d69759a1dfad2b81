"""The join of frames with the rows of the labels manifest: frame over range over film, attribute by attribute.

Times are compared as float64 numbers: a frame's `time_s` is the one nearest to its exact time, a manifest's the one
nearest to what was written. Rounding never swaps two numbers, so they compare as the exact ones do; exact times that
differ by less than float64 can tell count as equal. A range taken from `time_s` or from a shot's ends is thus exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.labels.combine import label_ids, names_of, unfit, unfit_between
from mhmd.labels.paint import Paint, expanded
from mhmd.labels.rows import Extent, Rows, contradicting
from mhmd.manifest.problems import Problem, flag, further, mask
from mhmd.taxonomy import Taxonomy

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


def join(
    frames: pa.Table,
    entries: pa.Table,
    taxonomy: Taxonomy,
    extent: Extent | None = None,
    problems: Iterable[Problem] = (),
) -> Joined:
    """The labels of one film's frames (columns shot, time_s, and frame_id where rows name frames).

    `entries` are the film's rows of the labels manifest, `problems` those of the rows in themselves: nothing is
    concluded from them, and they are not told again. A row that names a shot and a range holds where both do. Without
    an extent, no range and no shot is beyond the film.
    """
    import numpy as np

    rows = Rows(entries, taxonomy, problems)
    paint = Paint(rows, len(frames), taxonomy)
    film, every = np.flatnonzero(rows.level == 0), np.arange(len(frames))
    paint.level((np.full(len(frames), row), every) for row in film)
    paint.level(_ranged(frames, rows))
    paint.level(_single(frames, rows))
    names = names_of(paint.winner, rows)
    levels = np.append(rows.level, -1)[paint.winner].max(axis=0, initial=-1)
    label_id = label_ids(names, taxonomy)
    found = further((), [*_beyond(rows, extent), *_unknown(frames, rows), *contradicting(rows, extent, taxonomy)])
    found = further(found, paint.problems)
    found = further(found, unfit(paint.winner, names, rows, taxonomy))
    found = further(found, unfit_between(rows, frames["time_s"].to_numpy(), extent, taxonomy))
    confidence = np.fmin.reduce(paint.confidence, axis=0)
    return Joined(names, label_id, levels, confidence, tuple(sorted(found)))


def alone(entries: pa.Table, taxonomy: Taxonomy, problems: Iterable[Problem] = ()) -> list[Problem]:
    """What is wrong with a film's rows beside each other, whatever its frames and its length are."""
    import numpy as np

    rows = Rows(entries, taxonomy, problems)
    for row in np.flatnonzero(rows.level == 2).tolist():
        rows.cover(row)
    found = contradicting(rows, None, taxonomy)
    return [*further(found, unfit_between(rows, np.empty(0), None, taxonomy))]


def unknown_films(entries: pa.Table, known: Set[str]) -> list[Problem]:
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
    placed = rows.level >= 0
    for name, over, how in (
        ("start_s", rows.start_s >= extent.duration_s, end),
        ("end_s", rows.end_s > extent.duration_s + END_SLACK_S, end),
        ("shot", rows.shot >= extent.shots, f"is none of the film's {extent.shots} shots, which count from 0"),
    ):
        for row in np.flatnonzero(over & placed):
            yield Problem(int(rows.number[row]), name, f"{getattr(rows, name)[row]:.12g} {how}")
    for row in np.flatnonzero(placed & ~np.isnan(rows.shot) & ~np.isnan(rows.start_s)):
        shot = int(rows.shot[row])
        if 0 <= shot < len(extent.bounds):
            start_s, end_s = extent.bounds[shot]
            if rows.end_s[row] <= start_s or rows.start_s[row] >= end_s:
                what = f"{shot} lies at {start_s:.3f} to {end_s:.3f} s, outside the row's range"
                yield Problem(int(rows.number[row]), "shot", what)


def _unknown(frames: pa.Table, rows: Rows) -> Iterator[Problem]:
    """Rows of frames that the film has not."""
    import numpy as np

    if (rows.level == 2).any():
        lost = (rows.level == 2) & (_index_of(frames, rows) < 0)
        for row in np.flatnonzero(lost):
            what = f"{rows.frame_id[row].as_py()!r} is not among the film's stored frames"
            yield Problem(int(rows.number[row]), "frame_id", what)

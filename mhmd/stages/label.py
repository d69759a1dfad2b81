"""label: Give every frame its era, nationality and garment, from the rows of the labels manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mhmd.config import Config
from mhmd.entries import LabelEntry, LabelName
from mhmd.errors import ManifestError
from mhmd.inputs import Inputs
from mhmd.records import Frame, Label
from mhmd.sink import Sink
from mhmd.stage import Stage
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

SOURCES = ("film", "range", "frame")
"""What a row of the labels manifest speaks of, from wide to precise."""


class LabelConfig(Config):
    """The manifest and the taxonomy say everything; there is nothing to set."""


def label_frames(frames: pa.Table, entries: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Rows of `Label` for the frames of one film (columns film_id, frame_id, time_s), in their order.

    `entries` are the film's rows of the labels manifest. Ranges are half-open, `[start_s, end_s)`. Each attribute
    comes from the most precise row that gives it: one of the frame, else of a range, else of the film. `source` is
    the most precise row that gave one, `confidence` the lowest of the rows that did. A frame that lacks an attribute
    keeps those it has, with label_id -1. Rows of frames that were not sampled are not used.

    Raises ManifestError when rows of the same precision differ on an attribute of a frame, or when no label has the
    three names that a frame gets.
    """
    import numpy as np
    import pyarrow as pa

    from mhmd.storage import schema_of

    rows = entries.to_pandas()
    pairs = [*_pairs(frames, rows)]
    winners = np.stack([_winners(len(frames), pairs, rows, attribute) for attribute in ATTRIBUTES])
    levels = np.append(rows.frame_id.notna() * 2 + rows.start_s.notna() * 1, -1)  # at -1: of no row
    columns: dict[str, Any] = {name: frames[name] for name in ("film_id", "frame_id")}  # Any: arrays of any type
    for attribute, winner in zip(ATTRIBUTES, winners, strict=True):
        columns[attribute] = _names(rows, attribute)[winner]
    columns["source"] = np.array([*SOURCES, None])[levels[winners].max(axis=0)]
    columns["confidence"] = np.fmin.reduce(np.append(rows.confidence.to_numpy(float), np.nan)[winners])
    columns["label_id"] = _label_ids(winners, rows, taxonomy)
    schema = schema_of(Label)
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _pairs(frames: pa.Table, rows: pd.DataFrame) -> Iterator[tuple[Indices, Indices]]:
    """Indices of frames, and of the rows that speak of them: those of the film, then of ranges, then of frames."""
    import numpy as np

    times = frames["time_s"].to_numpy()
    in_time = np.argsort(times, kind="stable")
    is_frame, is_range = rows.frame_id.notna(), rows.start_s.notna()
    film = np.flatnonzero(~is_frame & ~is_range)
    yield np.tile(np.arange(len(times)), len(film)), np.repeat(film, len(times))
    ranges = np.flatnonzero(is_range)
    first = np.searchsorted(times[in_time], rows.start_s.to_numpy()[ranges], side="left")
    after = np.searchsorted(times[in_time], rows.end_s.to_numpy()[ranges], side="left")
    counts = np.maximum(after - first, 0)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    yield in_time[np.repeat(first, counts) + within], np.repeat(ranges, counts)
    index_of = {frame_id: index for index, frame_id in enumerate(frames["frame_id"].to_pylist())}
    single = np.array([index_of.get(frame_id, -1) for frame_id in rows.frame_id[is_frame]], np.int64)
    yield single[single >= 0], np.flatnonzero(is_frame)[single >= 0]


def _winners(frames: int, pairs: Iterable[tuple[Indices, Indices]], rows: pd.DataFrame, attribute: str) -> Indices:
    """For each frame the index of the row that gives it the attribute, -1 where none does."""
    import numpy as np

    winner = np.full(frames, -1, np.int64)
    given = rows[attribute].notna().to_numpy()
    names = _names(rows, attribute)
    for frame, row in pairs:
        frame, row = frame[given[row]], row[given[row]]
        winner[frame] = row
        torn = np.flatnonzero(names[winner[frame]] != names[row])
        if len(torn):
            culprits = sorted({int(row[torn[0]]), int(winner[frame[torn[0]]])})
            raise ManifestError(
                f"labels manifest: {_told(rows, culprits)} differ on {attribute}",
                wanted="rows of one film, range or frame that agree where they overlap",
                do="mend or narrow one of them",
            )
    return winner


def _names(rows: pd.DataFrame, attribute: str) -> npt.NDArray[np.object_]:
    """What each row gives, and None at the end: at -1, the index of no row."""
    import numpy as np

    return np.array([*rows[attribute].astype(object), None], np.object_)


def _label_ids(winners: Indices, rows: pd.DataFrame, taxonomy: Taxonomy) -> Indices:
    """Label of each frame; `winners` (3, frames) are the rows that give era, nationality and garment."""
    import numpy as np

    names = [_names(rows, attribute) for attribute in ATTRIBUTES]
    combinations, of_frame = np.unique(winners, axis=1, return_inverse=True)
    ids = []
    for trio in combinations.T:
        era, nationality, garment = (of_row[index] for of_row, index in zip(names, trio, strict=True))
        label_id = -1 if -1 in trio else taxonomy.label_id(era, nationality, garment)
        if label_id == -1 and -1 not in trio:
            raise ManifestError(
                f"labels manifest: {_told(rows, sorted({*trio.tolist()}))}: "
                + taxonomy.no_label(era, nationality, garment),
                wanted="a combination of the taxonomy",
                do="mend one of the rows",
            )
        ids.append(label_id)
    return np.array(ids, np.int64)[of_frame.reshape(-1)]


def _told(rows: pd.DataFrame, indices: Iterable[int]) -> str:
    """The rows as a person finds them again: their number among the film's rows, where they hold, what they say."""
    told = []
    for index in indices:
        row = {name: value for name, value in rows.iloc[index].items() if value == value and value is not None}
        if "frame_id" in row:
            where = str(row["frame_id"])
        else:
            where = f"{row['start_s']:g} to {row['end_s']:g} s" if "start_s" in row else "all of it"
        says = ", ".join(str(row[attribute]) for attribute in ATTRIBUTES if attribute in row)
        told.append(f"row {index + 1} of {row['film_id']} ({where}: {says})")
    return " and ".join(told)


def run(inputs: Inputs, config: LabelConfig, sink: Sink) -> None:  # noqa: ARG001  # it has no knobs
    """Label the frames of one film."""
    frames = inputs.rows(Frame, columns=["film_id", "frame_id", "time_s"])
    labels = label_frames(frames, inputs.rows(LabelEntry), Taxonomy.of(inputs.rows(LabelName)))
    sink.rows(Label, labels)
    sink.progress(len(frames), len(frames))


STAGE = Stage(
    name="label",
    version=1,
    config=LabelConfig,
    scope="film",
    reads=(Frame, LabelEntry, LabelName),
    writes=(Label,),
    run=run,
)

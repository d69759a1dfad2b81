"""dedup: Find frames that show the same picture, in one film or across films, and keep the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mhmd.config import Config
from mhmd.records import Frame, Overlap, Screening, Verdict
from mhmd.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from mhmd.inputs import Inputs
    from mhmd.sink import Sink

    Places = NDArray[np.int64]

Within = Literal["shot", "film", "corpus"]

COLUMNS = (
    "film_id",
    "frame_id",
    "shot",
    "width",
    "height",
    "phash",
    "signature",
    "sharpness",
    "colorfulness",
)

SHARPNESS_STEPS = 2
"""Steps of sharpness in a doubling: within one, two pictures are as sharp, for encoding, or a tenth of light, changes
it by as much."""

DUPLICATE = "phash+signature"
TOLD_BY = (None, "colour", "light")
"""What the rule of a duplicate is, and of a kept frame, by the codes of `mhmd.duplicates.alike`."""

COMBINATIONS = 1 << 22
"""Pairs of films with a group in common that are held before they are added up."""


class DedupConfig(Config):
    """Knobs of `dedup`."""

    radius: int = Field(
        8, ge=0, le=12, description="Largest Hamming distance of two phashes of the same picture (bits)"
    )
    within: Within = Field("corpus", description="Frames are compared with those of the same")


def ranked(frames: pa.Table) -> Places:
    """The rows of `frames` from the best to the worst: the sharpest, of these the largest, the most colourful, by name.

    Sharpness, a variance of the Laplacian, counts in steps of √2, since copies of one picture differ by less. It was
    measured at a short side of 256 px or, where a picture is smaller, at its own, where the same edges are steeper:
    enlarged to 256 px, second derivatives shrink by the square of the scale, their variance by its fourth power.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from mhmd.measures import MEASURED_SHORT_SIDE_PX

    width, height = (frames[name].to_numpy().astype(np.int64) for name in ("width", "height"))
    scale = np.minimum(1, np.minimum(width, height) / MEASURED_SHORT_SIDE_PX)
    sharpness = np.maximum(frames["sharpness"].to_numpy() * scale**4, 1e-9)
    keys = {
        "sharpness": pa.array(np.rint(SHARPNESS_STEPS * np.log2(sharpness)).astype(np.int64)),
        "pixels": pa.array(width * height),
        "colour": frames["colorfulness"],
        "frame_id": frames["frame_id"],
    }
    orders = [(name, "ascending" if name == "frame_id" else "descending") for name in keys]
    rows: Places = pc.sort_indices(pa.table(keys), sort_keys=orders).to_numpy().astype(np.int64)
    return rows


def verdicts(
    frames: pa.Table,
    radius: int,
    within: Within = "corpus",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> pa.Table:
    """The verdict on each row of `frames` (`COLUMNS`), in the same order. No film's rows are between another's."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from mhmd.duplicates.alike import choose
    from mhmd.measures.signature import signatures_of
    from mhmd.storage import schema_of

    total = frames.num_rows
    duplicate_of, distance = np.full(total, -1, np.int64), np.zeros(total, np.int32)
    told_by = np.zeros(total, np.int8)
    hashes = pc.fill_null(frames["phash"].cast(pa.uint64()), 0).to_numpy()
    signatures = signatures_of(frames["signature"])
    shots = frames["shot"].to_numpy() if within == "shot" else np.zeros(total, np.int32)
    order = ranked(frames)
    order = order[frames["phash"].is_valid().to_numpy()[order]]
    done = 0
    for rows in [order] if within == "corpus" else _by_film(frames["film_id"], order):
        choice = choose(hashes[rows], signatures[rows], shots[rows], radius, partial(_from, progress, done, len(order)))
        dropped = choice.duplicate_of >= 0
        duplicate_of[rows[dropped]] = rows[choice.duplicate_of[dropped]]
        distance[rows], told_by[rows] = choice.distance, choice.told_by
        done += len(rows)
    kept = duplicate_of < 0
    rules = pc.take(pa.array(TOLD_BY, pa.string()), pa.array(told_by))
    columns = {
        "film_id": frames["film_id"],
        "frame_id": frames["frame_id"],
        "kept": pa.array(kept),
        "duplicate_of": pc.take(frames["frame_id"], pa.array(duplicate_of, mask=kept)),
        "distance": pa.array(distance, mask=kept),
        "rule": pc.if_else(pa.array(kept), rules, pa.scalar(DUPLICATE)),
    }
    return pa.table(columns).cast(schema_of(Verdict))


def _from(progress: Callable[[int, int], None], done: int, total: int, here: int, _: int) -> None:
    progress(done + here, total)


def overlaps(table: pa.Table) -> pa.Table:
    """How many frames each two films share, of the verdicts on all: rows of Overlap, ordered by both films.

    A kept frame and its duplicates are a group; of a group that has frames of both films all these count.
    """
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    from mhmd.storage import schema_of

    names = pc.unique(table["film_id"]).sort()
    films = max(1, len(names))
    film = pc.index_in(table["film_id"], names).to_numpy().astype(np.int64)
    duplicates = np.flatnonzero(table["duplicate_of"].is_valid().to_numpy())
    keeps = (
        pc.index_in(table["duplicate_of"].drop_null(), table["frame_id"].combine_chunks()).to_numpy().astype(np.int64)
    )
    across = np.isin(keeps, keeps[film[keeps] != film[duplicates]])
    keeps, duplicates = keeps[across], duplicates[across]
    groups = np.concatenate([keeps, np.unique(keeps)])
    codes = groups * films + film[np.concatenate([duplicates, np.unique(keeps)])]
    codes, frames = np.unique(codes, return_counts=True)
    shared: pd.Series[int] = pd.Series(dtype=np.int64)
    for pairs in _pairs_of_films(codes // films, codes % films, frames, films):
        shared = pd.concat([shared, pairs]).groupby(level=0).sum()
    found = shared.index.to_numpy().astype(np.int64)
    columns = {
        "film_id": pc.take(names, pa.array(found // films)),
        "other_film_id": pc.take(names, pa.array(found % films)),
        "frames": pa.array(shared.to_numpy().astype(np.int64)),
    }
    return pa.table(columns).cast(schema_of(Overlap))


def _pairs_of_films(group: Places, film: Places, frames: Places, films: int) -> Iterator[pd.Series[int]]:
    """Frames of each two films (index: first × films + second) in a part of the groups, given by group, then film."""
    import numpy as np
    import pandas as pd

    codes: list[Places] = []
    counts: list[Places] = []
    held, ahead, at = 0, 1, np.arange(len(group))
    while len(at):
        at = at[at + ahead < len(group)]
        at = at[group[at] == group[at + ahead]]
        codes.append(film[at] * films + film[at + ahead])
        counts.append(frames[at] + frames[at + ahead])
        held += len(at)
        ahead += 1
        if held > COMBINATIONS or not len(at):
            yield pd.Series(np.concatenate(counts), np.concatenate(codes)).groupby(level=0).sum().astype(np.int64)
            codes, counts, held = [], [], 0


def _by_film(film_ids: pa.ChunkedArray, rows: Places) -> list[Places]:
    """These rows film by film, each film's in the order in which they are given."""
    import numpy as np

    codes = film_ids.combine_chunks().dictionary_encode().indices.to_numpy()[rows]
    order = np.argsort(codes, kind="stable")
    return [part for part in np.split(rows[order], np.flatnonzero(np.diff(codes[order])) + 1) if len(part)]


def run(inputs: Inputs, config: DedupConfig, sink: Sink) -> None:
    """Compare all frames that passed screening, of all films."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    frames = inputs.rows(Frame, columns=COLUMNS)
    passing = inputs.rows(Screening).filter(pc.field("rejected_by").is_null())["frame_id"]
    frames = frames.filter(pc.is_in(frames["frame_id"], passing.combine_chunks()))
    table = verdicts(frames, config.radius, config.within, sink.progress)
    shared = overlaps(table)
    for record, rows in ((Overlap, shared), (Verdict, table)):
        films = pc.index_in(rows["film_id"], pa.array(inputs.films, pa.string())).to_numpy()
        bounds = np.searchsorted(films, np.arange(len(inputs.films) + 1))  # rows are ordered by film
        for film, low, high in zip(inputs.films, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            sink.rows(record, rows.slice(low, high - low), film)


STAGE = Stage(
    name="dedup",
    version=2,
    config=DedupConfig,
    scope="corpus",
    reads=(Frame, Screening),
    writes=(Overlap, Verdict),
    run=run,
)

"""dedup: Find frames that show the same picture, in one film or across films, and keep the best."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from mhmd.config import Config
from mhmd.records import Frame, Screening, Verdict
from mhmd.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from mhmd.inputs import Inputs
    from mhmd.sink import Sink


class DedupConfig(Config):
    """Knobs of `dedup`."""

    radius: int = Field(
        6, ge=0, le=12, description="Largest Hamming distance of two phashes of the same picture (bits)"
    )


def choose(first: NDArray[np.int64], second: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each frame the frame it is a duplicate of, or -1 when it is kept.

    `first` and `second` are the two ends of each pair of like frames, `rank` each frame's place by quality, 0 = best.
    Greedy from the best on: a frame that no better kept frame is like is kept, so every dropped frame is like one
    that is kept, and chains of likeness swallow nothing.
    """
    import numpy as np

    better = np.where(rank[first] < rank[second], first, second)
    worse = first + second - better
    order = np.lexsort((rank[better], rank[worse]))
    duplicate_of = np.full(len(rank), -1, dtype=np.int64)
    for keep, drop in zip(better[order].tolist(), worse[order].tolist(), strict=True):
        if duplicate_of[keep] < 0 and duplicate_of[drop] < 0:
            duplicate_of[drop] = keep
    return duplicate_of


def verdicts(
    frames: pa.Table, radius: int, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> pa.Table:
    """The verdict on each row of `frames` (film_id, frame_id, phash, sharpness), in the same order."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from mhmd.hashing import pairs_within
    from mhmd.storage import schema_of

    hashed = np.flatnonzero(frames["phash"].is_valid().to_numpy())
    first, second, distance = pairs_within(frames["phash"].drop_null().to_numpy().astype(np.uint64), radius, progress)
    quality = pa.table({"sharpness": frames["sharpness"], "frame_id": frames["frame_id"]})
    order = pc.sort_indices(quality, sort_keys=[("sharpness", "descending"), ("frame_id", "ascending")]).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    first, second = hashed[first], hashed[second]
    duplicate_of = choose(first, second, rank)
    far = np.zeros(frames.num_rows, dtype=np.int32)
    for one, other in ((first, second), (second, first)):
        chosen = duplicate_of[one] == other
        far[one[chosen]] = distance[chosen]
    kept = pa.array(duplicate_of < 0)
    columns = {
        "film_id": frames["film_id"],
        "frame_id": frames["frame_id"],
        "kept": kept,
        "duplicate_of": pc.take(frames["frame_id"], pa.array(duplicate_of, mask=duplicate_of < 0)),
        "distance": pa.array(far, mask=duplicate_of < 0),
        "rule": pc.if_else(kept, pa.scalar(None, pa.string()), pa.scalar("phash")),
    }
    return pa.table(columns).cast(schema_of(Verdict))


def run(inputs: Inputs, config: DedupConfig, sink: Sink) -> None:
    """Compare all frames that passed screening, of all films."""
    import pyarrow.compute as pc

    frames = inputs.rows(Frame, columns=("film_id", "frame_id", "phash", "sharpness"))
    passing = inputs.rows(Screening).filter(pc.field("rejected_by").is_null())["frame_id"]
    frames = frames.filter(pc.is_in(frames["frame_id"], passing.combine_chunks()))
    table = verdicts(frames, config.radius, sink.progress)
    for film in inputs.films:
        sink.rows(Verdict, table.filter(pc.equal(table["film_id"], film)), film)


STAGE = Stage(
    name="dedup",
    version=1,
    config=DedupConfig,
    scope="corpus",
    reads=(Frame, Screening),
    writes=(Verdict,),
    run=run,
)

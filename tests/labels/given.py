"""Frames of a film, rows of a labels manifest for it, and the labels that come of them."""

from __future__ import annotations

import pyarrow as pa

from mhmd.entries import LabelEntry
from mhmd.records import Label
from mhmd.stages.label import label_frames
from mhmd.storage import schema_of, table_of
from mhmd.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
CHINA = {"era": "During WWII", "nationality": "China"}


def frames(*times_s: float) -> pa.Table:
    ids = [f"a_{round(time * 1000):010}" for time in times_s]
    return pa.table(
        {
            "film_id": pa.array(["a"] * len(ids), pa.string()),
            "frame_id": pa.array(ids, pa.string()),
            "shot": pa.array([int(time) // 2 for time in times_s], pa.int32()),
            "time_s": pa.array(times_s, pa.float64()),
        }
    )


def entry(**values: object) -> LabelEntry:
    return LabelEntry(film_id="a", **values)  # type: ignore[arg-type]


def labelled(table: pa.Table, *entries: LabelEntry) -> list[dict[str, object]]:
    result = label_frames(table, table_of(LabelEntry, entries), TAXONOMY)
    assert result.schema == schema_of(Label)
    return result.to_pylist()

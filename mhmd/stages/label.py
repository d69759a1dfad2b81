"""label: Give every frame its era, nationality and garment, from the rows of the labels manifest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mhmd.config import Config
from mhmd.entries import LabelEntry, LabelName
from mhmd.errors import MissingInput, UnitError
from mhmd.inputs import Inputs
from mhmd.labels.films import contradictions
from mhmd.labels.join import SOURCES, join
from mhmd.labels.rows import Extent
from mhmd.manifest.problems import Problem, refuse
from mhmd.records import Film, Frame, Label, Shot
from mhmd.sink import Sink
from mhmd.stage import Stage
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class LabelConfig(Config):
    """The manifest and the taxonomy say everything; there is nothing to set."""


def label_frames(
    frames: pa.Table, entries: pa.Table, taxonomy: Taxonomy, extent: Extent | None = None, manifest: str = "labels"
) -> pa.Table:
    """Rows of `Label` for the frames of one film (columns film_id, frame_id, shot, time_s), in their order.

    `entries` are the film's rows of the labels manifest, which errors call `manifest`. Ranges are half-open, `[start_s,
    end_s)`. Each attribute comes from the most precise row that gives it: one of the frame, else of a shot or range,
    else of the film. `source` is the most precise row that gave one, `confidence` the lowest of the rows that did. A
    frame that lacks an attribute keeps those it has, with label_id -1.

    Raises ManifestError when rows of the same precision differ on an attribute of a frame, when no label has the three
    names that a frame gets, when a row names a frame that is not there, or what is beyond the extent.
    """
    import numpy as np
    import pyarrow as pa

    from mhmd.storage import schema_of

    joined = join(frames, entries, taxonomy, extent)
    refuse({manifest: joined.problems})
    columns: dict[str, Any] = {name: frames[name] for name in ("film_id", "frame_id")}  # Any: arrays of any type
    columns["label_id"] = pa.array(joined.label_id, pa.int32())
    for attribute, index in zip(ATTRIBUTES, joined.names, strict=True):
        columns[attribute] = _named(index, taxonomy.names(attribute))
    columns["source"] = _named(joined.level, SOURCES)
    columns["confidence"] = pa.array(joined.confidence, mask=np.isnan(joined.confidence))
    schema = schema_of(Label)
    return pa.table(columns).select(schema.names).cast(schema)


def check(inputs: Inputs) -> dict[str, list[Problem]]:
    """All that is wrong with rows of the labels manifest beside each other and the films.

    Rows that are wrong in themselves are not told again, and nothing is concluded from them.
    """
    taxonomy = Taxonomy.of(inputs.rows(LabelName))
    found = contradictions(inputs.checked(LabelEntry), taxonomy, inputs.known_films(), partial(_beside, inputs))
    return {inputs.place(LabelEntry): found}


def _beside(inputs: Inputs, film_id: str, rows: pa.Table) -> tuple[pa.Table, Extent] | None:
    """The frames and the extent of a film that is to be labelled.

    None for other films, and for one whose tables cannot be read: its own unit says so.
    """
    if film_id not in inputs.films:
        return None
    single = ("frame_id",) if rows["frame_id"].null_count < len(rows) else ()
    try:
        return inputs.rows(Frame, film_id, ("shot", "time_s", *single)), _extent(inputs, film_id)
    except (UnitError, MissingInput):
        return None


def _named(index: NDArray[np.int64], names: Sequence[str]) -> pa.Array:
    """The name of each index, null for -1."""
    import pyarrow as pa

    return pa.array(names, pa.string()).take(pa.array(index, mask=index < 0))


def _extent(inputs: Inputs, film_id: str) -> Extent:
    duration_s = inputs.rows(Film, film_id, ("duration_s",))["duration_s"][0].as_py()
    shots = inputs.rows(Shot, film_id, ("shot", "start_s", "end_s")).sort_by("shot")
    bounds = zip(shots["start_s"].to_pylist(), shots["end_s"].to_pylist(), strict=True)
    return Extent(duration_s, len(shots), tuple(bounds))


def run(inputs: Inputs, config: LabelConfig, sink: Sink) -> None:  # noqa: ARG001  # it has no knobs
    """Label the frames of one film."""
    frames = inputs.rows(Frame, columns=("film_id", "frame_id", "shot", "time_s"))
    entries = inputs.rows(LabelEntry)
    taxonomy = Taxonomy.of(inputs.rows(LabelName))
    labels = label_frames(frames, entries, taxonomy, _extent(inputs, inputs.unit), inputs.place(LabelEntry))
    sink.rows(Label, labels)
    sink.progress(len(frames), len(frames))


STAGE = Stage(
    name="label",
    version=3,
    config=LabelConfig,
    scope="film",
    reads=(Frame, Film, Shot, LabelEntry, LabelName),
    writes=(Label,),
    run=run,
    check=check,
)

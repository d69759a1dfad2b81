"""From the workspace's tables to the samples of a dataset, on columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry, SplitEntry
from mhmd.errors import MissingInput
from mhmd.records import Frame, Label, Mask, Record, SampleInfo, Screening, Verdict, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.inputs import Inputs
    from mhmd.taxonomy import Taxonomy

READS: tuple[type[Record], ...] = (Frame, Screening, Verdict, Label, Mask, FilmEntry, SplitEntry)
"""What samples are assembled from."""

SOURCES = ("image_ref", "mask_ref", "top", "bottom", "as_stored")
"""Columns beside those of `SampleInfo`: where a sample's bytes lie, which rows [top, bottom) of the stored picture it
shows, and whether that is the stored picture, byte for byte."""

JSON_BYTES = 1024
"""A sample's JSON takes one block of the tar or two."""


@dataclass(frozen=True)
class Assembled:
    """The samples in order of the key (columns of `SampleInfo` and `SOURCES`), and how many were left out for what."""

    rows: pa.Table
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Wanted:
    """Which samples, and how they look; as the knobs of `shard` say."""

    min_person_share: float = 0.0
    unlabelled: bool = True
    size: int = 0
    crop_subtitles: bool = False


def assemble(inputs: Inputs, taxonomy: Taxonomy, wanted: Wanted) -> Assembled:
    """Join kept frames with labels, masks and splits.

    Raises MissingInput when a table does not cover the frames, when masks are of several parsers, or when a title
    has no split.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = _kept(inputs)
    rows = _joined(rows, inputs, Label, ("label_id", "era", "nationality", "garment"))
    left_out: dict[str, int] = {}
    rows = _with_masks(rows, inputs, left_out)
    for attribute in ("era", "nationality", "garment"):
        named = pc.fill_null(rows[attribute], "")
        ids = pc.index_in(named, value_set=pa.array(taxonomy.names(attribute), pa.string()))
        rows = rows.set_column(rows.column_names.index(attribute), attribute, named)
        rows = rows.append_column(f"{attribute}_id", pc.fill_null(ids, -1))
    rows = _with_splits(rows, inputs, left_out)
    rows = rows.append_column("key", rows["frame_id"])
    rows = shaped(rows, wanted)
    if wanted.min_person_share > 0:
        rows = _left(rows, pc.greater_equal(rows["person_share"], wanted.min_person_share), "few persons", left_out)
    if not wanted.unlabelled:
        rows = _left(rows, pc.greater_equal(rows["label_id"], 0), "no label", left_out)
    rows = rows.select([*(column.name for column in columns_of(SampleInfo)), *SOURCES])
    return Assembled(rows.take(pc.sort_indices(rows["key"])), left_out)


def shaped(rows: pa.Table, wanted: Wanted) -> pa.Table:
    """The rows with `SOURCES`, and with the size and crop that samples have when they are cut and scaled as wanted.

    Subtitles are cut off with all between them and the nearer edge. Nothing is enlarged.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    width, height, crop_y, crop_h = (rows[of].to_numpy().copy() for of in ("width", "height", "crop_y", "crop_h"))
    top, bottom = np.zeros_like(height), height.copy()
    if wanted.crop_subtitles:
        band = rows["subtitle_band"].combine_chunks()
        there = np.flatnonzero(band.is_valid().to_numpy(zero_copy_only=False))
        first, last = (pc.list_element(band.drop_null(), end).to_numpy() for end in (0, 1))
        above = first > height[there] - last
        top[there], bottom[there] = np.where(above, 0, last), np.where(above, first, height[there])
        scale = crop_h / height
        cut_top, cut_bottom = np.rint(top * scale).astype(np.int32), np.rint(bottom * scale).astype(np.int32)
        crop_y, crop_h = crop_y + cut_top, cut_bottom - cut_top
    as_stored = (top == 0) & (bottom == height)
    height = bottom - top
    if wanted.size:
        less = np.minimum(1.0, wanted.size / np.minimum(width, height))
        as_stored &= less == 1
        width, height = (np.maximum(1, np.rint(side * less)).astype(np.int32) for side in (width, height))
    values = {"width": width, "height": height, "crop_y": crop_y, "crop_h": crop_h}
    for name, column in values.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(column, pa.int32()))
    for name, kept in {"top": top, "bottom": bottom, "as_stored": as_stored}.items():
        rows = rows.append_column(name, pa.array(kept))
    return rows.drop_columns("subtitle_band")


def _left(rows: pa.Table, stays: pa.ChunkedArray, reason: str, left_out: dict[str, int]) -> pa.Table:
    remaining = rows.filter(stays)
    left_out[reason] = rows.num_rows - remaining.num_rows
    return remaining


def mixed(keys: Sequence[str], seed: int) -> list[int]:
    """Positions of the keys in an order drawn from the seed and each key alone."""
    drawn = [hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys]
    return sorted(range(len(keys)), key=drawn.__getitem__)


def tar_bytes(rows: pa.Table) -> list[int]:
    """How many bytes each sample takes in a tar at most."""
    from mhmd.tar import BLOCK_BYTES

    totals = [JSON_BYTES + 3 * BLOCK_BYTES] * rows.num_rows
    for column in ("image_ref", "mask_ref"):
        sizes = [int(ref[ref.rindex(":") + 1 :]) for ref in rows[column].to_pylist()]
        totals = [total + size + -size % BLOCK_BYTES for total, size in zip(totals, sizes, strict=True)]
    return totals


def cut(sizes: Sequence[int], limit: int, most: int = 0) -> list[range]:
    """Consecutive ranges of positions, of much the same size, as few as can be.

    Their sizes sum to at most `limit`, but for one that is larger by itself, and each has at most `most` positions
    (0 = any number). Even shards keep all readers busy, where a rest of a few samples would not.
    """
    import numpy as np

    if not sizes:
        return []
    each = np.asarray(sizes, np.int64)
    ends = np.cumsum(each)
    total = int(ends[-1])
    parts = max(1, -(-total // limit), -(-len(sizes) // most) if most else 1)
    while True:
        part = (2 * ends - each) * parts // (2 * total)  # by where its middle lies
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        stops = np.append(starts[1:], len(each))
        held, count = np.add.reduceat(each, starts), stops - starts
        if not np.any((count > 1) & ((held > limit) | (count > (most or len(each))))):
            return [range(start, stop) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        parts += 1 + parts // 64


def _kept(inputs: Inputs) -> pa.Table:
    """The frames that dedup kept, with the title's film still to be found."""
    import pyarrow.compute as pc

    screenings = inputs.rows(Screening, columns=("frame_id", "rejected_by"))
    passing = screenings.filter(pc.is_null(screenings["rejected_by"]))["frame_id"]
    verdicts = inputs.rows(Verdict, columns=("frame_id", "kept"))
    judged = pc.is_in(passing, value_set=verdicts["frame_id"].combine_chunks())
    if len(passing) != verdicts.num_rows or not pc.all(judged, min_count=0).as_py():
        raise _older(Verdict, "are not of the frames that pass screening now")
    geometry = ("width", "height", "crop_x", "crop_y", "crop_w", "crop_h")
    columns = ("film_id", "frame_id", "shot", "time_s", *geometry, "subtitle_band", "ref")
    frames = inputs.rows(Frame, columns=columns)
    kept = verdicts.filter(verdicts["kept"])["frame_id"]
    frames = frames.filter(pc.is_in(frames["frame_id"], value_set=kept.combine_chunks()))
    return frames.rename_columns({"ref": "image_ref"})


def _joined(rows: pa.Table, inputs: Inputs, record: type[Record], columns: Sequence[str]) -> pa.Table:
    """The rows with columns of another table, by frame. Raises MissingInput when it does not cover them."""
    import pyarrow.compute as pc

    stored = {"mask_ref": "ref"}
    other = inputs.rows(record, columns=("frame_id", *(stored.get(name, name) for name in columns)))
    place = pc.index_in(rows["frame_id"], value_set=other["frame_id"].combine_chunks())
    if place.null_count:
        raise _older(record, "do not cover all kept frames")
    for name in columns:
        rows = rows.append_column(name, other[stored.get(name, name)].combine_chunks().take(place.combine_chunks()))
    return rows


def _with_masks(rows: pa.Table, inputs: Inputs, left_out: dict[str, int]) -> pa.Table:
    """The rows with their masks. Frames without one are left out: they are damaged, and `parse` said so."""
    import pyarrow.compute as pc

    masked = inputs.rows(Mask, columns=("frame_id",))["frame_id"].combine_chunks()
    rows = _left(rows, pc.is_in(rows["frame_id"], value_set=masked), "no mask", left_out)
    rows = _joined(rows, inputs, Mask, ("mask_ref", "parser", "person_share", "clothes_share"))
    parsers = sorted(rows["parser"].unique().to_pylist())
    if len(parsers) > 1:
        raise _older(Mask, f"are of several parsers: {', '.join(parsers)}")
    return rows


def _with_splits(rows: pa.Table, inputs: Inputs, left_out: dict[str, int]) -> pa.Table:
    """The rows with title and split, without frames of val and test that a film of another split repeats.

    Raises MissingInput when a title has no split.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from mhmd.splits.blocks import copies

    films = inputs.rows(FilmEntry, columns=("film_id", "title"))
    titles = dict(zip(films["film_id"].to_pylist(), films["title"].to_pylist(), strict=True))
    dealt = inputs.rows(SplitEntry, columns=("title", "split"))
    split_of = dict(zip(dealt["title"].to_pylist(), dealt["split"].to_pylist(), strict=True))
    lost = sorted({titles[film] for film in inputs.films} - split_of.keys())
    if lost:
        raise MissingInput(
            f"no split for {', '.join(lost)}", wanted="one for every title", do="run `mhmd split` to extend the splits"
        )
    splits = {film: split_of[titles[film]] for film in inputs.films}
    copied = copies(inputs.rows(Verdict, columns=("film_id", "duplicate_of")), splits)
    rows = _left(
        rows,
        pc.invert(pc.is_in(rows["frame_id"], value_set=copied.cast("string"))),
        "a copy in another split",
        left_out,
    )
    place = pc.index_in(rows["film_id"], value_set=pa.array(inputs.films, pa.string())).combine_chunks()
    named = {"title": [titles[film] for film in inputs.films], "split": list(splits.values())}
    for name, values in named.items():
        rows = rows.append_column(name, pa.array(values, pa.string()).take(place))
    return rows


def _older(record: type[Record], how: str) -> MissingInput:
    return MissingInput(
        f"the {record.TABLE} {how}", wanted=f"{record.TABLE} made from them", do=f"run `mhmd {record.STAGE}` again"
    )

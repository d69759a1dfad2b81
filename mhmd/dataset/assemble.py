"""From the workspace's tables to the samples of a dataset, on columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry, SplitEntry
from mhmd.errors import ManifestError, MissingInput
from mhmd.records import Frame, Label, Mask, Record, SampleInfo, Screening, Verdict, columns_of
from mhmd.sample import MASK

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.inputs import Inputs
    from mhmd.taxonomy import Taxonomy

READS: tuple[type[Record], ...] = (Frame, Screening, Verdict, Label, Mask, FilmEntry, SplitEntry)
"""What samples are assembled from."""

SOURCES = ("image_ref", "mask_ref", "top", "bottom", "as_stored")
"""Columns beside those of `SampleInfo`: where a sample's bytes lie, which rows [top, bottom) of the stored picture it
shows, and whether that is the stored picture, byte for byte."""

SEPARATOR = "\x1f"
"""Between the names of classes, where lists of them are compared."""


@dataclass(frozen=True)
class Assembled:
    """The samples in order of the key (columns of `SampleInfo` and `SOURCES`), how many were left out for what, and
    the classes of their masks.
    """

    rows: pa.Table
    left_out: Mapping[str, int]
    mask_classes: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """Which samples, and how they look; as the knobs of `shard` say."""

    min_person_share: float = 0.0
    unlabelled: bool = True
    size: int = 0
    crop_subtitles: bool = False


def assemble(inputs: Inputs, taxonomy: Taxonomy, wanted: Wanted) -> Assembled:
    """Join kept frames with labels, masks and splits.

    Raises MissingInput when a table does not cover the frames, when masks are of several parsers or classes, when a
    title has no split, or when nothing is left; ManifestError when a key is too long for a tar's header.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = _kept(inputs)
    _check_keys(rows)
    kept = rows.num_rows
    rows = _joined(rows, inputs, Label, ("label_id", "era", "nationality", "garment"))
    left_out: dict[str, int] = {}
    rows = _with_masks(rows, inputs, left_out)
    classes = _mask_classes(rows, inputs)
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
    if not rows.num_rows:
        raise _nothing(kept, left_out)
    rows = rows.select([*(column.name for column in columns_of(SampleInfo)), *SOURCES])
    return Assembled(rows.take(pc.sort_indices(rows["key"])), left_out, classes)


def _check_keys(rows: pa.Table) -> None:
    """Raises ManifestError when a member's name would not fit a plain header: wids reads no others."""
    import pyarrow.compute as pc

    from mhmd.tar import NAME_BYTES

    most = NAME_BYTES - len(f".{MASK}")
    long = rows.filter(pc.greater(pc.binary_length(rows["frame_id"]), most))["film_id"]
    if len(long):
        raise ManifestError(
            f"keys of film {long[0].as_py()} have more than {most} bytes, so that not all loaders can read their names",
            wanted="a shorter film_id",
            do="rename it in the manifests, and extract it again",
        )


def _nothing(kept: int, left_out: Mapping[str, int]) -> MissingInput:
    reasons = "; ".join(f"{count} with {reason}" for reason, count in left_out.items() if count)
    return MissingInput(
        f"no sample is left: of {kept} kept frames {reasons} stayed out" if kept else "no sample: dedup kept no frame",
        wanted="one sample at least",
        do="loosen what left them out: the knobs of `mhmd shard`, or labels, masks, rules of `mhmd screen`",
    )


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


def _mask_classes(rows: pa.Table, inputs: Inputs) -> tuple[str, ...]:
    """The classes of the samples' masks. Raises MissingInput when they are not the same for all."""
    import pyarrow.compute as pc

    found: dict[tuple[str, ...], str] = {}
    for film in sorted(rows["film_id"].unique().to_pylist()):  # one at a time: names are many times a row's bytes
        named = inputs.rows(Mask, film_id=film, columns=("classes",))["classes"].combine_chunks()
        for one in pc.binary_join(named, SEPARATOR).unique().to_pylist():
            found.setdefault(tuple(one.split(SEPARATOR)), film)
    if len(found) > 1:
        told = [f"{len(classes)} ({', '.join(classes)}) in {film}" for classes, film in list(found.items())[:2]]
        raise _older(Mask, f"of one parser have other classes: {'; '.join(told)}")
    return next(iter(found), ())


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

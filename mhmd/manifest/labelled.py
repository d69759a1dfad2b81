"""The labels manifest: its rows checked one by one, against the taxonomy and against themselves."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.entries import LabelEntry
from mhmd.manifest.problems import ROW, Checked, Problem, flag, mask
from mhmd.manifest.tabular import read_rows
from mhmd.records import columns_of
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = ("film_id", "start_s", "end_s", "shot", "frame_id")
"""The columns that say where a row holds."""

NOTES = ("confidence", "annotator", "note")
"""The columns that say how sure a row is, and what else there is to it."""

FRAME_NUMBER = "_-?[0-9]{10,}$"
"""What a frame's name has after its film's."""


def read_labels(path: str | Path, taxonomy: pa.Table) -> pa.Table:
    """The rows of `check_labels`. Raises ManifestError naming every row that is wrong in itself."""
    return check_labels(path, taxonomy).whole()


def check_labels(path: str | Path, taxonomy: pa.Table, *, unfilled: bool = False) -> Checked:
    """The labels manifest: the columns of `LabelEntry`, then its own, and `ROW`. `taxonomy` is of `read_taxonomy`.

    Names are in the taxonomy's own spelling. Rows that give no attribute are left out: they are those of a template
    that nobody filled; with `unfilled` they are there. The problems are those of rows in themselves; rows that
    contradict each other are found where films get their labels. Raises ManifestError when it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    checked = read_rows(path, LabelEntry, loose=ATTRIBUTES, one_of=ATTRIBUTES)
    table, known = checked.table, Taxonomy.of(taxonomy)
    given = mask(pc.or_(pc.or_(*(table[name].is_valid() for name in ATTRIBUTES[:2])), table[ATTRIBUTES[2]].is_valid()))
    misplaced = {problem.row for problem in checked.problems if not problem.row or problem.column in PLACE}
    for attribute in ATTRIBUTES:
        table, found = _spelled(table, attribute, known)
        checked = checked.also(found)
    damaged = pa.array({problem.row for problem in checked.problems}, pa.int64())
    confidence = table["confidence"]
    unsure = mask(pc.or_(pc.less(confidence, 0), pc.greater(confidence, 1)))
    checked = checked.also(flag(table, "confidence", unsure, lambda v: f"{v:g} is not between 0 and 1"))
    rows = table.filter(given)
    if 0 not in misplaced:  # else columns are not what they seem
        checked = checked.also(each for each in _place_problems(table) if each.row not in misplaced)
        checked = checked.also(_same_rows(rows.filter(pc.invert(pc.is_in(rows[ROW], damaged)))))
        checked = checked.also(_fit_problems(rows, known))
    return replace(checked, table=table if unfilled else rows)


def _spelled(table: pa.Table, attribute: str, taxonomy: Taxonomy) -> tuple[pa.Table, list[Problem]]:
    """The table with a column of names in the taxonomy's spelling, and the names that it does not know."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = pc.dictionary_encode(table[attribute].combine_chunks())
    given = coded.dictionary.to_pylist()
    own = [taxonomy.canonical(attribute, name) for name in given]
    values = pc.take(pa.array(own, pa.string()), coded.indices)
    unknown = mask(pc.and_(table[attribute].is_valid(), values.is_null()))
    problems = flag(table, attribute, unknown, partial(_say_unknown, taxonomy, attribute))
    return table.set_column(table.column_names.index(attribute), attribute, values), problems


def _place_problems(labels: pa.Table) -> list[Problem]:
    """What is wrong with where rows of the labels manifest hold: a film, a shot or range, or a frame."""
    import pyarrow.compute as pc

    start, end, shot, frame_id = (labels[name] for name in ("start_s", "end_s", "shot", "frame_id"))
    ranged, single = start.is_valid(), frame_id.is_valid()
    own = pc.equal(pc.replace_substring_regex(frame_id, FRAME_NUMBER, ""), labels["film_id"])
    return [
        *flag(labels, "end_s", mask(pc.and_(ranged, end.is_null())), lambda _: "is empty beside a start_s"),
        *flag(labels, "start_s", mask(pc.and_(start.is_null(), end.is_valid())), lambda _: "is empty beside an end_s"),
        *flag(labels, "start_s", mask(pc.less(start, 0)), lambda v: f"{v:g} is below 0"),
        *flag(labels, "end_s", mask(pc.greater_equal(start, end)), lambda v: f"{v:g} is not after start_s"),
        *flag(labels, "shot", mask(pc.less(shot, 0)), lambda v: f"{v} is below 0"),
        *flag(labels, "frame_id", mask(pc.and_(single, ranged)), lambda v: f"{v!r} stands beside a range"),
        *flag(labels, "frame_id", mask(pc.and_(single, shot.is_valid())), lambda v: f"{v!r} stands beside a shot"),
        *flag(labels, "frame_id", mask(pc.invert(own)), lambda v: f"{v!r} is no frame of this row's film"),
    ]


def _fit_problems(labels: pa.Table, taxonomy: Taxonomy) -> list[Problem]:
    """Rows whose attributes no label has together; one that is not given, or not known, may be any."""
    trios = labels.group_by(list(ATTRIBUTES)).aggregate([]).to_pylist()
    every = [tuple(row[name] for name in ATTRIBUTES) for row in trios]
    unfit = {trio: taxonomy.no_label(*trio) for trio in every if not taxonomy.fits(*trio)}
    if not unfit:
        return []
    names = zip(*(labels[name].to_pylist() for name in ATTRIBUTES), strict=True)
    return [
        Problem(row, "garment" if trio[-1] else "nationality", unfit[trio])
        for row, trio in zip(labels[ROW].to_pylist(), names, strict=True)
        if trio in unfit
    ]


def _same_rows(labels: pa.Table) -> list[Problem]:
    """Rows that say again what a row above says, in every column of the record."""
    import numpy as np
    import pyarrow as pa

    names = [column.name for column in columns_of(LabelEntry)]
    numbered = labels.select(names).append_column("place", pa.array(np.arange(len(labels))))
    first = numbered.group_by(names).aggregate([("place", "min")])["place_min"].to_numpy()
    repeated = np.ones(len(labels), bool)
    repeated[first] = False
    return flag(labels, "film_id", repeated, lambda v: f"{v!r} and all else stands in a row above, too")


def _say_unknown(taxonomy: Taxonomy, attribute: str, name: str) -> str:
    near = taxonomy.nearest(attribute, name)
    return f"{name!r} is not in the taxonomy" + (f", did you mean {near!r}?" if near else "")

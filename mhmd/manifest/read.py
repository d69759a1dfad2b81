"""The tables that people write: films, labels, splits and taxonomies, read and checked as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.entries import FilmEntry, LabelEntry, LabelName, SplitEntry
from mhmd.errors import ManifestError
from mhmd.manifest.delimited import encode_delimited
from mhmd.manifest.tabular import ROW, Problem, flag, further, mask, read_rows, refuse
from mhmd.records import columns_of
from mhmd.splits import SPLITS, plain
from mhmd.taxonomy import ATTRIBUTES, Taxonomy, folded

if TYPE_CHECKING:
    import pyarrow as pa

MATRICES = ("bt601", "bt709", "bt2020")
YEARS = (1870, 2100)
FRAME_NUMBER = "_-?[0-9]{10,}$"
"""What a frame's name has after its film's."""


def read_films(path: str | Path) -> pa.Table:
    """The films manifest: the columns of `FilmEntry`, then its own; `path` is absolute, `sha256` in small letters.

    Raises ManifestError naming every row that is wrong; whether a film exists is found when it is opened.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    table, problems = read_rows(path, FilmEntry)
    if not table.num_rows:
        raise ManifestError(f"{path} has no rows", wanted="a row a film", do="add film_id, title and path of each film")
    malformed = ~mask(pc.match_substring_regex(table["film_id"], "^[a-z0-9_-]+$"))
    hashed = pc.utf8_lower(table["sha256"])
    old, new = YEARS
    found = [
        *flag(table, "film_id", malformed, lambda v: f"{v!r} is not of [a-z0-9_-]"),
        *_repeats(table, "film_id"),
        *_unknown(table, "split", SPLITS),
        *_unknown(table, "color_matrix", MATRICES),
        *flag(table, "path", mask(_escapes(table["path"])), lambda v: f"{v!r} leads out of the manifest's folder"),
        *flag(table, "sha256", mask(pc.invert(_is_sha256(hashed))), lambda v: f"{v!r} is not 64 digits 0-9a-f"),
        *flag(
            table,
            "year",
            mask(pc.or_(pc.less(table["year"], old), pc.greater(table["year"], new))),
            lambda v: f"{v} is not between {old} and {new}",
        ),
        *_respelt(table, "title"),
    ]
    refuse(path, further(problems, found))
    home = Path(path).absolute().parent
    paths = [given if "://" in given else str(home / given) for given in table["path"].to_pylist()]
    for name, values in (("path", pa.array(paths, pa.string())), ("sha256", hashed)):
        table = table.set_column(table.column_names.index(name), name, values)
    return table.drop_columns([ROW])


def read_labels(path: str | Path, taxonomy: pa.Table, *, unfilled: bool = False) -> pa.Table:
    """The labels manifest: the columns of `LabelEntry`, then its own, and `ROW`. `taxonomy` is of `read_taxonomy`.

    Names are in the taxonomy's own spelling. Rows that give no attribute are left out: they are those of a template
    that nobody filled; with `unfilled` they are there. Raises ManifestError naming every row that is wrong in itself;
    rows that contradict each other are found where frames get their labels.
    """
    import pyarrow.compute as pc

    table, problems = read_rows(path, LabelEntry, loose=ATTRIBUTES)
    known = Taxonomy.of(taxonomy)
    untyped = {problem.row for problem in problems}
    for attribute in ATTRIBUTES:
        table, found = _spelled(table, attribute, known)
        problems += found
    told = {problem.row for problem in problems}
    confidence = table["confidence"]
    unsure = mask(pc.or_(pc.less(confidence, 0), pc.greater(confidence, 1)))
    problems += flag(table, "confidence", unsure, lambda v: f"{v:g} is not between 0 and 1")
    empty = pc.and_(pc.and_(*(table[name].is_null() for name in ATTRIBUTES[:2])), table[ATTRIBUTES[2]].is_null())
    given = table.filter(pc.invert(empty))
    placed = [each for each in _place_problems(table) + _same_rows(given) if each.row not in untyped]
    refuse(path, further(problems, [*placed, *_fit_problems(given, known, told)]))
    return table if unfilled else given


def read_taxonomy(path: str | Path) -> pa.Table:
    """A taxonomy: the columns of `LabelName`, then its own, in order of label_id.

    Raises ManifestError when it has no labels, ids do not count up from 0, two labels have the same names, or two names
    of an attribute are spellings of one.
    """
    import numpy as np

    table, problems = read_rows(path, LabelName)
    refuse(path, problems)
    if not len(table):
        raise ManifestError(f"{path} has no rows", wanted="a row a label", do="add the labels")
    misnumbered = table["label_id"].to_numpy() != np.arange(len(table))
    names = [*zip(*(table[name].to_pylist() for name in ATTRIBUTES), strict=True)]
    first = {name: place for place, name in reversed([*enumerate(names)])}
    repeated = np.array([first[name] != place for place, name in enumerate(names)], bool)
    refuse(
        path,
        [
            *flag(
                table, "label_id", misnumbered, lambda v: f"is {v}, but labels are numbered 0, 1, 2 … in their order"
            ),
            *flag(
                table, "garment", repeated, lambda v: f"{v!r} stands with the same era and nationality in a row above"
            ),
            *(problem for name in ATTRIBUTES for problem in _respelt(table, name, folded)),
        ],
    )
    return table.drop_columns([ROW])


def read_splits(path: str | Path) -> pa.Table:
    """The splits manifest: the columns of `SplitEntry`, then its own. Raises ManifestError naming every wrong row."""
    table, problems = read_rows(path, SplitEntry)
    found = [*_repeats(table, "title"), *_respelt(table, "title"), *_unknown(table, "split", SPLITS)]
    refuse(path, further(problems, found))
    return table.drop_columns([ROW])


def write_splits(path: str | Path, split_of: Mapping[str, str], old: pa.Table | None = None) -> None:
    """Write title → split as a splits manifest, sorted by title, whole or not at all; Parquet or CSV by its suffix.

    Columns of `old` beyond title and split are kept for the titles that it has.
    """
    import pyarrow as pa

    titles = sorted(split_of)
    table = pa.table({"title": titles, "split": [split_of[title] for title in titles]})
    if old is not None:
        import pyarrow.compute as pc

        place = pc.index_in(table["title"], old["title"].combine_chunks()).combine_chunks()
        for name in old.column_names[len(columns_of(SplitEntry)) :]:
            table = table.append_column(name, old[name].combine_chunks().take(place))
    write_manifest(path, table)


def write_manifest(path: str | Path, table: pa.Table) -> None:
    """Write a manifest whole or not at all; Parquet or CSV by its suffix. Raises ManifestError for other suffixes."""
    from mhmd.storage import Storage, encode_table

    path = Path(path)
    if path.suffix not in (".parquet", ".csv"):
        raise ManifestError(f"{path} ends in {path.suffix!r}", wanted=".parquet or .csv", do="choose another name")
    data = encode_table(table)[0] if path.suffix == ".parquet" else encode_delimited(table)
    Storage(str(path.absolute().parent)).write(path.name, data)


def _repeats(table: pa.Table, name: str) -> list[Problem]:
    import numpy as np

    cells = table[name].to_pylist()
    first = {cell: place for place, cell in reversed([*enumerate(cells)])}
    repeated = np.array([cell is not None and first[cell] != place for place, cell in enumerate(cells)], bool)
    return flag(table, name, repeated, lambda v: f"{v!r} stands in a row above, too")


def _respelt(table: pa.Table, name: str, fold: Callable[[str], str] = plain) -> list[Problem]:
    """Cells that are another spelling of one that a row above has."""
    import numpy as np

    cells = table[name].to_pylist()
    first: dict[str, int] = {}
    above = [first.setdefault(fold(cell), place) if cell is not None else place for place, cell in enumerate(cells)]
    other = np.array([cells[at] != cell for at, cell in zip(above, cells, strict=True)], bool)
    rows = table[ROW].to_pylist()
    told = {rows[place]: above[place] for place in other.nonzero()[0].tolist()}
    return [
        Problem(
            each.row,
            name,
            f"{each.what} is another spelling of {cells[told[each.row]]!r} in row {rows[told[each.row]]}",
        )
        for each in flag(table, name, other, repr)
    ]


def _unknown(table: pa.Table, name: str, known: Sequence[str]) -> list[Problem]:
    import pyarrow as pa
    import pyarrow.compute as pc

    strange = ~mask(pc.is_in(table[name], pa.array([*known, None], pa.string())))
    return flag(table, name, strange, lambda v: f"{v!r} is none of {', '.join(known)}")


def _escapes(paths: Any) -> Any:  # Any: Arrow's arrays
    """Whether each path is relative and leads out of the folder where it starts."""
    import pyarrow as pa

    return pa.array(
        ["://" not in (path or "") and os.path.normpath(path or "").split("/")[0] == ".." for path in paths.to_pylist()]
    )


def _is_sha256(values: Any) -> Any:  # Any: Arrow's arrays
    import pyarrow.compute as pc

    return pc.match_substring_regex(values, "^[0-9a-f]{64}$")


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


def _fit_problems(labels: pa.Table, taxonomy: Taxonomy, told: set[int]) -> list[Problem]:
    """Rows whose attributes no label has together; `told` are rows whose names are not even known."""
    import numpy as np

    trios = labels.group_by(list(ATTRIBUTES)).aggregate([]).to_pylist()
    unfit = {trio for trio in (tuple(row[name] for name in ATTRIBUTES) for row in trios) if not taxonomy.fits(*trio)}
    if not unfit:
        return []
    rows = labels[ROW].to_pylist()
    names = [*zip(*(labels[name].to_pylist() for name in ATTRIBUTES), strict=True)]
    wrong = [trio in unfit and row not in told for trio, row in zip(names, rows, strict=True)]
    says = {row: taxonomy.no_label(*trio) for trio, row, bad in zip(names, rows, wrong, strict=True) if bad}
    return [
        Problem(problem.row, "garment", says[problem.row])
        for problem in flag(labels, "garment", np.array(wrong, bool), lambda _: "")
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

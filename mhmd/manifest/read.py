"""The films and splits manifests and taxonomies, read and checked as a whole, and how manifests are written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.entries import FilmEntry, LabelName, SplitEntry
from mhmd.errors import ManifestError
from mhmd.manifest.delimited import encode_delimited
from mhmd.manifest.problems import ROW, Checked, Problem, flag, mask
from mhmd.manifest.tabular import read_rows
from mhmd.media.colour import MATRICES
from mhmd.records import columns_of
from mhmd.splits import SPLITS, plain
from mhmd.taxonomy import ATTRIBUTES, folded

if TYPE_CHECKING:
    import pyarrow as pa

YEARS = (1870, 2100)
LONGEST_ID = 200
"""Names of files are made of it, which have 255 bytes at most."""

_URL = re.compile("[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def read_films(path: str | Path) -> pa.Table:
    """The rows of `check_films`. Raises ManifestError naming every row that is wrong."""
    return check_films(path).whole().drop_columns([ROW])


def read_splits(path: str | Path) -> pa.Table:
    """The splits manifest: the columns of `SplitEntry`, then its own. Raises ManifestError naming every wrong row."""
    return check_splits(path).whole().drop_columns([ROW])


def read_taxonomy(path: str | Path) -> pa.Table:
    """The rows of `check_taxonomy`. Raises ManifestError naming every row that is wrong."""
    return check_taxonomy(path).whole().drop_columns([ROW])


def check_films(path: str | Path) -> Checked:
    """The films manifest: the columns of `FilmEntry`, then its own; `path` is absolute, `sha256` in small letters.

    Whether a film exists is found when it is opened. Raises ManifestError when it cannot be read, or has no rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    checked = read_rows(path, FilmEntry)
    table = checked.table
    if not table.num_rows:
        raise ManifestError(f"{path} has no rows", wanted="a row a film", do="add film_id, title and path of each film")
    malformed = ~mask(pc.match_substring_regex(table["film_id"], f"^[a-z0-9_-]{{1,{LONGEST_ID}}}$"))
    hashed = pc.utf8_lower(table["sha256"])
    old, new = YEARS
    found = [
        *flag(table, "film_id", malformed, lambda v: f"{v!r} is not of [a-z0-9_-], {LONGEST_ID} at most"),
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
    home = Path(path).absolute().parent
    paths = [given if given is None or _URL.match(given) else str(home / given) for given in table["path"].to_pylist()]
    for name, values in (("path", pa.array(paths, pa.string())), ("sha256", hashed)):
        table = table.set_column(table.column_names.index(name), name, values)
    return replace(checked.also(found), table=table)


def check_splits(path: str | Path) -> Checked:
    """The splits manifest: the columns of `SplitEntry`, then its own. Raises ManifestError when it cannot be read."""
    checked = read_rows(path, SplitEntry)
    table = checked.table
    return checked.also([*_repeats(table, "title"), *_respelt(table, "title"), *_unknown(table, "split", SPLITS)])


def check_taxonomy(path: str | Path) -> Checked:
    """A taxonomy: the columns of `LabelName`, then its own, in order of label_id.

    It is wrong when ids do not count up from 0, two labels have the same names, or two names of an attribute are
    spellings of one. Raises ManifestError when it cannot be read, or has no labels.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    checked = read_rows(path, LabelName)
    table = checked.table
    if not len(table):
        raise ManifestError(f"{path} has no rows", wanted="a row a label", do="add the labels")
    misnumbered = mask(pc.not_equal(table["label_id"], pa.array(np.arange(len(table)))))
    names = [*zip(*(table[name].to_pylist() for name in ATTRIBUTES), strict=True)]
    first = {name: place for place, name in reversed([*enumerate(names)])}
    repeated = np.array([None not in name and first[name] != place for place, name in enumerate(names)], bool)
    found = [
        *flag(table, "label_id", misnumbered, lambda v: f"is {v}, but labels are numbered 0, 1, 2 … in their order"),
        *flag(table, "garment", repeated, lambda v: f"{v!r} stands with the same era and nationality in a row above"),
        *(problem for name in ATTRIBUTES for problem in _respelt(table, name, folded)),
        *flag(table, "images", mask(pc.less(table["images"], 0)), lambda v: f"{v} is below 0"),
    ]
    return checked.also(found)


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

    plain = [(path or "").replace("\\", "/") for path in paths.to_pylist()]
    return pa.array([not _URL.match(path) and os.path.normpath(path).split("/")[0] == ".." for path in plain])


def _is_sha256(values: Any) -> Any:  # Any: Arrow's arrays
    import pyarrow.compute as pc

    return pc.match_substring_regex(values, "^[0-9a-f]{64}$")

"""The tables that people write: films, labels, splits and taxonomies, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.entries import FilmEntry, LabelEntry, LabelName, SplitEntry
from mhmd.errors import ManifestError
from mhmd.splits import SPLITS
from mhmd.tabular import Problem, flag, read_rows, refuse
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MATRICES = ("bt601", "bt709", "bt2020")


def read_films(path: str | Path) -> pa.Table:
    """The films manifest: the columns of `FilmEntry`, then its own; `path` is absolute.

    Raises ManifestError naming every row that is wrong; whether a film exists is found when it is opened.
    """
    import pyarrow as pa

    table = read_rows(path, FilmEntry)
    if not table.num_rows:
        raise ManifestError(f"{path} has no rows", wanted="a row a film", do="add film_id, title and path of each film")
    films = table.to_pandas()
    malformed = ~films.film_id.str.fullmatch("[a-z0-9_-]+")
    refuse(
        path,
        [
            *flag(films.film_id, malformed, lambda v: f"{v!r} is not of [a-z0-9_-]"),
            *_repeats(films.film_id),
            *_unknown(films.split, SPLITS),
            *_unknown(films.color_matrix, MATRICES),
        ],
    )
    home = Path(path).absolute().parent
    paths = [given if "://" in given else str(home / given) for given in films.path]
    return table.set_column(table.column_names.index("path"), "path", pa.array(paths, pa.string()))


def read_labels(path: str | Path, taxonomy: pa.Table) -> pa.Table:
    """The labels manifest: the columns of `LabelEntry`, then its own. `taxonomy` is what `read_taxonomy` gives.

    Raises ManifestError naming every row that is wrong in itself; rows that contradict each other are found where
    frames get their labels.
    """
    table = read_rows(path, LabelEntry)
    labels = table.to_pandas()
    confidence = labels.confidence
    problems = flag(confidence, (confidence < 0) | (confidence > 1), lambda v: f"{v:g} is not between 0 and 1")
    refuse(path, [*problems, *_place_problems(labels), *_name_problems(labels, Taxonomy.of(taxonomy))])
    return table


def read_taxonomy(path: str | Path) -> pa.Table:
    """A taxonomy: the columns of `LabelName`, then its own, in order of label_id.

    Raises ManifestError when ids do not count up from 0 or two labels have the same names.
    """
    table = read_rows(path, LabelName)
    rows = table.to_pandas()
    misnumbered = rows.label_id != rows.index
    repeated = rows.duplicated(list(ATTRIBUTES))
    refuse(
        path,
        [
            *flag(rows.label_id, misnumbered, lambda v: f"is {v}, but labels are numbered 0, 1, 2 … in their order"),
            *flag(rows.garment, repeated, lambda v: f"{v!r} stands with the same era and nationality in a row above"),
        ],
    )
    return table


def read_splits(path: str | Path) -> pa.Table:
    """The splits manifest: the columns of `SplitEntry`, then its own. Raises ManifestError naming every wrong row."""
    table = read_rows(path, SplitEntry)
    rows = table.to_pandas()
    refuse(path, [*_repeats(rows.title), *_unknown(rows.split, SPLITS)])
    return table


def write_splits(path: str | Path, split_of: Mapping[str, str]) -> None:
    """Write title → split as a splits manifest, sorted by title, whole or not at all; Parquet or CSV by its suffix."""
    import pyarrow as pa
    import pyarrow.csv

    from mhmd.storage import Storage, encode_table

    path = Path(path)
    titles = sorted(split_of)
    table = pa.table({"title": titles, "split": [split_of[title] for title in titles]})
    if path.suffix == ".parquet":
        data = encode_table(table)[0]
    elif path.suffix == ".csv":
        text = pa.BufferOutputStream()
        pa.csv.write_csv(table, text)
        data = text.getvalue().to_pybytes()
    else:
        raise ManifestError(f"{path} ends in {path.suffix!r}", wanted=".parquet or .csv", do="choose another name")
    Storage(str(path.absolute().parent)).write(path.name, data)


def _repeats(values: pd.Series[Any]) -> list[Problem]:  # Any: a cell of any type
    return flag(values, values.duplicated(), lambda v: f"{v!r} stands in a row above, too")


def _unknown(values: pd.Series[Any], known: Sequence[str]) -> list[Problem]:
    return flag(values, values.notna() & ~values.isin(known), lambda v: f"{v!r} is none of {', '.join(known)}")


def _place_problems(labels: pd.DataFrame) -> list[Problem]:
    """What is wrong with where rows of the labels manifest hold: a film, a range or a frame."""
    import pandas as pd

    start, end, frame_id = labels.start_s, labels.end_s, labels.frame_id
    pairs = zip(labels.film_id, frame_id, strict=True)
    foreign = pd.Series([isinstance(frame, str) and not frame.startswith(f"{film}_") for film, frame in pairs])
    return [
        *flag(end, start.notna() & end.isna(), lambda _: "is empty beside a start_s"),
        *flag(start, start.isna() & end.notna(), lambda _: "is empty beside an end_s"),
        *flag(start, start < 0, lambda v: f"{v:g} is below 0"),
        *flag(end, start >= end, lambda v: f"{v:g} is not after start_s"),
        *flag(frame_id, frame_id.notna() & start.notna(), lambda v: f"{v!r} stands beside a range"),
        *flag(frame_id, foreign, lambda v: f"{v!r} is no frame of this row's film"),
    ]


def _name_problems(labels: pd.DataFrame, taxonomy: Taxonomy) -> list[Problem]:
    """What is wrong with the attributes of rows of the labels manifest."""
    names = labels[list(ATTRIBUTES)]
    problems = flag(labels.era, names.isna().all(axis=1), lambda _: "is empty, and nationality and garment, too")
    for attribute in ATTRIBUTES:
        unknown = names[attribute].notna() & ~names[attribute].isin(taxonomy.names(attribute))
        problems += flag(names[attribute], unknown, partial(_say_unknown, taxonomy, attribute))
    complete = names[names.notna().all(axis=1)].itertuples(name=None)
    told = {problem.row for problem in problems}
    for index, era, nationality, garment in complete:
        if index + 1 not in told and taxonomy.label_id(era, nationality, garment) == -1:
            problems.append(Problem(index + 1, "garment", taxonomy.no_label(era, nationality, garment)))
    return problems


def _say_unknown(taxonomy: Taxonomy, attribute: str, name: str) -> str:
    near = taxonomy.nearest(attribute, name)
    return f"{name!r} is not in the taxonomy" + (f", did you mean {near!r}?" if near else "")

"""All films' rows of the labels manifest: what is wrong with them beside each other and beside the films."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import TYPE_CHECKING

from mhmd.labels.join import alone, join, unknown_films
from mhmd.labels.rows import Extent
from mhmd.manifest.labelled import NOTES
from mhmd.manifest.problems import ROW, Checked, Problem
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import pyarrow as pa


def contradictions(
    checked: Checked,
    taxonomy: Taxonomy,
    known: Set[str] | None = None,
    beside: Callable[[str, pa.Table], tuple[pa.Table, Extent] | None] = lambda _film, _rows: None,
) -> list[Problem]:
    """What is wrong with rows of the labels manifest beside each other and beside the films, of all films.

    Nothing is concluded from what is wrong with rows in themselves. `known` are the films that there are, None where
    nobody can tell; `beside` gives the frames and the extent of a film that rows name, None where they are not known:
    what can be told without them is.
    """
    table = checked.table
    found = [] if known is None else unknown_films(table, known)
    columns = {problem.column for problem in checked.problems if not problem.row}
    if not columns <= {*ATTRIBUTES, *NOTES}:
        return found  # where rows hold is not known
    astray = {problem.row for problem in found} | {
        row
        for row, film in zip(table[ROW].to_pylist(), table["film_id"].to_pylist(), strict=True)
        if film is None or film != film.strip()
    }
    for film, rows, problems in _by_film(checked, astray):
        there = beside(film, rows)
        if there is None:
            found += alone(rows, taxonomy, problems)
        else:
            frames, extent = there
            found += join(frames, rows, taxonomy, extent, problems).problems
    return found


def _by_film(checked: Checked, astray: Set[int]) -> Iterator[tuple[str, pa.Table, list[Problem]]]:
    """Each film that rows name, its rows, and what is wrong with these in themselves and with whole columns.

    Rows that went `astray` are among those of every film, as they may be meant for it. That a row stands twice is
    nothing that matters here.
    """
    import numpy as np

    table = checked.table
    coded = table["film_id"].combine_chunks().dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy()
    numbers = table[ROW].to_numpy()
    film_of = dict(zip(numbers.tolist(), codes.tolist(), strict=True)) if checked.problems else {}
    whole = [problem for problem in checked.problems if not problem.row]
    problems: dict[int, list[Problem]] = {}
    for problem in checked.problems:
        if problem.row in film_of and problem.column != "film_id":
            problems.setdefault(film_of[problem.row], []).append(problem)
    lost = np.flatnonzero(np.isin(numbers, [*astray]))
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(coded.dictionary) + 1))
    for code, film in enumerate(coded.dictionary.to_pylist()):
        own = order[ends[code] : ends[code + 1]]
        others = np.setdiff1d(lost, own)
        strays = [Problem(row, "film_id", "of another film") for row in numbers[others].tolist()]
        yield film, table.take(np.concatenate([own, others])), [*whole, *problems.get(code, []), *strays]

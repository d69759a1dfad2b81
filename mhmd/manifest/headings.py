"""Names of columns as people write them, into those that are known.

Case, blanks, hyphens and underscores count for nothing. A column that is nearly one that is known but absent is
refused: it would be taken for one of the writer's own, and what it says would be lost without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches

from mhmd.records import Column
from mhmd.taxonomy import folded

LIKENESS = 0.84
"""Two names that are so alike (0 to 1, by difflib) are taken for one that is misspelt: shots and shot, excluded."""

RESERVED = "row_in_file"
"""The column that reading adds: the number of each row."""


def known_names(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The names, each that is a spelling of a known one as this."""
    own = {folded(name): name for name in known}
    return [own.get(folded(name), name.strip()) for name in names]


def complaints(names: Sequence[str], wanted: Sequence[Column], one_of: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Columns that are wrong in a file, and what is wrong with each.

    Its record has those of `wanted`, and needs one of `one_of` where that names some.
    """
    known = {folded(column.name): column.name for column in wanted}
    there = f"the file has {', '.join(names) or 'none'}"
    for column in wanted:
        if not column.null and column.name not in names:
            yield column.name, f"is missing, {there}"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield name, "stands twice"
    near = {name: _nearly(name, known) for name in names if name not in known.values()}
    misspelt = {name: meant for name, meant in near.items() if meant and meant not in names}
    for name, meant in misspelt.items():
        yield name, f"is nearly {meant}"
    if one_of and not set(one_of) & {*names, *misspelt.values()}:
        yield one_of[0], f"is missing, and so are {' and '.join(one_of[1:])}, {there}"


def _nearly(name: str, known: Mapping[str, str]) -> str:
    """The known name that was probably meant; empty where none is like it."""
    near = get_close_matches(folded(name), known, n=1, cutoff=LIKENESS)
    return known[near[0]] if near else ""

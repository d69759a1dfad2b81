"""Names of columns as people write them, into those that are known.

Case, blanks, hyphens and underscores count for nothing. A column that is nearly one that is known but absent is
refused: it would be taken for one of the writer's own, and what it says would be lost without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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


def complaints(names: Sequence[str], wanted: Sequence[Column]) -> Iterator[str]:
    """What is wrong with the columns of a file whose record has those of `wanted`."""
    known = {folded(column.name): column.name for column in wanted}
    yield from (f"no column {column.name}" for column in wanted if not column.null and column.name not in names)
    yield from (f"column {name} twice" for name in sorted({name for name in names if names.count(name) > 1}))
    for name in names:
        near = get_close_matches(folded(name), known, n=1, cutoff=LIKENESS)
        if name == RESERVED:
            yield f"column {name}, a name that is kept for the number of a row"
        elif near and name not in known.values() and known[near[0]] not in names:
            yield f"column {name}, which is nearly {known[near[0]]}"

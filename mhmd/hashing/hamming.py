"""All pairs of 64-bit hashes within a Hamming distance: exact, on all cores, in bounded memory.

By pigeonhole: the bits are dealt into bands, each with a radius of its own, so that hashes within the distance are
within the radius in one band at least. An index holds for every band the hashes by their bits in it; a hash is compared
with those that it finds under its own bits and under all that are near them. Norouzi, Punjani and Fleet, Fast exact
search in Hamming space with multi-index hashing, PAMI 36(6), 2014.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhmd.hashing.buckets import BITS, Index, index_for, insert, look
from mhmd.hashing.compiled import compiled, each, threads_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Flags = NDArray[np.bool_]
    Places = NDArray[np.int64]
    Numbers = NDArray[np.int32]
    Distances = NDArray[np.uint8]
    Progress = Callable[[int, int], None]

BLOCKS = (1 << 15, 1 << 11)
"""So many hashes are looked up at a time, in order of their bits, so that they find the same places in the cache; and
inside such a block again so many, where what is alike is skipped and soon little is left."""

SLOTS = 64
"""Matches of one hash that are kept when they are counted; where there are more, they are looked up again."""

CHUNK_PAIRS = 1 << 22
"""Pairs handed over at a time, some 40 MB, but for a hash with more matches than this."""

ORDER = (np.arange(BITS, dtype=np.uint64) * np.uint64(23)) % np.uint64(BITS)
"""Which bit comes to which place before bands are cut. Neighbouring bits of a phash are neighbouring frequencies, which
go together: dealt to several bands they leave none of them to a few values."""


class Pairs(NamedTuple):
    """Pairs of places in an array, `first` < `second`, and the distances between what is there, in bits."""

    first: Numbers
    second: Numbers
    distance: Distances


def pairs_within(
    hashes: Hashes,
    radius: int,
    skipped: Flags | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Iterator[Pairs]:
    """All pairs of hashes whose Hamming distance is `radius` or less, each once, in chunks of bounded size.

    Both ends of a pair are places in `hashes`. All pairs that a place is `second` of come before the first that it is
    `first` of. The same hashes give the same pairs in the same order on any number of threads.

    Whoever takes the pairs may set `skipped`, a flag for each hash, while they come: what was skipped before its block
    was looked up is in no more pairs. So the first of each group can drop the others, however many they are.
    """
    blocks = BLOCKS[:1] if skipped is None else BLOCKS
    skipped = np.zeros(len(hashes), np.bool_) if skipped is None else skipped
    dealt = _dealt(np.ascontiguousarray(hashes, np.uint64), ORDER)
    yield from _walk(dealt, 0, len(dealt), min(radius, BITS), skipped, blocks, progress)


@compiled
def _dealt(hashes: Hashes, order: Hashes) -> Hashes:
    """The hashes with their bits in another order."""
    dealt = np.zeros(len(hashes), np.uint64)
    for k in each(len(hashes)):
        for place in range(BITS):
            dealt[k] |= ((hashes[k] >> order[place]) & np.uint64(1)) << np.uint64(place)
    return dealt


def _walk(
    hashes: Hashes, low: int, high: int, radius: int, skipped: Flags, blocks: tuple[int, ...], progress: Progress
) -> Iterator[Pairs]:
    """Pairs from `low` to `high`, in blocks of these sizes."""
    if not blocks:
        left = _left(skipped, low, high)
        index = index_for(hashes[left], radius)
        insert(hashes, left, index)
        yield from _found(hashes, left, radius, index)
        progress(high, len(hashes))
    elif high - low <= blocks[0]:
        yield from _walk(hashes, low, high, radius, skipped, blocks[1:], progress)
    else:
        index = index_for(hashes[low:high], radius)
        for begin in range(low, high, blocks[0]):
            end = min(begin + blocks[0], high)
            if begin > low:
                yield from _found(hashes, _left(skipped, begin, end), radius, index)
            yield from _walk(hashes, begin, end, radius, skipped, blocks[1:], progress)
            insert(hashes, _left(skipped, begin, end), index)


def _left(skipped: Flags, begin: int, end: int) -> Places:
    """Places from `begin` to `end` that are not skipped."""
    places: Places = begin + np.flatnonzero(~skipped[begin:end])
    return places


def _found(hashes: Hashes, queries: Places, radius: int, index: Index) -> Iterator[Pairs]:
    """Pairs of each query with what is in the index and comes before it."""
    counts = np.zeros(len(queries), np.int64)
    slots = np.arange(len(queries), dtype=np.int64) * SLOTS
    places, distances = np.empty(len(queries) * SLOTS, np.int32), np.empty(len(queries) * SLOTS, np.uint8)
    look(hashes, queries, radius, index, np.full(len(queries), SLOTS), slots, counts, places, distances)
    ends = np.cumsum(counts)
    low = 0
    while low < len(queries):
        done = ends[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(ends, done + CHUNK_PAIRS, side="right")))
        part = slice(low, high)
        low = high
        total = int(ends[high - 1] - done)
        if total:
            first, distance = np.empty(total, np.int32), np.empty(total, np.uint8)
            into = ends[part] - counts[part] - done
            with threads_for(total):
                _copy(counts[part], slots[part], places, distances, into, first, distance)
            many = np.flatnonzero(counts[part] > SLOTS)
            again = queries[part][many]
            room = counts[part][many]
            look(hashes, again, radius, index, room, into[many], np.zeros(len(many), np.int64), first, distance)
            yield Pairs(first, np.repeat(queries[part], counts[part]).astype(np.int32), distance)


@compiled
def _copy(
    counts: Places,
    slots: Places,
    places: Numbers,
    distances: Distances,
    into: Places,
    first: Numbers,
    distance: Distances,
) -> None:
    """Copy the matches of those that have no more than `SLOTS` from there to where they belong."""
    for query in each(len(counts)):
        if counts[query] <= SLOTS:
            for match in range(counts[query]):
                first[into[query] + match] = places[slots[query] + match]
                distance[into[query] + match] = distances[slots[query] + match]

"""All pairs of 64-bit hashes within a Hamming distance: exact, on all cores, in bounded memory.

By pigeonhole: the bits are dealt into bands, each with a radius of its own, so that hashes within the distance are
within the radius in one band at least. An index holds for every band the hashes by their bits in it; a hash is compared
with those that it finds under its own bits and under all that are near them. Norouzi, Punjani and Fleet, Fast exact
search in Hamming space with multi-index hashing, PAMI 36(6), 2014.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhmd.compiled import compiled, each, inlined, popcount

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Flags = NDArray[np.bool_]
    Places = NDArray[np.int64]
    Numbers = NDArray[np.int32]
    Distances = NDArray[np.uint8]

BITS = 64

BLOCK = 1 << 15
"""So many hashes are looked up at a time, in order of their bits, so that they find the same places in the cache."""

TURN = 256
"""Of these so many by one thread at a time."""

SLOTS = 64
"""Matches of one hash that are kept when they are counted; where there are more, they are looked up again."""

CHUNK_PAIRS = 1 << 22
"""Pairs handed over at a time, some 40 MB, but for a hash with more matches than this."""

MAX_WIDTH = 22
"""Bits of a band at the most: its table has an entry for each of their values."""

ORDER = (np.arange(BITS, dtype=np.uint64) * np.uint64(23)) % np.uint64(BITS)
"""Which bit comes to which place before bands are cut. Neighbouring bits of a phash are neighbouring frequencies, which
go together: dealt to several bands they leave none of them to a few values."""

PROBE_NS, ENTRY_NS = 35.0, 0.9
"""What a look into a table costs, and a comparison; of their ratio depends which bands are chosen, not what is found."""


class Pairs(NamedTuple):
    """Pairs of places in an array, `first` < `second`, and the distances between what is there, in bits."""

    first: Numbers
    second: Numbers
    distance: Distances


class Bands(NamedTuple):
    """How many bits each band has, and how many of them may differ."""

    widths: tuple[int, ...]
    radii: tuple[int, ...]


class _Index(NamedTuple):
    """Hashes by their bits in each band.

    A band's bits are `(hash >> shift) & mask`, its buckets begin at `base`; `starts` and `fills` say where in `hashes`
    and `places` a bucket begins and how much is in it. A band's `patterns`, from `begins` on, lead from a hash's own
    bucket to all that are within the band's radius.
    """

    shifts: Hashes
    masks: Hashes
    radii: Hashes
    bases: Places
    starts: Places
    fills: Numbers
    hashes: Hashes
    places: Numbers
    patterns: Hashes
    begins: Places


def pairs_within(
    hashes: Hashes,
    radius: int,
    skipped: Flags | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[Pairs]:
    """All pairs of hashes whose Hamming distance is `radius` or less, each once, in chunks of bounded size.

    Over all chunks, `second` ascends within a block of hashes twice: first come the pairs with hashes before the
    block, then those inside it. All pairs of one `second` of either kind are in one chunk. The same hashes give the
    same pairs in the same order on any number of threads.

    Whoever takes the pairs may set `skipped`, a flag for each hash, while they come: no pairs of a hash come that was
    skipped when its block began, or when its own block was done.
    """
    radius = min(radius, BITS)
    count = len(hashes)
    skipped = np.zeros(count, np.bool_) if skipped is None else skipped
    bands = bands_for(count, radius)
    dealt = _dealt(np.ascontiguousarray(hashes, np.uint64), ORDER)
    index = _index_for(dealt, bands) if count > BLOCK else None
    for begin in range(0, count, BLOCK):
        end = min(begin + BLOCK, count)
        if index is not None:
            yield from _found(dealt, _left(skipped, begin, end), radius, index)
        inside = _left(skipped, begin, end)
        yield from _found(dealt, inside, radius, _filled(dealt, inside, radius))
        if index is not None:
            _insert(dealt, _left(skipped, begin, end), index)
        progress(end, count)


def _left(skipped: Flags, begin: int, end: int) -> Places:
    """Places from `begin` to `end` that are not skipped."""
    places: Places = begin + np.flatnonzero(~skipped[begin:end])
    return places


def bands_for(count: int, radius: int) -> Bands:
    """The bands by which so many hashes are compared soonest.

    Bands of radii r₁ … rₘ miss nothing when (r₁ + 1) + … + (rₘ + 1) exceeds `radius`: otherwise a pair could be
    further apart in each of them and still be within it.
    """

    widest = min(MAX_WIDTH, max(1, count.bit_length()))

    def dealt(number: int) -> Bands:
        share, left = divmod(radius + 1, number)
        width, wider = divmod(BITS, number)
        widths = tuple(min(width + (band < wider), widest) for band in range(number))
        return Bands(widths, tuple(share - 1 + (band < left) for band in range(number)))

    def cost(bands: Bands) -> float:
        return sum(
            _probes(width, reach) * (PROBE_NS + count / 2 / 2**width * ENTRY_NS)
            for width, reach in zip(*bands, strict=True)
        )

    return min((dealt(number) for number in range(1, min(radius + 1, BITS) + 1)), key=cost)


def _probes(width: int, reach: int) -> int:
    return sum(comb(width, flipped) for flipped in range(reach + 1))


def _index_for(hashes: Hashes, bands: Bands) -> _Index:
    """An index with room for these hashes, and none in it."""
    number, count = len(bands.widths), len(hashes)
    shifts = np.array([0, *accumulate(bands.widths)][:number], np.uint64)
    masks = np.array([(1 << width) - 1 for width in bands.widths], np.uint64)
    bases = np.array([0, *accumulate(1 << width for width in bands.widths)], np.int64)
    starts = np.empty(bases[-1], np.int64)
    for band in range(number):
        keys = ((hashes >> shifts[band]) & masks[band]).astype(np.int64)
        sizes = np.bincount(keys, minlength=int(masks[band]) + 1)
        starts[bases[band] : bases[band + 1]] = band * count + np.cumsum(sizes) - sizes
    patterns = [
        [sum(1 << bit for bit in flipped) for flips in range(reach + 1) for flipped in combinations(range(width), flips)]
        for width, reach in zip(*bands, strict=True)
    ]
    return _Index(
        shifts,
        masks,
        np.array(bands.radii, np.uint64),
        bases,
        starts,
        np.zeros(bases[-1], np.int32),
        np.empty(number * count, np.uint64),
        np.empty(number * count, np.int32),
        np.array([pattern for of in patterns for pattern in of], np.uint64),
        np.array([0, *accumulate(map(len, patterns))], np.int64),
    )


def _found(hashes: Hashes, queries: Places, radius: int, index: _Index) -> Iterator[Pairs]:
    """Pairs of each query with what is in the index and comes before it."""
    counts = np.zeros(len(queries), np.int64)
    slots = np.arange(len(queries), dtype=np.int64) * SLOTS
    places, distances = np.empty(len(queries) * SLOTS, np.int32), np.empty(len(queries) * SLOTS, np.uint8)
    _look(hashes, queries, radius, index, np.full(len(queries), SLOTS), slots, counts, places, distances)
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
            _copy(counts[part], slots[part], places, distances, into, first, distance)
            many = np.flatnonzero(counts[part] > SLOTS)
            again = queries[part][many]
            room = counts[part][many]
            _look(hashes, again, radius, index, room, into[many], np.zeros(len(many), np.int64), first, distance)
            yield Pairs(first, np.repeat(queries[part], counts[part]).astype(np.int32), distance)


def _look(
    hashes: Hashes,
    queries: Places,
    radius: int,
    index: _Index,
    room: Places,
    into: Places,
    counts: Places,
    first: Numbers,
    distance: Distances,
) -> None:
    """Count the matches of each query, and write them from `into` on as far as there is `room`."""
    turn = max(1, min(TURN, len(queries) // TURN))
    for band in range(len(index.shifts)):
        order = np.argsort((hashes[queries] >> index.shifts[band]) & index.masks[band], kind="stable")
        _look_in_band(hashes, queries, order, turn, radius, index, band, room, into, counts, first, distance)


@compiled
def _look_in_band(
    hashes: Hashes,
    queries: Places,
    order: Places,
    turn: int,
    radius: int,
    index: _Index,
    band: int,
    room: Places,
    into: Places,
    counts: Places,
    first: Numbers,
    distance: Distances,
) -> None:
    """Look for those whose first common band this is. All hashes of a turn go through one pattern after the other."""
    for number in each((len(order) + turn - 1) // turn):
        for probe in range(index.begins[band], index.begins[band + 1]):
            for query in order[number * turn : (number + 1) * turn]:
                place = queries[query]
                own = hashes[place]
                key = ((own >> index.shifts[band]) & index.masks[band]) ^ index.patterns[probe]
                bucket = index.bases[band] + np.int64(key)
                low = index.starts[bucket]
                others = index.hashes[low : low + index.fills[bucket]]
                if not _any_within(others, own, np.uint64(radius)):
                    continue
                found = counts[query]
                for other in range(len(others)):
                    differing = others[other] ^ own
                    apart = np.int64(popcount(differing))
                    if apart <= radius and index.places[low + other] < place and _is_first(differing, band, index):
                        if found < room[query]:
                            first[into[query] + found] = index.places[low + other]
                            distance[into[query] + found] = apart
                        found += 1
                counts[query] = found


@inlined
def _any_within(others: Hashes, own: int, radius: int) -> bool:
    """Whether any of them is within the radius: without a branch in the loop, so that it runs on vectors."""
    near = 0
    for other in range(len(others)):
        near += popcount(others[other] ^ own) <= radius
    return near > 0


@inlined
def _is_first(differing: int, band: int, index: _Index) -> bool:
    """Whether no band before this one finds a pair with these differing bits, too."""
    found = False
    for before in range(band):
        found |= popcount((differing >> index.shifts[before]) & index.masks[before]) <= index.radii[before]
    return not found


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


def _filled(hashes: Hashes, places: Places, radius: int) -> _Index:
    """An index of the hashes at these places."""
    chosen = hashes[places]
    index = _index_for(chosen, bands_for(len(places), radius))
    _insert(hashes, places, index)
    return index


@compiled
def _dealt(hashes: Hashes, order: Hashes) -> Hashes:
    """The hashes with their bits in another order."""
    dealt = np.zeros(len(hashes), np.uint64)
    for k in each(len(hashes)):
        for place in range(BITS):
            dealt[k] |= ((hashes[k] >> order[place]) & np.uint64(1)) << np.uint64(place)
    return dealt


@compiled
def _insert(hashes: Hashes, places: Places, index: _Index) -> None:
    """Put the hashes at these places into the index."""
    fills, hashes_in, places_in = index.fills, index.hashes, index.places  # numba loses what is written into a tuple's
    for band in each(len(index.shifts)):
        for place in places:
            key = (hashes[place] >> index.shifts[band]) & index.masks[band]
            bucket = index.bases[band] + np.int64(key)
            filled = fills[bucket]
            fills[bucket] = filled + 1
            at = index.starts[bucket] + filled
            hashes_in[at] = hashes[place]
            places_in[at] = place

"""An index of 64-bit hashes by their bits in several bands: what it finds, and which bands are soonest done."""

from __future__ import annotations

from itertools import accumulate, combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhmd.hashing.compiled import compiled, each, inlined, popcount, threads_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Numbers = NDArray[np.int32]
    Distances = NDArray[np.uint8]

BITS = 64

TURN = 256
"""Of these so many by one thread at a time."""

STEPS_SHARE = 1 << 8
"""Of all comparisons of a hash with those in the index one in so many is made, or less."""

MAX_WIDTH = 22
"""Bits of a band at the most: its table has an entry for each of their values."""

PROBE_NS, ENTRY_NS = 35.0, 0.9
"""What a look into a table costs, and a comparison: which bands are chosen depends on it, what is found does not."""


class Bands(NamedTuple):
    """How many bits each band has, and how many of them may differ."""

    widths: tuple[int, ...]
    radii: tuple[int, ...]


class Index(NamedTuple):
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
            _probes(width, reach) * (PROBE_NS + count / 2 / (1 << width) * ENTRY_NS)
            for width, reach in zip(*bands, strict=True)
        )

    return min((dealt(number) for number in range(1, min(radius + 1, BITS) + 1)), key=cost)


def _probes(width: int, reach: int) -> int:
    return sum(comb(width, flipped) for flipped in range(reach + 1))


def index_for(hashes: Hashes, radius: int) -> Index:
    """An index with room for these hashes, and none in it."""
    bands = bands_for(len(hashes), radius)
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
        [
            sum(1 << bit for bit in flipped)
            for flips in range(reach + 1)
            for flipped in combinations(range(width), flips)
        ]
        for width, reach in zip(*bands, strict=True)
    ]
    return Index(
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


def insert(hashes: Hashes, places: Places, index: Index) -> None:
    """Put the hashes at these places into the index."""
    with threads_for(len(places) * len(index.shifts)):
        _insert(hashes, places, index)


@compiled
def _insert(hashes: Hashes, places: Places, index: Index) -> None:
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


def look(
    hashes: Hashes,
    queries: Places,
    radius: int,
    index: Index,
    room: Places,
    into: Places,
    counts: Places,
    first: Numbers,
    distance: Distances,
) -> None:
    """Count the matches of each query, and write them from `into` on as far as there is `room`."""
    turn = max(1, min(TURN, len(queries) // TURN))
    with threads_for(len(queries) * len(index.hashes) // STEPS_SHARE):
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
    index: Index,
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
def _any_within(others: Hashes, own: np.uint64, radius: np.uint64) -> bool:
    """Whether any of them is within the radius: without a branch in the loop, so that it runs on vectors."""
    near = 0
    for other in range(len(others)):
        near += popcount(others[other] ^ own) <= radius
    return near > 0


@inlined
def _is_first(differing: np.uint64, band: int, index: Index) -> bool:
    """Whether no band before this one finds a pair with these differing bits, too."""
    found = False
    for before in range(band):
        found |= popcount((differing >> index.shifts[before]) & index.masks[before]) <= index.radii[before]
    return not found

"""Which pictures show the same: a look at light and colour after the phash, and the choice of which are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhmd.hashing.compiled import compiled, compiled_in_order, each, inlined, threads_for
from mhmd.hashing.hamming import pairs_within
from mhmd.measures.signature import BYTES, COLOUR_GRID, COLOUR_STEP, LIGHT_BYTES, LIGHT_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signatures = NDArray[np.uint8]
    Numbers = NDArray[np.int32]
    Codes = NDArray[np.uint8]

ALIKE, COLOUR, LIGHT, APART = 0, 1, 2, 3
"""What a look at two pictures of near phashes says: the same, another colour, another light, not to be compared."""

MAX_COLOUR = 0.4
"""Colours of cells differ by less than this share of what colour there is, root of mean squares."""

COLOUR_NOISE = 2.0
"""So much of a and b is added to what colour there is: of pale pictures codecs and noise change a large share."""

MIN_LIGHT = 0.97
"""Light of cells is correlated by more than this."""

LIGHT_NOISE = 0.2
"""So much of L, standard deviation, may be rounding and noise of codecs in a signature: by its square two that differ
may still be the same, which counts in plain and dark pictures only."""

OPEN = np.iinfo(np.int32).max


class Choice(NamedTuple):
    """For each picture: the place of the one whose duplicate it is, or -1 when it is kept; their distance, in bits;
    and, for a kept one, what alone told it from the best of those that are kept and near it: COLOUR, LIGHT, or ALIKE
    where there is none.
    """

    duplicate_of: Numbers
    distance: Codes
    told_by: Codes


def choose(
    hashes: NDArray[np.uint64],
    signatures: Signatures,
    groups: Numbers,
    radius: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Choice:
    """Which pictures to keep, of pictures given from the best to the worst.

    `signatures` is n×96 bytes; only pictures of the same number in `groups` are compared. Greedy: a picture that is
    like a better kept one is a duplicate of the best of these, any other is kept. So every duplicate is like one that
    is kept, and chains of likeness swallow nothing.
    """
    count = len(hashes)
    chosen = Choice(np.full(count, -1, np.int32), np.zeros(count, np.uint8), np.zeros(count, np.uint8))
    nearest_told = np.full(count, OPEN, np.int32)
    dropped = np.zeros(count, np.bool_)
    for pairs in pairs_within(hashes, radius, dropped, progress):
        codes = np.empty(len(pairs.first), np.uint8)
        with threads_for(len(codes) * BYTES):
            judge(pairs.first, pairs.second, signatures, groups, codes)
        _take(*pairs, codes, dropped, *chosen, nearest_told)
    chosen.told_by[dropped] = ALIKE
    return chosen


@compiled
def judge(first: Numbers, second: Numbers, signatures: Signatures, groups: Numbers, codes: Codes) -> None:
    """Say of each pair ALIKE, COLOUR, LIGHT or APART."""
    for pair in each(len(first)):
        if groups[first[pair]] != groups[second[pair]]:
            codes[pair] = APART
        else:
            one, other = signatures[first[pair]], signatures[second[pair]]
            if _colour_apart(one, other) >= MAX_COLOUR:
                codes[pair] = COLOUR
            elif _light_together(one, other) <= MIN_LIGHT:
                codes[pair] = LIGHT
            else:
                codes[pair] = ALIKE


@compiled_in_order
def _take(
    first: Numbers,
    second: Numbers,
    distance: Codes,
    codes: Codes,
    dropped: NDArray[np.bool_],
    duplicate_of: Numbers,
    distance_of: Codes,
    told_by: Codes,
    nearest_told: Numbers,
) -> None:
    """Drop the second of each pair that is alike, if the first is kept; one after the other."""
    for pair in range(len(first)):
        better, worse = first[pair], second[pair]
        if dropped[better] or codes[pair] == APART:
            continue
        if codes[pair] == ALIKE:
            if not dropped[worse] or better < duplicate_of[worse]:
                dropped[worse] = True
                duplicate_of[worse] = better
                distance_of[worse] = distance[pair]
        elif better < nearest_told[worse]:
            nearest_told[worse] = better
            told_by[worse] = codes[pair]


@inlined
def _colour_apart(one: Signatures, other: Signatures) -> float:
    """How far the colours of two signatures are apart: 0 = equal, about 2 = one has none."""
    difference = own = others = np.int64(0)
    for at in range(LIGHT_BYTES, BYTES):
        a, b = np.int64(np.int8(one[at])), np.int64(np.int8(other[at]))
        difference += (a - b) ** 2
        own += a * a
        others += b * b
    floor = COLOUR_NOISE / COLOUR_STEP * COLOUR_GRID
    return float(np.sqrt(difference) / ((np.sqrt(own) + np.sqrt(others)) / 2 + floor))


@inlined
def _light_together(one: Signatures, other: Signatures) -> float:
    """Correlation of the light of two signatures, once noise is allowed for; brightness and contrast do not count.

    (cov + n²) / (max(σ₁, n) max(σ₂, n)): what is equal has 1 or more however plain it is, and where there is little but
    noise, little is asked for.
    """
    count = LIGHT_BYTES
    sum_a = sum_b = squares_a = squares_b = products = np.int64(0)
    for at in range(LIGHT_BYTES):
        a, b = np.int64(one[at]), np.int64(other[at])
        sum_a += a
        sum_b += b
        squares_a += a * a
        squares_b += b * b
        products += a * b
    noise = (count * LIGHT_NOISE / LIGHT_STEP) ** 2
    spread_a = max(float(squares_a * count - sum_a**2), noise)
    spread_b = max(float(squares_b * count - sum_b**2), noise)
    return float((products * count - sum_a * sum_b + noise) / np.sqrt(spread_a * spread_b))

"""Pairs of hashes against brute force, however many are alike, on any number of threads."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mhmd.hashing import hamming
from mhmd.hashing.buckets import bands_for
from mhmd.hashing.hamming import pairs_within

Found = list[tuple[int, int, int]]


pytestmark = pytest.mark.usefixtures("one_thread")


def found(values: NDArray[np.uint64], radius: int, skipped: NDArray[np.bool_] | None = None) -> Found:
    """All pairs and distances, in the order in which they come."""
    pairs: Found = []
    for part in pairs_within(values, radius, skipped):
        pairs += zip(part.first.tolist(), part.second.tolist(), part.distance.tolist(), strict=True)
    return pairs


def brute(values: NDArray[np.uint64], radius: int) -> Found:
    """The same by comparing all with all."""
    first, second = np.triu_indices(len(values), 1)
    distance = np.bitwise_count(values[first] ^ values[second])
    near = distance <= radius
    return list(zip(first[near].tolist(), second[near].tolist(), distance[near].tolist(), strict=True))


def drawn(seed: int, count: int, groups: int, flips: int) -> NDArray[np.uint64]:
    """Hashes of which half are near others: so many groups, each hash with up to so many flipped bits."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**64, count, np.uint64)
    near = rng.random(count) < 0.5
    values[near] = rng.integers(0, 2**64, groups, np.uint64)[rng.integers(0, groups, int(near.sum()))]
    for flip in range(flips):
        flipped = near & (rng.integers(0, flips + 1, count) > flip)
        values[flipped] ^= np.uint64(1) << rng.integers(0, 64, int(flipped.sum()), np.uint64)
    return values


@settings(max_examples=2500)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(1, 12), st.integers(0, 14), st.integers(0, 12))
def test_pairs_are_those_of_brute_force(seed: int, count: int, groups: int, flips: int, radius: int) -> None:
    values = drawn(seed, count, groups, flips)
    assert sorted(found(values, radius)) == brute(values, radius)


@settings(max_examples=100)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 15), max_size=40), st.integers(0, 64))
def test_any_radius_will_do(values: list[int], radius: int) -> None:
    hashes = np.array(values, np.uint64)
    assert sorted(found(hashes, radius)) == brute(hashes, radius)


@pytest.mark.parametrize("radius", range(13))
def test_pairs_across_blocks(radius: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "BLOCKS", (512, 128))
    monkeypatch.setattr(hamming, "CHUNK_PAIRS", 300)
    values = drawn(radius, 1800, 15, 8)
    assert sorted(found(values, radius)) == brute(values, radius)


def test_what_a_place_is_second_of_comes_before_what_it_is_first_of() -> None:
    values = drawn(1, 5000, 2, 2)  # two groups of 1250 that are alike
    pairs = found(values, 8)
    begun = set()
    for first, second, _ in pairs:
        begun.add(first)
        assert second not in begun
    assert len(pairs) == len(brute(values, 8))


def test_a_chunk_is_bounded_where_thousands_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "CHUNK_PAIRS", 10_000)
    values = np.full(3000, 7, np.uint64)
    sizes = [len(part.first) for part in pairs_within(values, 3)]
    assert sum(sizes) == 3000 * 2999 // 2
    assert max(sizes) <= 10_000


def test_who_drops_what_is_alike_has_few_pairs() -> None:
    values = np.full(20_000, 7, np.uint64)
    dropped = np.zeros(len(values), np.bool_)
    pairs = 0
    for part in pairs_within(values, 3, dropped):
        pairs += len(part.first)
        dropped[part.second[~dropped[part.first]]] = True
    assert np.flatnonzero(~dropped).tolist() == [0]
    assert pairs < 3_000_000


def test_any_number_of_threads_gives_the_same_order(one_thread: int) -> None:
    values = drawn(2, 6000, 40, 6)
    alone = found(values, 8)
    numba.set_num_threads(one_thread)
    together = found(values, 8)
    numba.set_num_threads(1)
    assert together == alone


@pytest.mark.parametrize("count", [0, 1, 1000, 100_000, 1_353_166, 10_000_000])
def test_the_bands_miss_nothing(count: int) -> None:
    for radius in range(65):
        widths, radii = bands_for(count, radius)
        assert sum(reach + 1 for reach in radii) > radius
        assert min(radii) >= 0
        assert sum(widths) <= 64

"""Cutting a split into shards, in an order that mixes films."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mhmd.stages.shard import cut, mixed


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 100))
def test_shards_hold_everything_once_in_order_and_are_as_full_as_can_be(sizes: list[int], limit: int) -> None:
    ranges = list(cut(sizes, limit))
    assert [position for of in ranges for position in of] == list(range(len(sizes)))
    assert all(len(of) == 1 or sum(sizes[position] for position in of) <= limit for of in ranges)
    for of, following in pairwise(ranges):
        assert sum(sizes[position] for position in of) + sizes[following.start] > limit


def test_the_order_mixes_films_and_depends_on_seed_and_keys_alone() -> None:
    keys = [f"{film}_{number:010d}" for film in "ab" for number in range(100)]
    order = [keys[position] for position in mixed(keys, 0)]
    assert sorted(order) == keys
    assert 30 < sum(key.startswith("a") for key in order[:100]) < 70
    backwards = keys[::-1]
    assert [backwards[position] for position in mixed(backwards, 0)] == order
    assert [keys[position] for position in mixed(keys, 1)] != order

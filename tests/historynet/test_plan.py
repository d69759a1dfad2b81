from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.historynet.dataset import SplitRows
from mhmd.historynet.plan import SHARDS_AT_ONCE, Plan, occurrences


def rows(labels: list[int], shards: int = 3) -> SplitRows:
    count = len(labels)
    shard = np.sort(np.arange(count, dtype=np.int32) % shards)
    names = tuple(f"train-{number:06d}.tar" for number in range(shards))
    table = np.stack([np.array(labels, np.int32)] * 4, axis=1)
    keys, places = pa.array([str(n) for n in range(count)]), np.zeros((count, 2), np.int64)
    return SplitRows(keys, names, shard, table, np.ones((count, 2), np.int32), places)


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=200), st.floats(0, 1), st.integers(0, 9))
def test_an_epoch_has_as_many_places_as_samples_and_labels_their_share(
    labels: list[int], balance: float, seed: int
) -> None:
    each = occurrences(np.array(labels, np.int32), balance, np.random.default_rng(seed))
    assert each.sum() == len(labels)
    counts = Counter(labels)
    total = sum(count ** (1 - balance) for count in counts.values())
    for label, count in counts.items():
        mine = each[np.array(labels) == label]
        assert abs(mine.sum() - len(labels) * count ** (1 - balance) / total) < 1 + 1e-6
        assert mine.max() - mine.min() <= 1
    if balance == 0:
        assert each.tolist() == [1] * len(labels)


def test_full_balance_makes_829_to_1_even() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int32), (829, 1, 10))
    drawn = [occurrences(labels, balance, np.random.default_rng(0)) for balance in (1.0, 0.5)]
    assert [each[labels == label].sum() for each in drawn[:1] for label in range(3)] == [280, 280, 280]
    half = [int(drawn[1][labels == label].sum()) for label in range(3)]
    assert half[0] / half[1] == pytest.approx(829**0.5, rel=0.05)


@given(st.integers(1, 60), st.integers(1, 40), st.lists(st.integers(1, 17), min_size=1, max_size=12))
def test_every_epoch_goes_once_through_all_however_it_is_taken(samples: int, shards: int, portions: list[int]) -> None:
    plan, first, told = Plan(rows([0] * samples, shards), 1, 0), 0, []
    for portion in portions:
        told += plan.rows(first, portion).tolist()
        first += portion
    again = Plan(rows([0] * samples, shards), 1, 0)
    assert told == again.rows(0, first).tolist()
    for start in range(0, first - samples + 1, samples):
        assert sorted(told[start : start + samples]) == list(range(samples))


def test_epochs_and_seeds_differ_and_few_shards_are_mixed_at_once() -> None:
    many = rows([0] * 400, 40)
    plan = Plan(many, 1, 0)
    first = plan.rows(0, 400)
    assert first.tolist() != plan.rows(400, 400).tolist()
    assert first.tolist() != Plan(many, 2, 0).rows(0, 400).tolist()
    for start in range(0, 400, SHARDS_AT_ONCE * 10):
        shards = many.shard[first[start : start + SHARDS_AT_ONCE * 10]]
        assert len(set(shards.tolist())) <= SHARDS_AT_ONCE
        assert (np.diff(shards) != 0).mean() > 0.8

"""Dealing titles: every title in one split, no title moves, forced titles win."""

from __future__ import annotations

import random
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.errors import ManifestError, RecipeError
from mhmd.splits import SPLITS, SplitConfig, deal, forced_splits

EVEN = SplitConfig(val_share=0.1, test_share=0.1)
TITLES = [f"title {number}" for number in range(147)]


def dealt(titles: list[str], config: SplitConfig = EVEN, **given: dict[str, str]) -> dict[str, str]:
    return deal(titles, forced=given.get("forced", {}), existing=given.get("existing", {}), config=config)


def test_few_titles() -> None:
    assert dealt([]) == {}
    assert dealt(["a"]) == {"a": "train"}
    assert sorted(dealt(["a", "b"]).values()) == ["test", "train"]
    assert sorted(dealt(["a", "b", "c"]).values()) == ["test", "train", "val"]


def test_shares_of_many_titles() -> None:
    assert Counter(dealt(TITLES).values()) == {"train": 117, "val": 15, "test": 15}
    halves = SplitConfig(val_share=0.0, test_share=0.5)
    assert Counter(dealt(TITLES[:10], halves).values()) == {"train": 5, "test": 5}


def test_the_order_given_does_not_matter_and_the_seed_does() -> None:
    shuffled = random.Random(1).sample(TITLES, len(TITLES))
    assert dealt(shuffled) == dealt(TITLES + TITLES)
    assert dealt(TITLES, SplitConfig(seed=1)) != dealt(TITLES)


def test_the_deal_of_seed_0_stays_what_it_is() -> None:
    assert dealt(["alpha", "beta", "gamma", "delta"]) == {
        "alpha": "test", "beta": "train", "delta": "val", "gamma": "train"
    }  # fmt: skip


def test_new_titles_leave_the_old_ones_where_they_are() -> None:
    before = dealt(TITLES[:20])
    after = dealt(TITLES, existing=before)
    assert {title: after[title] for title in before} == before
    assert Counter(after.values()) == {"train": 117, "val": 15, "test": 15}


def test_titles_that_are_gone_keep_their_row_but_fill_no_split() -> None:
    assert dealt(["a"], existing={"gone": "train"}) == {"a": "train", "gone": "train"}


def test_forced_titles_win() -> None:
    assert dealt(["a", "b", "c"], forced={"a": "test", "b": "test", "c": "test"}) == dict.fromkeys("abc", "test")
    assert sorted(dealt(["a", "b", "c"], forced={"b": "train"}).values()) == ["test", "train", "val"]


def test_a_forced_title_does_not_move_quietly() -> None:
    with pytest.raises(ManifestError, match="'a' is in train and forced to test"):
        dealt(["a"], forced={"a": "test"}, existing={"a": "train"})


def test_shares_leave_something_for_train() -> None:
    with pytest.raises(RecipeError, match="val_share \\+ test_share below 1"):
        SplitConfig.checked({"val_share": 0.5, "test_share": 0.5}, "recipe.toml, split")


def test_forced_splits_of_a_films_manifest() -> None:
    films = pa.table({"title": ["a", "a", "b", "c"], "split": ["val", None, None, "train"]})
    assert forced_splits(films) == {"a": "val", "c": "train"}


def test_a_title_forced_into_two_splits_is_refused() -> None:
    films = pa.table({"title": ["a", "a", "b"], "split": ["val", "test", "test"]})
    with pytest.raises(ManifestError, match="several splits: 'a': test, val;"):
        forced_splits(films)


titles = st.lists(st.sampled_from("abcdefghijklm"), max_size=13)
placed = st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.sampled_from(SPLITS), max_size=6)


@settings(max_examples=200, deadline=None)
@given(titles, placed, placed)
def test_whatever_is_given_each_title_is_dealt_once_and_none_moves(
    titles: list[str], forced: dict[str, str], existing: dict[str, str]
) -> None:
    forced = {title: existing.get(title, split) for title, split in forced.items() if title in titles}
    result = dealt(titles, forced=forced, existing=existing)
    assert result.keys() == {*titles, *existing}
    assert {title: result[title] for title in (*forced, *existing)} == {**forced, **existing}
    free = set(titles) - forced.keys() - existing.keys()
    empty = set(SPLITS) - {result[title] for title in set(titles)}
    assert not (free and empty and Counter(result[title] for title in free).most_common(1)[0][1] > 1)

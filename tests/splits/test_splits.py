"""Dealing titles: every title in one split, no title moves, forced titles win."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.build import split
from mhmd.errors import ManifestError, MissingInput, RecipeError, UsageError
from mhmd.records import Overlap, Verdict
from mhmd.splits import SPLITS
from mhmd.splits.blocks import Link, blocks_of, copies, links_of, shared_frames
from mhmd.splits.deal import SplitConfig, deal, forced_splits
from mhmd.stage import Where
from mhmd.storage import Stamp, Storage, table_of

EVEN = SplitConfig(val_share=0.1, test_share=0.1)
TITLES = [f"title {number}" for number in range(147)]


def dealt(
    titles: list[str],
    config: SplitConfig = EVEN,
    *,
    forced: Mapping[str, str] = MappingProxyType({}),
    existing: Mapping[str, str] = MappingProxyType({}),
    links: Sequence[tuple[str, str]] = (),
    labels: Mapping[str, set[int]] = MappingProxyType({}),
) -> dict[str, str]:
    joined = [Link(one, other, "they share 99 frames") for one, other in links]
    held = {title: frozenset(of) for title, of in labels.items()}
    return deal(titles, forced=forced, existing=existing, config=config, links=joined, labels=held)


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


def test_titles_that_are_joined_go_together_even_over_others_and_follow_those_that_are_dealt() -> None:
    chain = [(f"title {n}", f"title {n + 1}") for n in range(0, 20)]
    result = dealt(TITLES, links=chain)
    assert len({result[f"title {n}"] for n in range(21)}) == 1
    assert Counter(result.values())["train"] == pytest.approx(117, abs=2)
    follows = dealt(TITLES, links=chain, existing={"title 7": "val"})
    assert {follows[f"title {n}"] for n in range(21)} == {"val"}
    assert {dealt(["a", "b"], links=[("a", "b")], forced={"b": "test"})["a"]} == {"test"}


def test_a_large_block_is_no_split_of_its_own_because_its_lot_is_early() -> None:
    titles = [f"title {number}" for number in range(40)]
    block = [(titles[0], title) for title in titles[1:30]]
    for seed in range(8):
        result = dealt(titles, SplitConfig(seed=seed), links=block)
        assert result[titles[0]] == "train"
        assert {"val", "test"} < set(result.values())


def test_joining_titles_of_two_splits_is_a_conflict_that_is_named() -> None:
    with pytest.raises(ManifestError) as caught:
        dealt(["a", "b", "c"], existing={"a": "train", "c": "val"}, links=[("a", "b"), ("b", "c")])
    told = str(caught.value)
    assert "'a' in train, 'c' in val ('a' and 'b': they share 99 frames; 'b' and 'c': they share 99 frames)" in told
    assert "take the rows of titles that may move out of the splits manifest" in told
    assert "--max-shared" in told


def test_train_gets_every_label_then_test_and_val_where_there_are_blocks() -> None:
    labels = {title: {number % 42} for number, title in enumerate(TITLES)} | {TITLES[0]: {99}}
    for seed in range(5):
        result = dealt(TITLES, SplitConfig(seed=seed), labels=labels)
        held = {split: set().union(*(labels[t] for t in TITLES if result[t] == split)) for split in SPLITS}
        assert held["train"] == {*range(42), 99}
        assert Counter(result.values()) == {"train": 117, "val": 15, "test": 15}
        assert len(held["val"]) == len(held["test"]) == 15
        assert 99 not in held["val"] | held["test"]


def test_a_label_of_two_titles_is_tested_and_one_of_three_validated_too() -> None:
    titles = [f"t{number}" for number in range(30)]
    labels = {"t0": {0}, "t1": {0}, "t2": {1}, "t3": {1}, "t4": {1}, "t5": {2}}
    for seed in range(8):
        result = dealt(titles, SplitConfig(seed=seed), labels=labels)
        assert sorted(result[t] for t in ("t2", "t3", "t4")) == ["test", "train", "val"]
        assert sorted(result[t] for t in ("t0", "t1"))[1] == "train"
        assert sorted(result[t] for t in ("t0", "t1"))[0] in ("test", "val")
        assert result["t5"] == "train"


def test_labels_leave_no_split_empty() -> None:
    for seed in range(8):
        result = dealt(list("abc"), SplitConfig(seed=seed), labels={"a": {0}, "b": {1}, "c": {2, 3}})
        assert sorted(result.values()) == ["test", "train", "val"]


def test_links_are_groups_and_more_than_so_many_shared_frames() -> None:
    films = pa.table(
        {
            "film_id": ["a1", "a2", "b", "c", "d"],
            "title": ["A", "A", "B", "C", "D"],
            "group": ["g", None, None, "g", None],
        }
    )
    pairs = [("a1", "a2", 900), ("a1", "b", 30), ("a2", "b", 21), ("b", "c", 50), ("a1", "gone", 99)]
    shared = pa.table(dict(zip(("film_id", "other_film_id", "frames"), zip(*pairs, strict=True), strict=True)))
    assert links_of(films, shared, 50) == [
        Link("A", "B", "they share 51 frames"),
        Link("A", "C", "both are of the group 'g'"),
    ]
    assert [link.why for link in links_of(films, shared, 51)] == ["both are of the group 'g'"]
    assert blocks_of(["A", "B", "C", "D"], links_of(films, shared, 50)) == [("A", "B", "C"), ("D",)]


def verdicts(rows: list[tuple[str, str, str | None]]) -> pa.Table:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return pa.table(dict(zip(("film_id", "frame_id", "duplicate_of"), columns, strict=True)))


VERDICTS = [
    ("a", "a_0000000001", None),
    ("a", "a_0000000002", "a_0000000001"),
    ("a", "a_0000000003", "b_x_0000000001"),
    ("b_x", "b_x_0000000001", None),
    ("b_x", "b_x_0000000002", "a_0000000001"),
    ("c", "c_0000000001", "b_x_0000000001"),
    ("c", "c_-000000001", "b_x_-000000009"),
]


def test_shared_frames_are_those_that_dedup_counted(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    rows = [Overlap("a", "b_x", 4), Overlap("a", "c", 2)]
    for film, of in (("a", rows), ("b_x", [])):
        storage.write_table(f"overlaps/{film}.parquet", table_of(Overlap, of), Stamp("one run"))
        storage.write_table(f"verdicts/{film}.parquet", table_of(Verdict, []), Stamp("one run"))
    assert shared_frames(storage, ["a", "b_x", "unscreened"]).to_pylist() == [asdict(row) for row in rows]
    assert shared_frames(storage, ["unscreened"]).num_rows == 0
    storage.write_table("overlaps/b_x.parquet", table_of(Overlap, []), Stamp("a run that was cut off"))
    with pytest.raises(
        MissingInput, match=r"overlaps/b_x\.parquet is half of a run that was cut off.*run `mhmd dedup`"
    ):
        shared_frames(storage, ["a", "b_x"])


def test_copies_are_kept_frames_of_val_and_test_that_another_split_repeats() -> None:
    def left_out(a: str, b: str, c: str) -> list[str]:
        return copies(verdicts(VERDICTS), {"a": a, "b_x": b, "c": c}).to_pylist()

    assert left_out("train", "train", "train") == left_out("val", "val", "val") == []
    assert left_out("train", "val", "val") == ["b_x_0000000001"]
    assert left_out("test", "train", "train") == ["a_0000000001"]
    assert left_out("train", "train", "test") == []


def test_the_manifests_of_splits_and_films_are_two_files_told_together(tmp_path: Path) -> None:
    films, splits = tmp_path / "films.csv", tmp_path / "splits.csv"
    films.write_text("film_id,title,path,split\na,A,a.mp4,train\n")
    with pytest.raises(UsageError, match="is the films manifest"):
        split(Where("", films=str(films), splits=str(films)), EVEN)
    assert films.read_text().endswith("a,A,a.mp4,train\n")
    films.write_text("film_id,title,path\na,A,../a.mp4\n")
    splits.write_text("title,split\nA,dev\n")
    with pytest.raises(ManifestError, match=r"films.csv: row 2, path: .*splits.csv: row 2, split: 'dev' is none of"):
        split(Where("", films=str(films), splits=str(splits)), EVEN)


titles = st.lists(st.sampled_from("abcdefghijklm"), max_size=13)
placed = st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.sampled_from(SPLITS), max_size=6)
pairs = st.lists(st.tuples(*[st.sampled_from("abcdefghijklmnop")] * 2), max_size=5)
labelled = st.dictionaries(st.sampled_from("abcdefghijklm"), st.sets(st.integers(0, 5), max_size=3))
configs = st.builds(
    SplitConfig,
    seed=st.integers(0, 3),
    val_share=st.sampled_from([0.0, 0.1, 0.3]),
    test_share=st.sampled_from([0.0, 0.1, 0.3]),
)


@settings(max_examples=400, deadline=None)
@given(titles, placed, placed, pairs, labelled, configs)
def test_whatever_is_given_no_block_is_torn_and_no_title_moves(
    titles: list[str],
    forced: dict[str, str],
    existing: dict[str, str],
    pairs: list[tuple[str, str]],
    labels: dict[str, set[int]],
    config: SplitConfig,
) -> None:
    forced = {title: existing.get(title, split) for title, split in forced.items() if title in titles}
    known = {**existing, **forced}
    links = [Link(one, other, "") for one, other in pairs]
    blocks = blocks_of(titles, links)
    if any(len({known[title] for title in block if title in known}) > 1 for block in blocks):
        with pytest.raises(ManifestError, match="lie apart"):
            dealt(titles, config, forced=forced, existing=existing, links=pairs, labels=labels)
        return
    result = dealt(titles, config, forced=forced, existing=existing, links=pairs, labels=labels)
    assert result.keys() == {*titles, *existing}
    assert {title: result[title] for title in known} == known
    assert all(len({result[title] for title in block}) == 1 for block in blocks)
    shuffled = random.Random(1).sample(titles, len(titles))
    assert dealt(shuffled, config, forced=forced, existing=existing, links=pairs[::-1], labels=labels) == result
    free = [block for block in blocks if not any(title in known for title in block)]
    opened = {split for split in SPLITS if config.shares[split] > 0}
    empty = opened - {result[title] for title in set(titles)}
    by_split = Counter(result[block[0]] for block in free)
    assert not (empty and any(count > 1 for count in by_split.values()))

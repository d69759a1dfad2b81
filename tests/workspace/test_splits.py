"""Films are dealt to splits, copies are left out, and leaks found."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mhmd.build import split
from mhmd.dataset.check import check
from mhmd.errors import ManifestError, MissingInput
from mhmd.make import make
from mhmd.records import Overlap, Verdict
from mhmd.splits.deal import SplitConfig
from mhmd.splits.leaks import leaks
from mhmd.stages import stage
from mhmd.storage import Storage
from tests.films import Scene
from tests.workspace.helpers import films_with, kept
from tests.world import FILMS, World

CONFIG = SplitConfig()


def test_copies_in_val_are_left_out_and_counted(built: World) -> None:
    samples = set(pq.read_table(built.root / "out" / "samples.parquet")["key"].to_pylist())
    repeats = built.rows(Verdict, "alpha")["duplicate_of"].dropna()
    of_beta = set(repeats[repeats.str.startswith("beta")])
    all_kept = set().union(*(kept(built, film) for film in FILMS))
    assert of_beta
    assert samples == all_kept - of_beta
    stats = json.loads((built.root / "out" / "stats.json").read_text())
    assert stats["left_out"]["a copy in another split"] == len(of_beta)
    assert f"{len(of_beta)} with a copy in another split" in (built.root / "out" / "README.md").read_text()


def test_what_is_dealt_soundly_has_no_leaks(built: World) -> None:
    problems, remark = leaks(None, built.where, 6, CONFIG)
    assert problems == []
    assert "shards leave them out" in remark
    assert leaks(built.where.out, built.where, 6, CONFIG)[0] == []
    assert check(built.where.out) == []


def test_a_title_torn_apart_on_purpose_is_found(world: World) -> None:
    out = world.root / "out"
    rows = pq.read_table(out / "samples.parquet").to_pandas()
    torn = rows[rows["title"] == "The alpha"].index[0]
    rows.loc[torn, "split"] = "val"
    rows.to_parquet(out / "samples.parquet")
    problems, _ = leaks(str(out), world.where, 6, CONFIG)
    assert problems[0] == "title 'The alpha': in train and val"


def test_titles_are_those_that_the_manifest_has_now(world: World) -> None:
    """Two films in different splits, which the manifest says are of one title."""
    films_with(world, title=["The alpha", "The alpha", "The gamma"])
    problems, _ = leaks(world.where.out, world.where, 6, CONFIG)
    assert "title 'The alpha': in train and val" in problems


def test_dealing_blind_is_said_and_a_workspace_that_is_not_there_refused(world: World) -> None:
    assert split(world.where, CONFIG).remark == ""
    (world.root / "data" / "overlaps" / "alpha.parquet").unlink()
    assert "1 films share (alpha)" in split(world.where, CONFIG).remark
    assert split(replace(world.where, data=""), CONFIG).remark.startswith("no workspace")
    with pytest.raises(MissingInput, match="no workspace"):
        split(replace(world.where, data=str(world.root / "dat")), CONFIG)


def test_a_title_in_another_spelling_is_not_dealt_anew(world: World) -> None:
    films_with(world, title=["the ALPHA", "The beta", "The gamma"])
    with pytest.raises(ManifestError, match="'the ALPHA' is 'The alpha' in the splits manifest"):
        split(world.where, CONFIG)


def test_near_duplicates_across_splits_are_found_with_the_nearest_pairs(world: World) -> None:
    """The shards of a dataset that somebody made without dedup and without leaving anything out."""
    storage = Storage(world.where.data)
    for film in FILMS:
        rows = storage.table(f"verdicts/{film}.parquet")
        rows = rows.set_column(2, "kept", pa.array([True] * len(rows)))
        rows = rows.set_column(3, "duplicate_of", pa.nulls(len(rows), pa.string()))
        storage.write_table(f"verdicts/{film}.parquet", rows, storage.stamp(f"verdicts/{film}.parquet"))
    verb = stage("shard")
    make(verb, world.recipe().knobs("shard", verb.config), world.where, on="serial")
    problems, _ = leaks(world.where.out, world.where, 12, CONFIG)
    workspace, _ = leaks(None, world.where, 12, CONFIG)
    assert problems[0].endswith("are nearly the same (at most 12 bits of 64)")
    assert workspace[0] == problems[0]
    assert any("(train, The alpha)" in line and "(val, The beta)" in line for line in problems[1:])
    distances = [int(line.rsplit(": ", 1)[1].split()[0]) for line in problems[1:]]
    assert distances == sorted(distances)


def test_a_group_in_two_splits_is_found_and_refused(world: World) -> None:
    films_with(world, group=["saga", "saga", None])
    problems, _ = leaks(None, world.where, 6, CONFIG)
    assert problems == [
        "titles that belong together lie apart: 'The alpha' in train, 'The beta' in val "
        "('The alpha' and 'The beta': both are of the group 'saga')"
    ]
    assert problems[0] in leaks(world.where.out, world.where, 6, CONFIG)[0]
    before = (world.root / "splits.parquet").read_bytes()
    with pytest.raises(ManifestError, match="lie apart: 'The alpha' in train, 'The beta' in val"):
        split(world.where, CONFIG)
    assert (world.root / "splits.parquet").read_bytes() == before


def test_titles_that_share_frames_are_dealt_as_one(world: World) -> None:
    where = replace(world.where, splits=str(world.root / "new.csv"))
    overlaps = world.rows(Overlap, "alpha")
    shared = int(overlaps.loc[overlaps["other_film_id"] == "beta", "frames"].item())
    few = SplitConfig(max_shared=shared - 1)
    dealt = split(where, few)
    assert dealt.split_of["The alpha"] == dealt.split_of["The beta"]
    assert [row[0] for row in dealt.coverage() if row[2]] == [name for name, titles, _ in dealt.coverage() if titles]
    with pytest.raises(ManifestError, match=f"they share {shared} frames"):
        split(world.where, few)
    assert split(world.where, SplitConfig(max_shared=shared)).split_of["The beta"] == "val"
    assert leaks(None, world.where, 6, few)[0][0].startswith("titles that belong together lie apart")


def test_columns_of_ones_own_in_the_splits_manifest_stay(world: World) -> None:
    rows = pd.read_parquet(world.root / "splits.parquet").assign(why=["a", "b", "c"])
    rows.to_parquet(world.root / "splits.parquet")
    world.film("delta", [Scene(24, seed=8)])
    world.name_films((*FILMS, "delta"))
    split(world.where, CONFIG)
    after = pd.read_parquet(world.root / "splits.parquet")
    assert after.set_index("title")["why"].dropna().to_dict() == rows.set_index("title")["why"].to_dict()
    assert len(after) == 4

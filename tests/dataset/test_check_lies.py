"""`check` has a line for what lies, or is no more what it was, though all sums are right; and no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mhmd.dataset.check import check
from tests.corpus import make_corpus
from tests.dataset.test_check import SHARD, change_rows, retar, seal

Lie = Callable[[Path], object]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    corpus = make_corpus(tmp_path, films=4)
    corpus.shard()
    return tmp_path / "out"


def said(name: str, change: Callable[[Any], Any]) -> Lie:  # Any: JSON
    """Writes a JSON file with its values changed."""
    return lambda out: (out / name).write_text(json.dumps(change(json.loads((out / name).read_text()))))


def wrote(name: str, text: str) -> Lie:
    return lambda out: (out / name).write_text(text)


def gone(name: str) -> Lie:
    return lambda out: (out / name).unlink()


def without(of: str, change: Callable[[list], list]) -> Lie:
    return lambda out: change_rows(out, of, change)


def first_null(values: list) -> list:
    return [None, *values[1:]]


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        (wrote("stats.json", "{"), "stats.json: is no JSON"),
        (wrote("stats.json", "[]"), "stats.json: is a list"),
        (wrote("stats.json", "[" * 200_000), "stats.json: is nested too deep"),
        (said("stats.json", lambda s: {k: v for k, v in s.items() if k != "labels"}), "stats.json: its labels is not"),
        (said("stats.json", lambda s: s | {"shards": {"train": None}}), "stats.json: its shards is not"),
        (said("stats.json", lambda s: s | {"parser": "cihp"}), "stats.json: parser 'cihp', but samples.parquet has"),
        (without("split", lambda of: ["extra", *of[1:]]), "samples.parquet: split 'extra' is none of"),
        (without("label_id", first_null), "samples.parquet: 1 rows have no label_id"),
        (without("key", first_null), "samples.parquet: 1 rows have no key"),
        (without("split", first_null), "samples.parquet: 1 rows have no split"),
        (without("shard", first_null), "samples.parquet: 1 rows have no shard"),
        (without("size_bytes", lambda of: [of[0] + 512, *of[1:]]), "after the one before"),
        (wrote("samples.parquet", "no Parquet"), "samples.parquet: "),
        (wrote("croissant.json", "no JSON"), "croissant.json: is no JSON"),
        (said("croissant.json", lambda c: c | {"distribution": []}), "croissant.json: does not list"),
        (gone("croissant.json"), "croissant.json: is not listed in SHA256SUMS"),
        (gone("wids-train.json"), "wids-train.json: is not listed in SHA256SUMS"),
        (said("wids-val.json", lambda w: w | {"shardlist": [{"url": "x"}]}), "wids-val.json: does not list"),
        (gone("README.md"), "README.md: is not listed in SHA256SUMS"),
        (wrote("DATASHEET.md", ""), "DATASHEET.md: is empty"),
    ],
)
def test_files_that_lie_with_right_sums_are_found_without_opening_a_shard(out: Path, lie: Lie, problem: str) -> None:
    lie(out)
    seal(out)
    problems = check(out, fast=True)
    assert any(problem in line for line in problems), problems
    assert check(out)[: len(problems)] == problems


def resized(out: Path, data: bytes) -> None:
    """Write a shard, and have the sums agree with it."""
    (out / SHARD).write_bytes(data)
    seal(out)


def test_what_follows_the_end_of_a_tar_is_found(out: Path) -> None:
    data = (out / SHARD).read_bytes()
    resized(out, data + b"junk")
    assert check(out) == [f"{SHARD}: has 1028 bytes after its last member that are of none"]
    resized(out, data[:-1024])
    assert check(out) == [f"{SHARD}: is no whole tar: its end is missing"]
    resized(out, data)
    assert check(out) == []


def test_a_size_that_lies_is_found_for_the_last_sample(out: Path) -> None:
    change_rows(out, "size_bytes", lambda of: [*of[:-1], of[-1] + 512])
    resized(out, (out / SHARD).read_bytes())
    assert any("bytes, " in line and "in samples.parquet" in line for line in check(out))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda n, d: (n, d[:-40] + d[-2:]) if n.endswith("1.jpg") else (n, d), "bytes that are no whole JPEG: "),
        (lambda n, d: (n, b"[" * 200_000) if n.endswith("1.json") else (n, d), "the JSON of film"),
    ],
)
def test_members_that_decoders_forgive_are_found(
    out: Path, change: Callable[[str, bytes], tuple[str, bytes]], problem: str
) -> None:
    retar(out / SHARD, change)
    resized(out, (out / SHARD).read_bytes())
    problems = check(out)
    assert any(problem in line for line in problems), problems


def test_a_folder_under_a_listed_name_is_found(out: Path) -> None:
    (out / "README.md").unlink()
    (out / "README.md").mkdir()
    assert check(out) == ["README.md: is no file"]

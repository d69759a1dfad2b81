"""What is wrong with the files that describe a dataset: `stats.json`, `samples.parquet`, indices and texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mhmd.dataset.published import SAMPLES, STATS
from mhmd.errors import MissingInput, StorageError
from mhmd.records import SampleRow
from mhmd.splits import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage

Stats = dict[str, Any]  # Any: JSON

CROISSANT = "croissant.json"
TEXTS = ("README.md", "DATASHEET.md")


def rows_of(files: Storage, problems: list[str]) -> pa.Table:
    """`samples.parquet`; what is wrong with its columns is added to the problems."""
    from mhmd.storage import schema_of

    schema = schema_of(SampleRow)
    try:
        rows = files.table(SAMPLES)
    except (StorageError, MissingInput) as error:
        problems.append(f"{SAMPLES}: {error.found}")
        return schema.empty_table()
    if rows.schema.names != schema.names or rows.schema.types != schema.types:
        problems.append(
            f"{SAMPLES}: has columns {', '.join(rows.schema.names)}; wanted {', '.join(schema.names)} of their types"
        )
        return schema.empty_table()
    nulls = {name: rows[name].null_count for name in schema.names if rows[name].null_count}
    problems += [f"{SAMPLES}: {count} rows have no {name}" for name, count in nulls.items()]
    return rows


def stats_of(files: Storage, problems: list[str]) -> Stats:
    """`stats.json`; what is wrong with its form is added to the problems."""
    try:
        stats = parsed(files.read(STATS))
    except ValueError as error:
        problems.append(f"{STATS}: {error}")
        return {}
    if not isinstance(stats, dict):
        problems.append(f"{STATS}: is a {type(stats).__name__}, not names and values")
        return {}
    problems += [f"{STATS}: its {name} is not as wanted" for name, fits in WANTED.items() if not fits(stats.get(name))]
    return stats


def parsed(data: bytes) -> object:
    """What JSON says. Raises ValueError when it is none, or nested too deep to be read."""
    try:
        found: object = json.loads(data)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None
    return found


def companion_problems(files: Storage, rows: pa.Table, stats: Stats, sums: dict[str, str]) -> Iterator[str]:
    """Whether texts, indices and the Croissant file are there and speak of these shards."""
    splits = [split for split in SPLITS if stats["shards"][split]]
    for name in (*TEXTS, CROISSANT, *(f"wids-{split}.json" for split in splits)):
        if name not in sums:
            yield f"{name}: is not listed in SHA256SUMS"
    for name in (name for name in TEXTS if name in sums):
        if not files.size(name):
            yield f"{name}: is empty"
    counts = _counted(rows)
    for split in splits:
        wanted = {name: counts.get(name, 0) for name in stats["shards"][split]}
        yield from _json_problems(files, sums, f"wids-{split}.json", _indexed, wanted)
    shards = {name for name in sums if name == SAMPLES or name.endswith(".tar")}
    yield from _json_problems(files, sums, CROISSANT, _distributed, shards)


def _json_problems(
    files: Storage, sums: dict[str, str], name: str, part: Callable[[Stats], object], wanted: object
) -> Iterator[str]:
    if name not in sums:
        return
    try:
        found = parsed(files.read(name))
    except ValueError as error:
        yield f"{name}: {error}"
        return
    if not isinstance(found, dict) or part(found) != wanted:
        yield f"{name}: does not list the files that there are"


def _indexed(wids: Stats) -> object:
    """Samples by shard, as an index of wids has them."""
    found = _listed(wids, "shardlist")
    return {str(shard.get("url")): shard.get("nsamples") for shard in found}


def _distributed(croissant: Stats) -> object:
    """The files that a Croissant file names."""
    return {str(file.get("name")) for file in _listed(croissant, "distribution")}


def _listed(values: Stats, name: str) -> list[Stats]:
    found = values.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _counted(rows: pa.Table) -> dict[str, int]:
    found = rows["shard"].value_counts().to_pylist()
    return {each["values"]: each["counts"] for each in found}


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_by_split(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, dict) and all(fits(value.get(split)) for split in SPLITS)


WANTED: dict[str, Callable[[object], bool]] = {
    "samples": lambda value: _is_by_split(value, lambda count: type(count) is int),
    "shards": lambda value: _is_by_split(value, _is_names),
    "parser": lambda value: isinstance(value, str),
    "mask_classes": _is_names,
    "labels": lambda value: isinstance(value, list) and all(_is_names(each) and len(each) == 3 for each in value),
    "bytes": lambda value: isinstance(value, dict),
    "made_from": lambda value: isinstance(value, dict),
}
"""What each part of `stats.json` that others rely on looks like."""

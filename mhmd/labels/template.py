"""A labels manifest to fill in: a row a shot, and beside it sheets of the films with their shots numbered."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry
from mhmd.errors import MissingInput, UsageError
from mhmd.inputs import table_path
from mhmd.manifest.named import read_manifest
from mhmd.records import Frame, Screening, Shot
from mhmd.sheet import clock, sheet_of_shots
from mhmd.stage import Where

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage

SHOTS_A_SHEET = 400
"""A sheet of so many shots is some 6,000 px high; a film of more has several."""

TO_FILL = ("era", "nationality", "garment", "annotator", "note")


def write_template(where: Where, target: Path, only: Sequence[str] | None = None, limit: int = 0) -> list[Path]:
    """Write a labels manifest of all shots to `target` (.csv or .parquet), and sheets into the folder `<name>-sheets`.

    Times are in seconds, rounded outwards to milliseconds; as each row names its shot too, nothing of a neighbour gets
    in. Gives the files written. Raises MissingInput when no film has shots, UsageError when the target is there
    already: somebody may have filled it.
    """
    import pyarrow as pa

    from mhmd.manifest.read import write_manifest
    from mhmd.storage import Storage

    where = where.absolute()
    if target.exists():
        raise UsageError(f"{target} is there already", wanted="a new file", do="name another, or move it away")
    storage = Storage(where.data)
    titles = _titles(where)
    films = [film for film in storage.names(Shot.TABLE, ".parquet") if titles is None or film in titles]
    unknown = sorted(set(only or ()) - set(films))
    films = [film for film in films if only is None or film in only][: limit or None]
    if unknown or not films:
        raise MissingInput(
            f"no shots of {', '.join(unknown) or 'any film'} in {where.data}",
            wanted="films that were extracted",
            do="run `mhmd extract` first, or see `mhmd status`",
        )
    rows = pa.concat_tables([_rows(storage, film, (titles or {}).get(film, "")) for film in films])
    if titles is None:
        rows = rows.drop_columns(["title"])
    write_manifest(target, rows)
    return [target, *(path for film in films for path in _sheets(storage, film, target))]


def _titles(where: Where) -> dict[str, str] | None:
    """Title of each film that is not excluded; None without a films manifest."""
    if not where.films:
        return None
    rows = read_manifest(FilmEntry, where).select(["film_id", "title", "exclude"]).to_pylist()
    return {row["film_id"]: row["title"] for row in rows if not row["exclude"]}


def _rows(storage: Storage, film: str, title: str) -> pa.Table:
    """The template's rows of one film."""
    import pyarrow as pa

    shots = storage.table(table_path(Shot, film), ("film_id", "shot", "start_s", "end_s"))
    frames = storage.table(table_path(Frame, film), ("shot",))["shot"].value_counts().to_pylist()
    stored = {of["values"]: of["counts"] for of in frames}
    columns = {
        "film_id": shots["film_id"],
        "title": pa.array([title] * len(shots), pa.string()),
        "shot": shots["shot"],
        "start_s": pa.array([floor(time * 1000) / 1000 for time in shots["start_s"].to_pylist()], pa.float64()),
        "end_s": pa.array([ceil(time * 1000) / 1000 for time in shots["end_s"].to_pylist()], pa.float64()),
        "frames": pa.array([stored.get(shot, 0) for shot in shots["shot"].to_pylist()], pa.int64()),
    }
    columns |= {name: pa.nulls(len(shots), pa.string()) for name in TO_FILL[:3]}
    columns["confidence"] = pa.nulls(len(shots), pa.float64())
    return pa.table(columns | {name: pa.nulls(len(shots), pa.string()) for name in TO_FILL[3:]})


def _sheets(storage: Storage, film: str, target: Path) -> list[Path]:
    """Write a film's sheets."""
    folder = target.with_name(f"{target.stem}-sheets")
    folder.mkdir(parents=True, exist_ok=True)
    refs = _middle_frames(storage, film)
    shots = storage.table(table_path(Shot, film), ("shot", "start_s")).to_pylist()
    written = []
    for number, start in enumerate(range(0, len(shots), SHOTS_A_SHEET)):
        some = [
            (f"{row['shot']}  {clock(row['start_s'])}", refs.get(row["shot"]))
            for row in shots[start : start + SHOTS_A_SHEET]
        ]
        written.append(folder / (f"{film}-{number + 1}.jpg" if number else f"{film}.jpg"))
        written[-1].write_bytes(sheet_of_shots(storage, film, some))
    return written


def _middle_frames(storage: Storage, film: str) -> dict[int, str]:
    """Ref of a frame of each shot that has any: the middle one of those that pass screening, else of all."""
    frames = storage.table(table_path(Frame, film), ("frame_id", "shot", "ref")).to_pylist()
    rejected: set[str] = set()
    if storage.exists(table_path(Screening, film)):
        rows = storage.table(table_path(Screening, film), ("frame_id", "rejected_by")).to_pylist()
        rejected = {row["frame_id"] for row in rows if row["rejected_by"]}
    of_shot: dict[int, list[str]] = {}
    passing: dict[int, list[str]] = {}
    for row in frames:
        of_shot.setdefault(row["shot"], []).append(row["ref"])
        if row["frame_id"] not in rejected:
            passing.setdefault(row["shot"], []).append(row["ref"])
    return {shot: refs[len(refs) // 2] for shot, refs in (of_shot | passing).items()}

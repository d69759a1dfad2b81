"""Groups of frames that show the same picture: that of one frame, and a sheet of the largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.errors import MissingInput
from mhmd.inputs import table_path
from mhmd.records import Frame, Verdict
from mhmd.sheet import clock, heading_of, section, spread, stacked

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage

GROUPS, SHOWN = 12, 12
"""A sheet has the so many largest groups, and of each the kept frame and so many of all."""

NAME_LETTERS = 16
"""Of a film's name, below a picture."""


@dataclass(frozen=True, slots=True)
class Member:
    """A frame of a group and the Hamming distance of its phash from that of the kept frame, in bits; that has none."""

    film_id: str
    frame_id: str
    distance: int | None


def group_of(data: str, frame_id: str) -> list[Member]:
    """The kept frame and its duplicates by distance, if the frame is one of them; none where it is alone."""
    import pyarrow.compute as pc

    from mhmd.storage import Storage

    storage = Storage(data)
    if not storage.exists(table_path(Verdict, frame_id.rpartition("_")[0])):
        return []
    table = _verdicts(storage)
    own = table.filter(pc.field("frame_id") == frame_id).to_pylist()
    found = _members(table, own[0]["duplicate_of"] or frame_id) if own else []
    return found if len(found) > 1 else []


def sheet(data: str) -> bytes:
    """The JPEG of the largest groups: of each the kept frame, then duplicates, spread evenly from near to far.

    Their distances, films and times stand under them. Raises MissingInput when dedup has not run.
    """
    import pyarrow.compute as pc

    from mhmd.storage import Storage

    storage = Storage(data)
    table = _verdicts(storage)
    sizes = pc.value_counts(table["duplicate_of"].drop_null()).to_pylist()
    largest = sorted(sizes, key=lambda size: (-size["counts"], size["values"]))[:GROUPS]
    sections = []
    for group in largest:
        kept, *others = _members(table, group["values"])
        shown = [kept, *(others[place] for place in spread(len(others), SHOWN - 1))]
        films = len({member.film_id for member in (kept, *others)})
        name = f"{kept.frame_id}, {films} film{'s' if films > 1 else ''}"
        heading = heading_of(name, 1 + len(others), len(shown))
        sections.append(section(storage, heading, [_cell(storage, member) for member in shown]))
    return stacked(sections or [section(storage, "no two frames are alike", [])])


def _verdicts(storage: Storage) -> pa.Table:
    import pyarrow as pa

    there = set(storage.names(Frame.TABLE, ".parquet"))
    films = [film for film in storage.names(Verdict.TABLE, ".parquet") if film in there]
    if not films:
        raise MissingInput(
            f"no {Verdict.TABLE} in {storage.url}", wanted="what `mhmd dedup` makes", do="run `mhmd dedup` first"
        )
    columns = ["film_id", "frame_id", "duplicate_of", "distance"]
    return pa.concat_tables([storage.table(table_path(Verdict, film), columns) for film in films])


def _members(table: pa.Table, kept: str) -> list[Member]:
    """The kept frame, then its duplicates from near to far."""
    import pyarrow.compute as pc

    rows = table.filter((pc.field("frame_id") == kept) | (pc.field("duplicate_of") == kept)).to_pylist()
    members = [Member(row["film_id"], row["frame_id"], row["distance"]) for row in rows]
    return sorted(members, key=lambda member: (member.distance is not None, member.distance, member.frame_id))


def _cell(storage: Storage, member: Member) -> tuple[str, str]:
    """What stands under a member's picture, and where that lies."""
    import pyarrow.compute as pc

    frames = storage.table(table_path(Frame, member.film_id), ["frame_id", "time_s", "ref"])
    row = frames.filter(pc.field("frame_id") == member.frame_id).to_pylist()[0]
    apart = "kept" if member.distance is None else f"{member.distance} bits"
    return f"{apart}  {member.film_id[:NAME_LETTERS]} {clock(row['time_s'])}", row["ref"]

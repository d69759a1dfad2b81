"""Which titles must lie in one split: those of one group, and those that share frames. Together they form a block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mhmd.errors import ManifestError
from mhmd.inputs import missing, table_path
from mhmd.records import Overlap, Verdict
from mhmd.splits import plain

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage

LINKS_TOLD = 5


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """Two titles that belong together, and why."""

    one: str
    other: str
    why: str


def shared_frames(storage: Storage, films: Iterable[str]) -> pa.Table:
    """How many frames two films share, as dedup counts them: rows of `Overlap`. Films that it did not see have none.

    Raises MissingInput when dedup was cut off between what it writes of a film: the counts are of two runs then.
    """
    import pyarrow as pa

    from mhmd.storage import schema_of

    tables = [schema_of(Overlap).empty_table()]
    for film in films:
        counted, judged = (storage.stamp(table_path(record, film)) for record in (Overlap, Verdict))
        if counted is None:
            continue
        if judged is None or judged.digest != counted.digest:
            raise missing(Overlap, film, storage.url, "is half of a run that was cut off")
        tables.append(storage.table(table_path(Overlap, film)))
    return pa.concat_tables(tables)


def film_of(frame_ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """The film of each frame, from its name."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(frame_ids, "_-?[0-9]+$", "")


def copies(verdicts: pa.Table, split_of_film: Mapping[str, str]) -> pa.Array:
    """Kept frames of val and test that frames of another split repeat: what a model would know from elsewhere.

    `verdicts` has the columns film_id and duplicate_of. Gives frame_ids, sorted, each once.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    repeats = verdicts.select(["film_id", "duplicate_of"]).drop_null()
    films = pa.array(list(split_of_film), pa.string())
    splits = pa.array(list(split_of_film.values()), pa.string())
    kept = film_of(repeats["duplicate_of"])
    own, other = (splits.take(pc.index_in(each, films).combine_chunks()) for each in (kept, repeats["film_id"]))
    leaks = pc.and_(pc.not_equal(own, other), pc.not_equal(own, "train"))
    found = repeats["duplicate_of"].filter(pc.fill_null(leaks, False)).unique()
    return found.take(pc.sort_indices(found))


def links_of(films: pa.Table, shared: pa.Table, max_shared: int) -> list[Link]:
    """What joins titles: rows of the films manifest of one group, and more than `max_shared` shared frames.

    `films` has the columns film_id, title and group, `shared` those of `shared_frames`.
    """
    title_of = dict(zip(films["film_id"].to_pylist(), films["title"].to_pylist(), strict=True))
    groups: dict[str, set[str]] = {}
    spelt: dict[str, str] = {}
    for title, group in zip(films["title"].to_pylist(), films["group"].to_pylist(), strict=True):
        if group is not None:
            groups.setdefault(spelt.setdefault(plain(group), group), set()).add(title)
    links = {
        Link(one, other, f"both are of the group {group!r}")
        for group, titles in groups.items()
        for one, other in pairwise(sorted(titles))
    }
    counts: dict[tuple[str, str], int] = {}
    for row in shared.to_pylist():
        pair = sorted(title_of.get(row[name], "") for name in ("film_id", "other_film_id"))
        if pair[0] and pair[0] != pair[1]:
            counts[pair[0], pair[1]] = counts.get((pair[0], pair[1]), 0) + row["frames"]
    links |= {Link(*pair, f"they share {count} frames") for pair, count in counts.items() if count > max_shared}
    return sorted(links)


def blocks_of(titles: Iterable[str], links: Sequence[Link]) -> list[tuple[str, ...]]:
    """The titles in blocks: those that links join, one by one or over others. Sorted, as are the titles in each."""
    head = {title: title for title in titles}

    def find(title: str) -> str:
        while head[title] != title:
            head[title] = title = head[head[title]]
        return title

    for link in links:
        if link.one in head and link.other in head:
            head[find(link.one)] = find(link.other)
    found: dict[str, list[str]] = {}
    for title in sorted(head):
        found.setdefault(find(title), []).append(title)
    return sorted(tuple(block) for block in found.values())


def torn(blocks: Iterable[Sequence[str]], links: Sequence[Link], split_of: Mapping[str, str]) -> list[str]:
    """What is wrong with blocks whose titles lie in several splits, a line each: the titles, and what joins them."""
    lines = []
    for block in blocks:
        if len({split_of[title] for title in block if title in split_of}) > 1:
            where = ", ".join(f"{title!r} in {split_of[title]}" for title in block if title in split_of)
            why = [f"{link.one!r} and {link.other!r}: {link.why}" for link in links if link.one in block]
            more = "; …" if len(why) > LINKS_TOLD else ""
            lines.append(f"titles that belong together lie apart: {where} ({'; '.join(why[:LINKS_TOLD])}{more})")
    return lines


def refuse_torn(blocks: Iterable[Sequence[str]], links: Sequence[Link], split_of: Mapping[str, str]) -> None:
    """Raise ManifestError naming blocks whose titles lie in several splits, and what can be done."""
    lines = torn(blocks, links, split_of)
    if lines:
        raise ManifestError(
            "; ".join(lines),
            wanted="one split for each of these, and titles that stay in the split they were dealt",
            do="take the rows of titles that may move out of the splits manifest and split anew, "
            "mend group or split in the films manifest, or exclude a film; "
            "where only frames are shared, --max-shared may be raised: shards then leave out copies in val and test",
        )

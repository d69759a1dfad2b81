"""What a workspace says of titles: which labels their frames have, and which titles belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhmd.errors import MissingInput
from mhmd.inputs import table_path
from mhmd.records import Label, Overlap
from mhmd.splits.blocks import Link, links_of, shared_frames

if TYPE_CHECKING:
    import pyarrow as pa


FILMS_TOLD = 5


def links_of_titles(data: str, films: pa.Table, max_shared: int) -> list[Link]:
    """What joins the titles of rows of the films manifest; without a workspace (empty `data`) their groups alone."""
    import pyarrow as pa

    from mhmd.storage import Storage

    if data:
        shared = shared_frames(Storage(data), films["film_id"].to_pylist())
    else:
        shared = pa.table({"film_id": [], "other_film_id": [], "frames": []})
    return links_of(films, shared, max_shared)


def blindness(data: str, films: pa.Table) -> str:
    """Says of which films of the manifest nobody knows what frames they share; empty when of none.

    Raises MissingInput when the workspace is not there.
    """
    from mhmd.storage import Storage

    groups = "titles are kept together by their groups alone"
    if not data:
        return f"no workspace: {groups}"
    storage = Storage(data)
    if not storage.exists(""):
        raise MissingInput(
            f"no workspace {data}", wanted="the one that dedup worked on", do=f'name it, or --data "" where {groups}'
        )
    seen = {*storage.names(Overlap.TABLE, ".parquet")}
    unseen = sorted({*films["film_id"].to_pylist()} - seen)
    if not unseen:
        return ""
    told = ", ".join(unseen[:FILMS_TOLD]) + (", …" if len(unseen) > FILMS_TOLD else "")
    return f"dedup has not counted what frames {len(unseen)} films share ({told}): their {groups}"


def labels_of_titles(data: str, films: pa.Table) -> dict[str, frozenset[int]]:
    """The labels that frames of each title have; empty for titles that are not labelled."""
    from mhmd.storage import Storage

    found: dict[str, set[int]] = {}
    for film, title in zip(films["film_id"].to_pylist(), films["title"].to_pylist(), strict=True):
        name = table_path(Label, film)
        labels = found.setdefault(title, set())
        if data and Storage(data).exists(name):
            labels |= set(Storage(data).table(name, ("label_id",))["label_id"].unique().to_pylist()) - {-1}
    return {title: frozenset(labels) for title, labels in found.items()}

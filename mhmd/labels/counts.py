"""How many frames of a workspace have each label, beside what MHMD published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.entries import LabelName
from mhmd.inputs import table_path
from mhmd.manifest.named import read_manifest
from mhmd.records import Label, Verdict
from mhmd.stage import Where
from mhmd.taxonomy import Taxonomy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEAD = ("label", "era", "nationality", "garment", "frames", "kept", "% of kept", "MHMD", "% of MHMD")
FILMS_TOLD = 20


@dataclass(frozen=True, slots=True)
class Counted:
    """Frames by label_id, all of them and those that dedup keeps; and films by how far labels cover their frames.

    `kept` counts all frames of films without verdicts, `judged` says whether any film has some.
    """

    frames: NDArray[np.int64]
    kept: NDArray[np.int64]
    judged: bool
    unlabelled: int
    bare: tuple[str, ...]
    partly: tuple[str, ...]


def count(where: Where, films: Sequence[str]) -> tuple[Taxonomy, Counted]:
    """The taxonomy, and what the labels tables of these films say."""
    import numpy as np
    import pyarrow.compute as pc

    from mhmd.storage import Storage

    where = where.absolute()
    taxonomy = Taxonomy.of(read_manifest(LabelName, where))
    storage, size = Storage(where.data), len(taxonomy.labels)
    frames, kept = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    judged = False
    bare: list[str] = []
    partly: list[str] = []
    for film in films:
        if not storage.exists(table_path(Label, film)):
            continue
        rows = storage.table(table_path(Label, film), ("frame_id", "label_id"))
        of_film = _counts(rows["label_id"].to_numpy(), size)
        frames += of_film
        if of_film[-1]:
            (partly if of_film[:-1].any() else bare).append(film)
        if storage.exists(table_path(Verdict, film)):
            judged = True
            verdicts = storage.table(table_path(Verdict, film), ("frame_id", "kept"))
            good = verdicts.filter(pc.field("kept"))["frame_id"].combine_chunks()
            of_film = _counts(rows.filter(pc.is_in(rows["frame_id"], good))["label_id"].to_numpy(), size)
        kept += of_film
    return taxonomy, Counted(frames[:-1], kept[:-1], judged, int(frames[-1]), tuple(bare), tuple(partly))


def table(taxonomy: Taxonomy, counted: Counted) -> list[tuple[object, ...]]:
    """A row a label, in their order, under `HEAD`."""
    published = sum(label.images for label in taxonomy.labels)
    kept = int(counted.kept.sum())
    return [
        (
            label.label_id,
            label.era,
            label.nationality,
            label.garment,
            int(counted.frames[label.label_id]),
            int(counted.kept[label.label_id]) if counted.judged else "-",
            _percent(int(counted.kept[label.label_id]), kept),
            label.images,
            _percent(label.images, published),
        )
        for label in taxonomy.labels
    ]


def remarks(taxonomy: Taxonomy, counted: Counted) -> list[str]:
    """What the table does not say, a line each: imbalance, labels without frames, frames and films without labels."""
    images = [label.images for label in taxonomy.labels if label.images]
    there = [int(frames) for frames in counted.kept if frames]
    ratio = f"{max(there) / min(there):.0f} to 1" if there else "-"
    beside = f"; MHMD has {max(images) / min(images):.0f} to 1" if images else ""
    total = int(counted.frames.sum()) + counted.unlabelled
    lines = [
        f"largest label over smallest: {ratio}{beside}",
        f"labels without a frame: {sum(not frames for frames in counted.frames)} of {len(taxonomy.labels)}",
        f"frames without a label: {counted.unlabelled} of {total}",
    ]
    for what, films in (("films without any label", counted.bare), ("films labelled in part", counted.partly)):
        if films:
            more = ", …" if len(films) > FILMS_TOLD else ""
            lines.append(f"{what}: {len(films)} ({', '.join(films[:FILMS_TOLD])}{more})")
    return lines


def _counts(label_ids: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    """How often each label comes, and at the end how often none."""
    import numpy as np

    counts: NDArray[np.int64] = np.bincount(np.where(label_ids < 0, size, label_ids), minlength=size + 1)
    return counts


def _percent(part: int, whole: int) -> float | str:
    return round(100 * part / whole, 2) if whole else "-"

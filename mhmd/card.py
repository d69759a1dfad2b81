"""The dataset's card: what is in it and what is missing, in the form that Hugging Face reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

HEAD = """\
---
pretty_name: Colorization dataset rebuilt with mhmd
task_categories: [image-to-image, image-segmentation, image-classification]
configs:
- config_name: default
  data_files:
{data_files}
---

# A colorization dataset of films

Frames of films with human-parsing masks and labels of era × nationality × garment, in WebDataset tars. Each sample is
`<key>.jpg`, `<key>.mask.png` (8-bit gray, a pixel's value is a class index) and `<key>.json`. Splits never divide a
title. Rights in the frames are those of the films.

"""


def card(rows: pd.DataFrame, stats: Mapping[str, Any]) -> str:  # Any: see stats.json
    """Markdown with the splits, the films, the labels, and what is missing."""
    splits = [split for split, shards in stats["shards"].items() if shards]
    data_files = "\n".join(
        f"  - split: {'validation' if split == 'val' else split}\n    path: {split}-*.tar" for split in splits
    )
    text = HEAD.format(data_files=data_files or "  []")
    text += _table(("split", "samples"), stats["samples"].items())
    films = rows.groupby(["title", "film_id", "split"], as_index=False).size()
    text += _table(("title", "film", "split", "samples"), films.itertuples(index=False, name=None))
    named = rows[rows["label_id"] >= 0]
    labels = named.groupby(["label_id", "era", "nationality", "garment"], as_index=False).size()
    text += _table(("label", "era", "nationality", "garment", "samples"), labels.itertuples(index=False, name=None))
    text += f"Samples without a label: {len(rows) - len(named)}.\n\n"
    text += f"Masks: parser `{stats['parser']}`, classes in order: {', '.join(stats['mask_classes'])}.\n\n"
    text += (
        "Kept frames that are left out: {without_mask} without a mask, {few_persons} with too few persons.\n\n".format(
            **stats["left_out"]
        )
    )
    lost = ", ".join(stats["films_missing"]) or "none"
    text += f"Films of the manifest that are not in this dataset: {lost}.\n"
    excluded = "; ".join(f"{film} ({why})" for film, why in stats["films_excluded"].items()) or "none"
    text += f"Films excluded, with the reason: {excluded}.\n"
    left_out = " and ".join(f"{count} of {split}" for split, count in stats["copies_left_out"].items())
    return text + f"Frames left out because a film of another split repeats them: {left_out}.\n"


def _table(head: tuple[str, ...], rows: Any) -> str:  # Any: an iterable of tuples
    lines = [[str(cell).replace("|", r"\|") for cell in line] for line in (head, ("---",) * len(head), *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"

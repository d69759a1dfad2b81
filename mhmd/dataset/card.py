"""The dataset's card: what is in it and what is missing, in the form that Hugging Face reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhmd.splits import SPLITS

if TYPE_CHECKING:
    from mhmd.dataset.facts import Facts

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
title. Rights in the frames are those of the films. `DATASHEET.md` answers what one should ask before using it,
`croissant.json` tells machines, `samples.parquet` has a row a sample with the place of its bytes, `SHA256SUMS` proves
all files.

"""


def card(facts: Facts) -> str:
    """Markdown with the splits, the films, the labels, and what is missing."""
    from mhmd.dataset.facts import absent, counted, table

    splits = [split for split in SPLITS if facts.of(split)]
    data_files = "\n".join(
        f"  - split: {'validation' if split == 'val' else split}\n    path: {split}-*.tar" for split in splits
    )
    text = HEAD.format(data_files=data_files or "  []")
    text += table(("split", "samples", "shards"), [(of, facts.samples(of), len(facts.of(of))) for of in SPLITS])
    text += table(("title", "film", "split", "samples"), counted(facts.rows, "title", "film_id", "split"))
    labels = counted(facts.rows, "label_id", "era", "nationality", "garment")
    named = [row for row in labels if isinstance(row[0], int) and row[0] >= 0]
    text += table(("label", "era", "nationality", "garment", "samples"), named)
    unlabelled = facts.rows.num_rows - sum(int(str(row[-1])) for row in named)
    text += f"Samples without a label: {unlabelled}.\n\n"
    text += f"Masks: parser `{facts.parser}`, classes in order: {', '.join(facts.mask_classes)}.\n\n"
    return text + absent(facts)

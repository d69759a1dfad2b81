"""The original MHMD, as its authors hand it out, into a workspace.

Their layout is `<set>/*.jpg`, `<set>_seg/<stem>_seg.jpg` and `<set>/sign.txt` with a line `name.jpg v1 … v42 ` for each
picture. What it does not say: which film a picture is of, and which label an index of the vectors is.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from mhmd.errors import DatasetError, UsageError
from mhmd.splits import plain
from mhmd.taxonomy import Taxonomy

SIGNS = "sign.txt"
SUFFIXES = (".jpg", ".jpeg")
VALUES = 42
SPLIT_OF_SET = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""Names of sets that say their split."""


@dataclass(frozen=True, slots=True)
class Original:
    """A picture of theirs: its file, its mask's, and the index that its vector has set, -1 without a vector."""

    path: Path
    mask: Path
    index: int


@dataclass(frozen=True, slots=True)
class Found:
    """Pictures by set and title; where no title can be told, the set is the title. `problems` are left out."""

    pictures: dict[tuple[str, str], list[Original]]
    problems: list[str]


def find(folder: Path, title: str = "") -> Found:
    """The pictures of all sets in a folder that have a mask, in order of their names.

    `title` is a regular expression whose first group is the title in a picture's stem. Raises DatasetError when there
    is no set, UsageError for an expression that is none.
    """
    try:
        pattern = re.compile(title) if title else None
    except re.error as error:
        raise UsageError(f"--title {title}: {error}", wanted="a regular expression", do="mend it") from None
    if pattern is not None and not pattern.groups:
        raise UsageError(f"--title {title} has no group", wanted="one, in parentheses, for the title", do="add it")
    masked = [path.with_name(path.name.removesuffix("_seg")) for path in folder.glob("[!.]*_seg") if path.is_dir()]
    sets = sorted({path.parent for path in folder.glob(f"*/{SIGNS}")} | {path for path in masked if path.is_dir()})
    if not sets:
        raise DatasetError(
            f"{folder} has no <set>/{SIGNS}", wanted="the original's layout: <set>/, <set>_seg/", do="check the path"
        )
    found = Found({}, [])
    spelt: dict[str, str] = {}
    for each in sets:
        signed = (each / SIGNS).is_file()
        indices = _signs(each / SIGNS, found.problems) if signed else {}
        if not signed:
            found.problems.append(f"{each.name}: no {SIGNS}; its pictures are taken without labels")
        masks = each.with_name(f"{each.name}_seg")
        named = _pictures(each)
        of_stem = {path.stem: path for path in _pictures(masks).values()}
        found.problems.extend(
            f"{each.name}/{name}: in {SIGNS}, but no such file" for name in sorted({*indices} - {*named})
        )
        for name, path in named.items():
            mask = of_stem.get(f"{path.stem}_seg")
            match = pattern.search(path.stem) if pattern else None
            if mask is None:
                found.problems.append(f"{each.name}/{name}: no mask {masks.name}/{path.stem}_seg.jpg")
            elif pattern and not (match and match.group(1)):
                found.problems.append(f"{each.name}/{name}: no title by --title")
            else:
                told = match.group(1) if match else ""
                key = (each.name, spelt.setdefault(plain(told), told))
                found.pictures.setdefault(key, []).append(Original(path, mask, indices.get(name, -1)))
                if signed and name not in indices:
                    found.problems.append(f"{each.name}/{name}: no line in {SIGNS}; taken without a label")
    if not found.pictures:
        raise DatasetError(
            f"{folder} has no picture with a mask" + (f": {found.problems[0]}" if found.problems else ""),
            wanted="<set>/*.jpg with <set>_seg/*_seg.jpg",
            do="check the path",
        )
    return found


def _pictures(folder: Path) -> dict[str, Path]:
    """The JPEGs of a folder by name, but hidden ones, which are leavings of other systems."""
    if not folder.is_dir():
        return {}
    named = [path for path in sorted(folder.iterdir()) if path.suffix.casefold() in SUFFIXES]
    return {path.name: path for path in named if not path.name.startswith(".") and not path.is_dir()}


def _signs(path: Path, problems: list[str]) -> dict[str, int]:
    """The index that is set in each picture's vector.

    What is no vector of one index, or differs from a line above, is told and left out.
    """
    indices: dict[str, int] = {}
    torn: set[str] = set()
    for number, line in enumerate(path.read_text("utf-8-sig", errors="replace").splitlines(), 1):
        tokens = line.split()
        try:
            first = next((at for at, token in enumerate(tokens) if token.casefold().endswith(SUFFIXES)), 0)
            name, values = " ".join(tokens[: first + 1]), [float(token) for token in tokens[first + 1 :]]
        except ValueError:
            values, name = [], ""
        if not tokens:
            continue
        top = max(values, default=0)
        if len(values) != VALUES or not all(map(isfinite, values)) or top <= 0 or values.count(top) > 1:
            problems.append(f"{path.parent.name}/{SIGNS} line {number}: no {VALUES} values of which one is the highest")
        elif indices.setdefault(name, values.index(top)) != values.index(top):
            problems.append(f"{path.parent.name}/{SIGNS} line {number}: {name} has another index in a line above")
            torn.add(name)
    return {name: index for name, index in indices.items() if name not in torn}


def label_order(found: Found, table: Path | None, taxonomy: Taxonomy) -> tuple[dict[int, int], str]:
    """Index of their vectors → label_id, and how that is known; empty when it is not.

    By a table of the columns index and label_id. Without one, by the counts: MHMD's 42 published counts all differ, so
    that a complete copy tells its order itself. Raises ManifestError for a table that is wrong.
    """
    if table is not None:
        order, note = _order_of(table, taxonomy)
        return order, "; ".join(filter(None, [f"labels are by {table}", note]))
    counts = Counter(
        picture.index for pictures in found.pictures.values() for picture in pictures if picture.index >= 0
    )
    by_count = {label.images: label.label_id for label in taxonomy.labels}
    if len(by_count) == len(taxonomy.labels) and sorted(counts.values()) == sorted(by_count):
        order = {index: by_count[count] for index, count in counts.items()}
        return order, "labels are by their counts, which are all those that were published"
    told = ", ".join(f"{index}: {count}" for index, count in sorted(counts.items()))
    return {}, f"no labels: the order of their vectors is not known; name it with --labels. Pictures by index: {told}"


def _order_of(path: Path, taxonomy: Taxonomy) -> tuple[dict[int, int], str]:
    """Index → label_id by a table, and what was guessed of it."""
    from mhmd.entries import IndexEntry
    from mhmd.manifest.problems import ROW, Problem
    from mhmd.manifest.tabular import read_rows

    checked = read_rows(path, IndexEntry)
    order: dict[int, int] = {}
    found: list[Problem] = []
    for row, index, label_id in zip(
        *(checked.table[name].to_pylist() for name in (ROW, "index", "label_id")), strict=True
    ):
        if index is None or label_id is None:
            continue
        if not 0 <= index < VALUES:
            found.append(Problem(row, "index", f"{index} is not between 0 and {VALUES - 1}"))
        elif index in order:
            found.append(Problem(row, "index", f"{index} stands in a row above, too"))
        if not 0 <= label_id < len(taxonomy.labels):
            found.append(Problem(row, "label_id", f"{label_id} is not in the taxonomy"))
        elif label_id in order.values():
            found.append(Problem(row, "label_id", f"{label_id} stands in a row above, too"))
        order[index] = label_id
    lost = [index for index in range(VALUES) if index not in order]
    if lost and not found and not checked.problems:
        found.append(Problem(0, "index", f"lacks {', '.join(map(str, lost))}"))
    checked.also(found).whole()
    return order, checked.note

"""Does a dataset hold what it says? Checksums, counts, every sample, and no title in two splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import DatasetError
from mhmd.sample import MEMBERS, Sample, from_members
from mhmd.sink import listed
from mhmd.splits import SplitConfig
from mhmd.stage import Where

if TYPE_CHECKING:
    import pandas as pd

BLOCK_BYTES = 1 << 22


def check(out: str | Path, progress: Callable[[int, int, str], None] = lambda *_: None) -> list[str]:
    """Everything that is wrong with a dataset, a line each; empty when it is sound.

    Raises DatasetError when the folder holds no dataset at all.
    """
    out = Path(out)
    sums = read_sums(out)
    problems = [f"{name}: {how}" for name, how in _broken_files(out, sums, progress)]
    if problems:
        return problems
    import pyarrow.parquet as pq

    rows = pq.read_table(out / "samples.parquet").to_pandas()
    problems += [f"sample {key}: its key comes twice" for key in rows["key"][rows["key"].duplicated()]]
    splits = rows.groupby("title")["split"].agg(lambda of: sorted(set(of)))
    problems += [f"title {title!r}: in {' and '.join(of)}" for title, of in splits.items() if len(of) > 1]
    shards = sorted(name for name in sums if name.endswith(".tar"))
    for number, shard in enumerate(shards):
        problems += _shard_problems(out / shard, rows[rows["shard"] == shard])
        progress(number + 1, len(shards), shard)
    return problems


def check_splits(
    out: str | None,
    where: Where,
    radius: int,
    config: SplitConfig,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> tuple[list[str], str]:
    """Everything that lies in two splits of a dataset or, without one, of a workspace, a line each; and a remark."""
    from mhmd.leaks import leaks_of_dataset, leaks_of_workspace

    if out is not None:
        return leaks_of_dataset(Path(out), radius, config, where.films, progress), ""
    return leaks_of_workspace(where, radius, config, progress)


def read_sums(out: Path) -> dict[str, str]:
    """SHA-256 by file name, of SHA256SUMS. Raises DatasetError when the folder holds no dataset."""
    sums = listed(out)
    if not sums:
        found = "has no SHA256SUMS that lists files" if out.is_dir() else "is no folder"
        raise DatasetError(f"{out} {found}", wanted="a dataset that `mhmd shard` made", do="check the path")
    return sums


def _broken_files(
    out: Path, sums: dict[str, str], progress: Callable[[int, int, str], None]
) -> Iterator[tuple[str, str]]:
    for number, (name, wanted) in enumerate(sums.items()):
        if not (out / name).is_file():
            yield name, "is missing"
            continue
        digest = hashlib.sha256()
        with (out / name).open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
        if digest.hexdigest() != wanted:
            yield name, "its bytes are not those of SHA256SUMS"
        progress(number + 1, len(sums), name)
    for path in sorted(out.glob("*.tar")):
        if path.name not in sums:
            yield path.name, "is not listed in SHA256SUMS"


def _shard_problems(path: Path, rows: pd.DataFrame) -> Iterator[str]:
    """What is wrong with one shard, whose samples are the rows in order."""
    import tarfile

    contents: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, extension = member.name.partition(".")
            if not member.isfile() or "/" in member.name or extension not in MEMBERS:
                yield f"{path.name}: member {member.name!r} is not of a sample"
                continue
            file = tar.extractfile(member)
            assert file is not None
            contents.setdefault(key, {})[extension] = file.read()
    if list(contents) != rows["key"].tolist():
        yield f"{path.name}: its {len(contents)} samples are not the {len(rows)} of samples.parquet"
    titles = Counter(rows["split"])
    if any(not path.name.startswith(f"{split}-") for split in titles):
        yield f"{path.name}: samples.parquet puts samples of {', '.join(titles)} into it"
    for key, members in contents.items():
        try:
            yield from _sample_problems(from_members(key, members))
        except DatasetError as error:
            yield f"{path.name}: {error.found}"


def _sample_problems(sample: Sample) -> Iterator[str]:
    import numpy as np

    from mhmd.media.opencv import cv2

    key, size = sample.info.key, (sample.info.height, sample.info.width)
    picture, mask = (
        cv2.imdecode(np.frombuffer(data, np.uint8), how) if data else None
        for data, how in ((sample.jpeg, cv2.IMREAD_COLOR), (sample.mask_png, cv2.IMREAD_UNCHANGED))
    )
    if picture is None or picture.shape[:2] != size:
        yield f"sample {key}: its picture is {'damaged' if picture is None else picture.shape[:2]}, not {size}"
    if mask is None or mask.dtype != np.uint8 or mask.shape != size:
        yield f"sample {key}: its mask is {'damaged' if mask is None else mask.shape}, not 8-bit gray of {size}"

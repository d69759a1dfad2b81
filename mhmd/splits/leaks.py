"""Does anything lie in two splits? Titles, titles that belong together, and frames that are nearly the same."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.cores import cores
from mhmd.entries import FilmEntry, SplitEntry
from mhmd.errors import DatasetError, MissingInput
from mhmd.inputs import table_path
from mhmd.manifest.named import faults_of, read_manifest
from mhmd.measures.signature import BYTES, signatures_of
from mhmd.records import Frame, Verdict
from mhmd.splits.blocks import blocks_of, copies, torn
from mhmd.splits.deal import SplitConfig
from mhmd.splits.titles import links_of_titles
from mhmd.stage import Where

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage

PAIRS_TOLD = 10

Progress = Callable[[int, int, str], None]


def leaks(
    out: str | None, where: Where, radius: int, config: SplitConfig, progress: Progress = lambda *_: None
) -> tuple[list[str], str]:
    """Everything that lies in two splits of a dataset or, without one, of a workspace, a line each; and a remark."""
    if out is not None:
        return leaks_of_dataset(Path(out), radius, config, where.films, progress), ""
    return leaks_of_workspace(where, radius, config, progress)


def leaks_of_dataset(
    out: Path, radius: int, config: SplitConfig, films: str = "", progress: Progress = lambda *_: None
) -> list[str]:
    """What lies in two splits of a dataset, a line each; empty when nothing does.

    Pictures are looked at as `extract` looks at frames, and compared as `dedup` does, within `radius` bits. With a
    films manifest its titles count as well, by film_id, and titles of one group count as one. Raises DatasetError when
    the folder holds no dataset.
    """
    import pyarrow.parquet as pq

    if not (out / "samples.parquet").is_file():
        raise DatasetError(
            f"{out} has no samples.parquet", wanted="a dataset that `mhmd shard` made", do="check the path"
        )
    rows = pq.read_table(out / "samples.parquet", columns=["key", "film_id", "title", "split", "shard"])
    lines = _torn_titles(rows)
    if films:
        manifest = read_manifest(FilmEntry, Where("", films=films))
        renamed = _renamed(rows, manifest)
        lines += [line for line in _torn_titles(renamed) if line not in lines]
        lines += _torn_blocks("", manifest, _first_split(renamed), config)
    return lines + _near(_looked_at(out, rows, progress), radius, progress)


def leaks_of_workspace(
    where: Where, radius: int, config: SplitConfig, progress: Progress = lambda *_: None
) -> tuple[list[str], str]:
    """What would lie in two splits if a workspace were made to shards, a line each; and what shards leave out of it.

    Looks at the splits manifest, the groups of the films manifest, the frames that titles share, and at all kept
    frames. Raises MissingInput when a title has no split, UsageError, ManifestError.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from mhmd.storage import Storage

    where = where.absolute()
    storage = Storage(where.data)
    if where.films:
        faults_of({FilmEntry, SplitEntry}, where).refuse()
    manifest = read_manifest(FilmEntry, where)
    manifest = manifest.filter(manifest["exclude"].is_null())
    splits = read_manifest(SplitEntry, where)
    split_of = dict(zip(splits["title"].to_pylist(), splits["split"].to_pylist(), strict=True))
    lines = _torn_blocks(where.data, manifest, split_of, config)
    title_of = dict(zip(manifest["film_id"].to_pylist(), manifest["title"].to_pylist(), strict=True))
    there = [film for film in storage.names(Verdict.TABLE, ".parquet") if film in title_of]
    lost = sorted({title_of[film] for film in there} - split_of.keys())
    if lost or not there:
        raise MissingInput(
            f"no split for {', '.join(lost)}" if lost else f"{where.data} has no verdicts",
            wanted="a split for every title" if lost else "frames of which dedup says which are kept",
            do="run `mhmd split`" if lost else "run `mhmd dedup` first",
        )
    verdicts = pa.concat_tables([storage.table(table_path(Verdict, film)) for film in there])
    left_out = copies(verdicts, {film: split_of[title_of[film]] for film in there})
    parts = [_kept(storage, film, title_of[film], split_of[title_of[film]]) for film in there]
    rows = pa.concat_tables(parts)
    rows = rows.filter(pc.invert(pc.is_in(rows["key"], left_out)))
    told = f"{len(left_out)} frames of val and test are repeated in another split; shards leave them out"
    return lines + _near(rows, radius, progress), told


def _torn_titles(rows: pa.Table) -> list[str]:
    pairs = rows.group_by(["title", "split"]).aggregate([]).to_pylist()
    splits: dict[str, list[str]] = {}
    for pair in pairs:
        splits.setdefault(pair["title"], []).append(pair["split"])
    return [f"title {title!r}: in {' and '.join(sorted(of))}" for title, of in sorted(splits.items()) if len(of) > 1]


def _renamed(rows: pa.Table, films: pa.Table) -> pa.Table:
    """Samples with the titles that the films manifest has now; those of films that it has not keep theirs."""
    import pyarrow.compute as pc

    place = pc.index_in(rows["film_id"], films["film_id"].combine_chunks()).combine_chunks()
    now = films["title"].combine_chunks().take(place)
    return rows.set_column(rows.column_names.index("title"), "title", pc.coalesce(now, rows["title"]))


def _first_split(rows: pa.Table) -> dict[str, str]:
    pairs = rows.group_by(["title"]).aggregate([("split", "min")]).to_pylist()
    return {pair["title"]: pair["split_min"] for pair in pairs}


def _torn_blocks(data: str, films: pa.Table, split_of: dict[str, str], config: SplitConfig) -> list[str]:
    links = links_of_titles(data, films, config.max_shared)
    return torn(blocks_of(films["title"].unique().to_pylist(), links), links, split_of)


def _kept(storage: Storage, film: str, title: str, split: str) -> pa.Table:
    """The kept frames of a film: key, title, split, phash."""
    import pyarrow as pa
    import pyarrow.compute as pc

    verdicts = storage.table(table_path(Verdict, film), ("frame_id", "kept"))
    kept = verdicts.filter(pc.field("kept"))["frame_id"].combine_chunks()
    frames = storage.table(table_path(Frame, film), ("frame_id", "phash", "signature"))
    frames = frames.filter(pc.is_in(frames["frame_id"], kept))
    constant = [pa.array([value] * len(frames), pa.string()) for value in (film, title, split)]
    columns = [frames["frame_id"], *constant, frames["phash"], frames["signature"]]
    return pa.table(dict(zip(("key", "film_id", "title", "split", "phash", "signature"), columns, strict=True)))


def _looked_at(out: Path, rows: pa.Table, progress: Progress) -> pa.Table:
    """The rows with phash and signature of each sample's picture, read from the shards."""
    import pyarrow as pa

    shards = sorted(set(rows["shard"].to_pylist()))
    seen: dict[str, tuple[int | None, bytes]] = {}
    with ThreadPoolExecutor(cores(), thread_name_prefix="look") as pool:
        for number, found in enumerate(pool.map(lambda shard: _seen_in(out / shard), shards)):
            seen |= found
            progress(number + 1, len(shards), shards[number])
    both = [seen.get(key, (None, bytes(BYTES))) for key in rows["key"].to_pylist()]
    hashes, signatures = ([each[place] for each in both] for place in (0, 1))
    rows = rows.append_column("phash", pa.array(hashes, pa.uint64()))
    return rows.append_column("signature", pa.array(signatures, pa.binary(BYTES)))


def _seen_in(shard: Path) -> dict[str, tuple[int | None, bytes]]:
    """By key: phash and signature of the pictures in a shard."""
    import tarfile

    from mhmd.hashing.phash import phash
    from mhmd.measures import measure
    from mhmd.media.jpeg import decode_jpeg

    found = {}
    with tarfile.open(shard) as tar:
        for member in tar:
            key, _, extension = member.name.partition(".")
            file = tar.extractfile(member) if extension == "jpg" else None
            if file is not None:
                picture = decode_jpeg(file.read())
                found[key] = (phash(picture), measure(picture).signature)
    return found


def _near(rows: pa.Table, radius: int, progress: Progress) -> list[str]:
    """The nearest pairs of frames in different splits that show the same, as dedup sees it, and how many there are."""
    import numpy as np

    from mhmd.duplicates.alike import ALIKE, judge
    from mhmd.hashing.hamming import pairs_within

    hashed = rows.filter(rows["phash"].is_valid()).combine_chunks()
    split: Any = hashed["split"].to_numpy(zero_copy_only=False)  # Any: text
    signatures = signatures_of(hashed["signature"])
    together = np.zeros(len(hashed), np.int32)
    count, nearest = 0, list[tuple[int, int, int]]()
    hashes = hashed["phash"].to_numpy().astype(np.uint64)
    for pairs in pairs_within(hashes, radius, progress=lambda done, total: progress(done, total, "frames")):
        apart = split[pairs.first] != split[pairs.second]
        first, second, distance = (end[apart] for end in pairs)
        codes = np.empty(len(first), np.uint8)
        judge(first, second, signatures, together, codes)
        alike = codes == ALIKE
        count += int(alike.sum())
        nearest += zip(distance[alike].tolist(), first[alike].tolist(), second[alike].tolist(), strict=True)
        nearest = sorted(nearest)[:PAIRS_TOLD]
    if not count:
        return []
    keys, titles = hashed["key"], hashed["title"]
    lines = [f"{count} pairs of frames in different splits are nearly the same (at most {radius} bits of 64)"]
    for bits, *places in nearest:
        ends = [f"{keys[end]} ({split[end]}, {titles[end]})" for end in places]
        lines.append(f"{' and '.join(ends)}: {bits} bits apart")
    return lines

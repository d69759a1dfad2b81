"""Every loader finds the same samples: ours, webdataset, wids, datasets, mlcroissant."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset as wds
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

import mhmd
from mhmd.errors import DatasetError
from mhmd.records import Label
from mhmd.sample import Sample, from_members, info_from_json, members
from tests.corpus import Corpus, make_corpus, mask_of


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Nine films of four frames: twelve samples a split, in shards of five."""
    made = make_corpus(tmp_path_factory.mktemp("corpus"), films=9)
    made.shard(max_samples=5)
    return made


def keys_of(samples: object) -> list[str]:
    return [sample.info.key for sample in samples]  # type: ignore[attr-defined]  # an iterable of Loaded


def rows_of(corpus: Corpus, split: str) -> list[dict]:
    rows = pq.read_table(corpus.root / "out" / "samples.parquet").to_pylist()
    return [row for row in rows if row["split"] == split]


def shards_of(corpus: Corpus, split: str) -> list[str]:
    return [str(path) for path in sorted((corpus.root / "out").glob(f"{split}-*.tar"))]


def indices(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves files open
def test_webdataset_raw_and_decoded_gives_what_load_gives(corpus: Corpus) -> None:
    ours = {sample.info.key: sample for sample in mhmd.load(corpus.root / "out", "train")}
    assert sorted(ours) == sorted(row["key"] for row in rows_of(corpus, "train"))
    shards = shards_of(corpus, "train")
    raw = {one["__key__"]: one for one in wds.WebDataset(shards, shardshuffle=False)}
    assert list(raw) == list(ours)
    decoded = wds.WebDataset(shards, shardshuffle=False).decode(wds.handle_extension("mask.png", indices), "rgb8")
    for one in decoded:
        sample, key = ours[one["__key__"]], one["__key__"]
        assert np.array_equal(one["mask.png"], sample.mask.numpy())
        assert np.array_equal(one["mask.png"], mask_of(int(key[-10:]), corpus.size))
        assert np.abs(one["jpg"].astype(int) - sample.picture.permute(1, 2, 0).numpy()).max() <= 2
        assert from_members(key, raw[key]).info == sample.info
        assert one["json"]["time_s"] == sample.info.time_s
    gc.collect()


@pytest.mark.filterwarnings("ignore")  # of wids' own
def test_wids_reads_any_sample_by_number(corpus: Corpus, capfd: pytest.CaptureFixture[str]) -> None:
    from wids import ShardListDataset

    index = str(corpus.root / "out" / "wids-train.json")
    found = ShardListDataset(index, base=str(corpus.root / "out"), transformations=[])
    rows = rows_of(corpus, "train")
    assert len(found) == len(rows)
    for number in (7, 0, 11):
        assert found[number]["__key__"] == rows[number]["key"]
        mask = found[number][".mask.png"]
        assert np.array_equal(indices(mask.read()), mask_of(int(rows[number]["key"][-10:]), corpus.size))
    capfd.readouterr()
    gc.collect()


@pytest.mark.filterwarnings("ignore")  # of datasets' own
def test_datasets_reads_the_tars(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    files = {"train": str(corpus.root / "out" / "train-*.tar")}
    rows = load_dataset("webdataset", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["__key__"] == [row["key"] for row in rows_of(corpus, "train")]
    assert rows[1]["json"]["label_id"] == 13
    assert np.array_equal(np.asarray(rows[0]["mask.png"]), mask_of(int(rows[0]["__key__"][-10:]), corpus.size))


@pytest.mark.filterwarnings("ignore")  # of mlcroissant's own
def test_croissant_is_valid_and_leads_to_the_rows(corpus: Corpus) -> None:
    place = str(corpus.root / "out" / "croissant.json")
    command = "from mlcroissant.scripts.validate import main; import sys; from absl import app; app.run(main)"
    done = subprocess.run(
        [sys.executable, "-c", command, "--jsonld", place], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    import mlcroissant

    records = list(mlcroissant.Dataset(place).records("samples"))
    rows = pq.read_table(corpus.root / "out" / "samples.parquet").to_pylist()
    assert [record["samples/offset"] for record in records] == [row["offset"] for row in rows]
    assert records[0]["samples/key"].decode() == rows[0]["key"]


@given(st.integers(1, 7), st.sampled_from([0, 1, 4]), st.booleans())
def test_an_epoch_has_every_sample_once_over_ranks(corpus: Corpus, ranks: int, shuffle: int, even: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", str(ranks))
        seen: list[list[str]] = []
        for rank in range(ranks):
            patch.setenv("RANK", str(rank))
            samples = mhmd.load(corpus.root / "out", "train", shuffle=shuffle, even=even)
            seen.append(keys_of(samples))
            assert len(seen[-1]) == len(samples)
    keys = [row["key"] for row in rows_of(corpus, "train")]
    together = [key for of in seen for key in of]
    assert sorted(set(together)) == sorted(keys)
    if even:
        assert {len(of) for of in seen} == {-(-len(keys) // ranks)}
    else:
        assert len(together) == len(keys)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores: meant
def test_an_epoch_has_every_sample_once_over_more_workers_than_shards(corpus: Corpus) -> None:
    samples = mhmd.load(corpus.root / "out", "test", shuffle=3)
    loader = DataLoader(samples, batch_size=None, num_workers=4)
    assert len(shards_of(corpus, "test")) < 4
    assert sorted(keys_of(loader)) == sorted(row["key"] for row in rows_of(corpus, "test"))


def test_epochs_have_orders_of_their_own_that_the_seed_decides(corpus: Corpus) -> None:
    out = corpus.root / "out"
    samples = mhmd.load(out, shuffle=6)
    first, second = keys_of(samples), keys_of(samples)
    assert sorted(first) == sorted(second)
    assert first != second
    samples.epoch = 0
    assert keys_of(samples) == first
    assert keys_of(mhmd.load(out, shuffle=6)) == first
    assert keys_of(mhmd.load(out, shuffle=6, seed=1)) != first
    assert keys_of(mhmd.load(out)) == [row["key"] for row in rows_of(corpus, "train")]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores: meant
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_see_which_epoch_it_is(corpus: Corpus, persistent: bool) -> None:
    samples = mhmd.load(corpus.root / "out", shuffle=6)
    loader = DataLoader(samples, batch_size=None, num_workers=2, persistent_workers=persistent)
    orders = []
    for epoch in (0, 1, 0):
        samples.epoch = epoch
        orders.append(keys_of(loader))
    assert orders[0] == orders[2]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_threads_change_nothing_and_end_with_who_reads(corpus: Corpus) -> None:
    out = corpus.root / "out"
    assert keys_of(mhmd.load(out, shuffle=6, threads=3)) == keys_of(mhmd.load(out, shuffle=6))
    samples = iter(mhmd.load(out, threads=2))
    next(samples)
    samples.close()  # type: ignore[attr-defined]  # a generator
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load")]


def test_newer_labels_are_laid_over(corpus: Corpus, tmp_path: Path) -> None:
    key = rows_of(corpus, "train")[2]["key"]
    newer = make_corpus(tmp_path, films=1, frames=1)
    names = {"label_id": 0, "era": "Before WWII", "nationality": "China", "garment": "communist uniform"}
    newer.write("film000", Label, {"film_id": "film000", "frame_id": [key], **names}, 1)
    found = {one.info.key: one.info for one in mhmd.load(corpus.root / "out", labels=tmp_path / "data" / "labels")}
    assert (found[key].label_id, found[key].era_id, found[key].garment) == (0, 0, "communist uniform")
    del found[key]
    assert {info.label_id for info in found.values()} == {13}


def test_what_is_no_dataset_or_damaged_or_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no dataset"):
        mhmd.load(tmp_path)
    single = make_corpus(tmp_path, films=1)
    single.shard()
    with pytest.raises(DatasetError, match=r"the val split of .* is empty"):
        mhmd.load(tmp_path / "out", "val")
    with pytest.raises(DatasetError, match="labels"):
        mhmd.load(tmp_path / "out", labels=tmp_path / "nothing")
    shard = tmp_path / "out" / "train-000000.tar"
    data = bytearray(shard.read_bytes())
    data[512 : 512 + 400] = bytes(400)
    shard.write_bytes(data)
    with pytest.raises(Exception, match="no JPEG"):
        keys_of(mhmd.load(tmp_path / "out"))


def test_a_sample_survives_its_members(corpus: Corpus) -> None:
    info = next(iter(mhmd.load(corpus.root / "out"))).info
    one = Sample(b"jpeg", b"png", info)
    contents = {name.partition(".")[2]: data for name, data in members(one)}
    assert from_members(info.key, contents) == one
    assert isinstance(json.loads(contents["json"])["time_s"], float)
    text = contents["json"]
    for wrong in (b"[]", b"{", text.replace(b'"title"', b'"name"'), text.replace(b".0", b"", 1)):
        with pytest.raises(DatasetError):
            info_from_json("k", wrong)

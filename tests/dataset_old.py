"""A dataset is read by webdataset, by datasets and by `check`, which finds whatever is wrong with it."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import webdataset as wds
from PIL import Image

from mhmd.check import check
from mhmd.errors import DatasetError
from mhmd.records import SampleInfo, SampleRow
from mhmd.sample import Sample, from_members, info_from_json, members, without_band
from mhmd.sink import DatasetSink

CLASSES = 6
MASK = (np.arange(16 * 24).reshape(16, 24) % CLASSES).astype(np.uint8)


def sample(number: int, title: str = "Alpha") -> Sample:
    """A sample of 24×16 px whose mask has every class."""
    picture = np.full((16, 24, 3), 40 * number, np.uint8)
    mask = MASK
    key = f"{title.lower()}_{number:010d}"
    info = SampleInfo(
        *(key, title.lower(), title, key, "train", 13, 1, 0, 2, "During WWII", "China", "formal"),
        *(number, 1.0 * number, 24, 16, 0, 0, 24, 16, "selfie-multiclass", 0.0, 1.0),
    )
    return Sample(cv2.imencode(".jpg", picture)[1].tobytes(), cv2.imencode(".png", mask)[1].tobytes(), info)


def dataset(out: Path, shards: dict[str, list[Sample]]) -> Path:
    sink = DatasetSink(out, lambda *_: None)
    for shard, samples in shards.items():
        sink.tar(shard)
        for one in samples:
            for name, data in members(one):
                sink.put(name, data)
        sink.rows([SampleRow(**{f: getattr(one.info, f) for f in one.info.__slots__}, shard=shard) for one in samples])
    sink.commit("digest")
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return dataset(tmp_path / "out", {"train-000000.tar": [sample(0), sample(1)], "train-000001.tar": [sample(2)]})


def test_a_sample_survives_its_members() -> None:
    one = sample(3)
    contents = {name.partition(".")[2]: data for name, data in members(one)}
    assert from_members(one.info.key, contents) == one
    values = json.loads(contents["json"])
    assert isinstance(values["time_s"], float)
    assert b'"person_share":0.0' in contents["json"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves files open
def test_every_loader_finds_the_same_samples(out: Path) -> None:
    shards = [str(path) for path in sorted(out.glob("*.tar"))]
    raw = {one["__key__"]: one for one in wds.WebDataset(shards, shardshuffle=False)}
    assert list(raw) == [sample(number).info.key for number in range(3)]
    for number in range(3):
        one = sample(number)
        assert from_members(one.info.key, raw[one.info.key]) == one

    def indices(png: bytes) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(png)))

    as_documented = wds.WebDataset(shards, shardshuffle=False)
    for decoded in as_documented.decode(wds.handle_extension("mask.png", indices), "rgb8"):
        assert np.array_equal(decoded["mask.png"], MASK)
        assert decoded["jpg"].shape == (16, 24, 3)
        assert decoded["json"]["garment"] == "formal"
    for decoded in wds.WebDataset(shards, shardshuffle=False).decode("pil"):
        assert np.array_equal(np.asarray(decoded["mask.png"])[..., 0], MASK)
    gc.collect()


@pytest.mark.filterwarnings("ignore")  # of datasets' own
def test_datasets_reads_the_tars(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    files = {"train": str(out / "train-*.tar")}
    rows = load_dataset("webdataset", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["__key__"] == [sample(number).info.key for number in range(3)]
    assert rows[1]["json"]["label_id"] == 13
    assert np.array_equal(np.asarray(rows[0]["mask.png"]), MASK)


def test_a_sound_dataset_has_no_problems(out: Path) -> None:
    assert check(out) == []


def seal(out: Path) -> None:
    """Make SHA256SUMS true again after a change."""
    files = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(sums))


def retar(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> None:
    """Rewrite a tar with its members changed."""
    with tarfile.open(path) as tar:
        contents = [(m.name, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]  # all are files
    with tarfile.open(path, "w") as tar:
        for name, data in filter(None, (change(*member) for member in contents)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_a_flipped_byte_and_a_cut_and_a_lost_and_a_foreign_file_are_found(out: Path) -> None:
    shard = out / "train-000000.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    assert check(out) == ["train-000000.tar: its bytes are not those of SHA256SUMS"]
    shard.write_bytes(data[:1000])
    assert check(out) == ["train-000000.tar: its bytes are not those of SHA256SUMS"]
    shard.unlink()
    (out / "val-000000.tar").write_bytes(b"")
    assert check(out) == ["train-000000.tar: is missing", "val-000000.tar: is not listed in SHA256SUMS"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda n, d: None if n.endswith("1.mask.png") else (n, d), "sample alpha_0000000001 has no mask.png"),
        (lambda n, d: (n, b"\x89PNG") if n.endswith("1.mask.png") else (n, d), "its mask is damaged"),
        (lambda n, d: (n, d[:60]) if n.endswith("1.jpg") else (n, d), "its picture is damaged"),
        (lambda n, d: (n, d.replace(b'"label_id":13', b'"label_id":"13"')), "label_id of alpha_"),
        (lambda n, d: ("../" + n, d), "is not of a sample"),
        (lambda n, d: None if n.startswith("alpha_0000000001") else (n, d), "are not the 2 of samples.parquet"),
    ],
)
def test_what_is_wrong_inside_a_shard_is_found(
    out: Path, change: Callable[[str, bytes], tuple[str, bytes] | None], problem: str
) -> None:
    retar(out / "train-000000.tar", change)
    seal(out)
    problems = check(out)
    assert any(problem in line for line in problems), problems
    assert all(line.startswith(("train-000000.tar", "sample alpha")) for line in problems)


def test_a_title_torn_apart_is_found(tmp_path: Path) -> None:
    other = sample(1)
    other = replace(other, info=replace(other.info, split="val"))
    out = dataset(tmp_path / "out", {"train-000000.tar": [sample(0)], "val-000000.tar": [other]})
    assert check(out) == ["title 'Alpha': in train and val"]


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no SHA256SUMS"):
        check(tmp_path)
    with pytest.raises(DatasetError, match="is no folder"):
        check(tmp_path / "nothing")
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"has thesis\.txt in it"):
        DatasetSink(tmp_path, lambda *_: None)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_json_with_other_fields_is_told() -> None:
    text = members(sample(0))[2][1]
    for wrong in (b"[]", b"{", text.replace(b'"title"', b'"name"'), text.replace(b"1.0", b"1", 1)):
        with pytest.raises(DatasetError):
            info_from_json("k", wrong)


@pytest.mark.parametrize(
    ("band", "kept", "crop"),
    [((10, 14), (0, 10), (100, 20)), ((1, 5), (5, 16), (110, 22)), ((0, 15), (15, 16), (130, 2))],
)
def test_subtitles_are_cut_off_picture_and_mask_alike(
    band: tuple[int, int], kept: tuple[int, int], crop: tuple[int, int]
) -> None:
    whole = sample(1)
    rows = np.repeat(np.arange(16, dtype=np.uint8)[:, None, None] * 12, 24, axis=1).repeat(3, axis=2)
    whole = replace(
        whole, jpeg=cv2.imencode(".jpg", rows)[1].tobytes(), info=replace(whole.info, crop_y=100, crop_h=32)
    )
    cut = without_band(whole, band)
    picture = np.array(Image.open(io.BytesIO(cut.jpeg)))
    assert picture.shape == (kept[1] - kept[0], 24, 3)
    assert np.abs(picture.astype(int) - rows[slice(*kept)]).max() <= 12
    assert np.array_equal(np.array(Image.open(io.BytesIO(cut.mask_png))), MASK[slice(*kept)])
    assert (cut.info.width, cut.info.height) == (24, kept[1] - kept[0])
    assert (cut.info.crop_y, cut.info.crop_h) == crop
    assert replace(cut.info, height=16, crop_y=100, crop_h=32) == whole.info

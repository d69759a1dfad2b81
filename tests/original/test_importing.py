"""The original's layout goes into a workspace, and from there to shards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mhmd.build import split
from mhmd.dataset.check import check
from mhmd.entries import LabelName
from mhmd.errors import DatasetError, ManifestError, UsageError
from mhmd.make import make
from mhmd.original.importing import import_mhmd
from mhmd.original.layout import find, label_order
from mhmd.parsing.cihp import CLASSES, PALETTE
from mhmd.splits.deal import SplitConfig
from mhmd.stage import Where
from mhmd.stages import stage
from mhmd.storage import Storage
from mhmd.taxonomy import Taxonomy, load_taxonomy

PANTS = CLASSES.index("pants")


def picture(seed: int) -> bytes:
    """A small picture in colours, unlike any other."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 220, (6, 6, 3), np.uint8)
    fine = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC) // 2 + rng.integers(0, 60, (96, 96, 3), np.uint8)
    return cv2.imencode(".jpg", fine, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def mask() -> bytes:
    classes = np.zeros((96, 96), np.uint8)
    classes[24:72, 24:72] = PANTS
    return cv2.imencode(".jpg", np.array(PALETTE, np.uint8)[classes][..., ::-1])[1].tobytes()


def original(root: Path, sets: dict[str, list[tuple[str, int]]]) -> Path:
    """Sets of pictures by name, and the index that the vector of each has set."""
    seed = 0
    for name, pictures in sets.items():
        (root / name).mkdir(parents=True)
        (root / f"{name}_seg").mkdir()
        lines = []
        for stem, index in pictures:
            seed += 1
            (root / name / f"{stem}.jpg").write_bytes(picture(seed))
            (root / f"{name}_seg" / f"{stem}_seg.jpg").write_bytes(mask())
            vector = " ".join("1" if at == index else "0" for at in range(42))
            lines.append(f"{stem}.jpg {vector} \n")
        (root / name / "sign.txt").write_text("".join(lines))
    return root


SETS = {
    "train": [(f"heroes_{n}", 7) for n in range(6)] + [("dawn_1", 41)],
    "test": [(f"dusk_{n}", 0) for n in range(4)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return original(tmp_path / "MHMD", SETS)


@pytest.fixture
def order(tmp_path: Path) -> Path:
    """Their order is ours, backwards."""
    rows = {"index": range(42), "label_id": range(41, -1, -1)}
    pd.DataFrame(rows).to_csv(tmp_path / "order.csv", index=False)
    return tmp_path / "order.csv"


def test_it_goes_all_the_way_to_shards(folder: Path, order: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    result = import_mhmd(folder, str(data), order, "", 2)
    assert result.films == [("test", "test", 4, 4), ("train", "train", 7, 7)]
    assert result.left_out == 0
    root = str(tmp_path)
    where = Where(str(data), f"{root}/out", f"{data}/films.parquet", splits=f"{root}/splits.parquet")
    for name in ("screen", "dedup"):
        verb = stage(name)
        assert make(verb, verb.config(), where, on="serial").count("made")
    assert split(where, SplitConfig()).split_of == {"MHMD test": "test", "MHMD train": "train"}
    verb = stage("shard")
    assert make(verb, verb.config(), where, on="serial").count("made") == 1
    assert check(where.out) == []
    samples = pq.read_table(tmp_path / "out" / "samples.parquet").to_pandas().set_index("key")
    assert len(samples) == 11
    assert samples.loc["test_0000000000", ["label_id", "garment"]].tolist() == [41, "non-formal"]
    assert samples.loc["train_0000000001", "label_id"] == 34
    assert set(samples["parser"]) == {"mhmd-original"}
    assert samples["clothes_share"].between(0.24, 0.26).all()
    storage = Storage(str(data))
    frames = storage.table("frames/test.parquet").to_pylist()
    pictures = sorted((folder / "test").glob("*.jpg"))
    for row, path in zip(frames, pictures, strict=True):
        name, offset, size = row["ref"].rsplit(":", 2)
        assert storage.read(name, int(offset), int(size)) == path.read_bytes()
        assert row["phash"] is not None


def test_the_same_folder_gives_the_same_bytes(folder: Path, order: Path, tmp_path: Path) -> None:
    made = []
    for name, workers in (("one", 1), ("two", 3)):
        import_mhmd(folder, str(tmp_path / name), order, "", workers)
        files = [path for path in sorted((tmp_path / name).rglob("*")) if path.is_file()]
        made.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    assert made[0] == made[1]


def test_titles_by_a_regular_expression(folder: Path, order: Path, tmp_path: Path) -> None:
    result = import_mhmd(folder, str(tmp_path / "data"), order, "([a-z]+)_", 1)
    assert result.films == [("test-dusk", "", 4, 4), ("train-dawn", "", 1, 1), ("train-heroes", "", 6, 6)]
    films = pd.read_parquet(tmp_path / "data" / "films.parquet")
    assert films["title"].tolist() == ["dusk", "dawn", "heroes"]
    assert films["split"].isna().all()
    with pytest.raises(UsageError, match="no group"):
        find(folder, "[a-z]+")
    with pytest.raises(UsageError, match="a regular expression"):
        find(folder, "(")


def test_without_their_order_there_are_no_labels_unless_the_counts_tell(folder: Path, tmp_path: Path) -> None:
    result = import_mhmd(folder, str(tmp_path / "data"), None, "", 1)
    assert [row[3] for row in result.films] == [0, 0]
    assert "Pictures by index: 0: 4, 7: 6, 41: 1" in result.lines[0]
    images = {7: 6, 12: 4, 30: 1}
    labels = [replace(load_taxonomy().labels[label_id], images=count) for label_id, count in images.items()]
    small = Taxonomy(tuple(labels))
    order, how = label_order(find(folder), None, small)
    assert order == {7: 7, 0: 12, 41: 30}
    assert "by their counts" in how
    alike = Taxonomy((*labels[:2], LabelName(30, "a", "b", "c", 4)))
    assert label_order(find(folder), None, alike)[0] == {}


def test_what_cannot_be_used_is_named_and_the_rest_taken(folder: Path, order: Path, tmp_path: Path) -> None:
    train = folder / "train"
    (train / "heroes_0.jpg").write_bytes(b"no picture")
    (folder / "train_seg" / "heroes_1_seg.jpg").unlink()
    (train / "heroes_2.jpg").unlink()
    (train / "new.jpg").write_bytes(picture(99))
    (folder / "train_seg" / "new_seg.jpg").write_bytes(mask())
    signs = (train / "sign.txt").read_text()
    (train / "sign.txt").write_text(signs.replace("heroes_3.jpg 0", "heroes_3.jpg 1") + "\nshort.jpg 0 1 \n")
    small = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    (folder / "train_seg" / "heroes_4_seg.jpg").write_bytes(small)
    (train / "gone.jpg").symlink_to("nowhere")
    (folder / "train_seg" / "gone_seg.jpg").write_bytes(mask())
    (train / "other.jpg").write_bytes(cv2.imencode(".png", np.zeros((96, 96, 3), np.uint8))[1].tobytes())
    (folder / "train_seg" / "other_seg.jpg").write_bytes(mask())
    (train / "._heroes_5.jpg").write_bytes(b"what a file system leaves behind")
    (train / "folder.jpg").mkdir()
    (folder / "._seg").mkdir()
    result = import_mhmd(folder, str(tmp_path / "data"), order, "", 1)
    assert result.films[1] == ("train", "train", 4, 2)
    assert result.left_out == 12
    for part in (
        "train/heroes_0.jpg: 10 bytes that are no JPEG",
        "train/heroes_1.jpg: no mask train_seg/heroes_1_seg.jpg",
        "train/heroes_2.jpg: in sign.txt, but no such file",
        "train/heroes_3.jpg: no line in sign.txt; taken without a label",
        "train/sign.txt line 4: no 42 values of which one is the highest",
        "train/sign.txt line 9: no 42 values of which one is the highest",
        "train/heroes_4.jpg: is (96, 96), and its mask (8, 8)",
        "train/new.jpg: no line in sign.txt; taken without a label",
        "train/gone.jpg: gone.jpg cannot be read: No such file or directory",
        "train/other.jpg: ",
    ):
        assert any(line.startswith(part) for line in result.lines), part


def test_wrong_input_writes_nothing(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    table = tmp_path / "order.csv"
    for text, told in (
        ("0,1\n0,2\n1,42\n", r"row 3, index: 0 stands .*; row 4, label_id: 42 is not in the taxonomy"),
        ("0,1\n1,1\n99,3\n", r"row 3, label_id: 1 stands .*; row 4, index: 99 is not between 0 and 41"),
        ("0,1\n", "column index: lacks 1, 2, "),
    ):
        table.write_text(f"index,label_id\n{text}")
        with pytest.raises(ManifestError, match=told):
            import_mhmd(folder, str(data), table, "", 1)
    with pytest.raises(DatasetError, match=r"has no <set>/sign\.txt"):
        import_mhmd(tmp_path, str(data), None, "", 1)
    (tmp_path / "bare" / "a").mkdir(parents=True)
    (tmp_path / "bare" / "a" / "sign.txt").write_text("")
    with pytest.raises(DatasetError, match="no picture with a mask"):
        import_mhmd(tmp_path / "bare", str(data), None, "", 1)
    assert not data.exists()


def test_signs_that_are_doubtful_are_told_and_endings_of_any_case_read(folder: Path) -> None:
    signs = folder / "test" / "sign.txt"
    lines = signs.read_text().splitlines()
    lines[1] = lines[1].replace(" 1 ", " nan ")
    other = lines[2].replace(" 1 0 ", " 0 1 ")
    signs.write_text("\ufeff" + "\n".join([*lines, other, lines[3]]))
    (folder / "train" / "sign.txt").unlink()
    (folder / "train" / "dawn_1.jpg").rename(folder / "train" / "dawn_1.JPG")
    (folder / "train_seg" / "dawn_1_seg.jpg").rename(folder / "train_seg" / "dawn_1_seg.jpeg")
    found = find(folder)
    assert [each.index for each in found.pictures["test", ""]] == [0, -1, -1, 0]
    assert len(found.pictures["train", ""]) == 7
    assert found.problems == [
        "test/sign.txt line 2: no 42 values of which one is the highest",
        "test/sign.txt line 5: dusk_2.jpg has another index in a line above",
        "test/dusk_1.jpg: no line in sign.txt; taken without a label",
        "test/dusk_2.jpg: no line in sign.txt; taken without a label",
        "train: no sign.txt; its pictures are taken without labels",
    ]


def test_what_people_wrote_into_the_films_manifest_stays(folder: Path, order: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    import_mhmd(folder, str(data), order, "", 1)
    films = pd.read_parquet(data / "films.parquet")
    films["exclude"] = ["taken down", None]
    films["title"] = ["Dusk", "Heroes"]
    films.to_parquet(data / "films.parquet", index=False)
    (data / "frames" / "test.parquet").unlink()
    result = import_mhmd(folder, str(data), order, "", 1)
    again = pd.read_parquet(data / "films.parquet")
    assert again["exclude"].dropna().tolist() == ["taken down"]
    assert again["title"].tolist() == ["Dusk", "Heroes"]
    assert [row[0] for row in result.films] == ["train"]
    assert "test is excluded in films.parquet" in result.lines[0]
    assert not (data / "frames" / "test.parquet").exists()

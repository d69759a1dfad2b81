import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from mhmd.errors import DatasetError
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.damage import Damage
from mhmd.historynet.data import Batch, Part, split_batches, train_batches
from mhmd.historynet.dataset import Dataset, open_dataset

CPU, WHOLE = torch.device("cpu"), Part()
Make = Callable[..., str]


def config(**knobs: object) -> TrainConfig:
    crops = {"size_px": 48, "batch": 4, "framing": "crop", "min_crop": 0.5, "width": 0.01, "max_damaged": 0.2}
    return TrainConfig.model_validate(crops | knobs)


def some_train(
    dataset: Dataset, count: int, first: int = 0, part: Part = WHOLE, workers: int = 2, **knobs: object
) -> list[Batch]:
    return list(islice(train_batches(dataset, config(**knobs), first, CPU, part=part, workers=workers), count))


def keys(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.keys]


def test_an_epoch_goes_once_through_the_split(shards: str) -> None:
    batches = some_train(open_dataset(shards), 10)
    first, second = keys(batches[:5]), keys(batches[5:])
    assert sorted(first) == sorted(second) == [f"film_train_{number:010d}" for number in range(20)]
    assert first != second


def same(one: Batch, other: Batch) -> bool:
    tensors = ("seen", "lightness", "ab", "mask", "labels")
    return one.keys == other.keys and all(torch.equal(getattr(one, t), getattr(other, t)) for t in tensors)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_workers_and_the_step_that_one_begins_at_change_nothing(shards: str, workers: int) -> None:
    """Three shards, and fewer or more workers than that."""
    dataset = open_dataset(shards)
    whole = some_train(dataset, 9, archive=0.5, batch=3)
    parts = some_train(dataset, 2, archive=0.5, batch=3, workers=workers) + some_train(
        dataset, 7, first=2, archive=0.5, batch=3, workers=workers
    )
    assert all(same(*pair) for pair in zip(whole, parts, strict=True))


@pytest.mark.parametrize(("ranks", "accumulate"), [(1, 6), (2, 3), (3, 2), (6, 1)])
def test_ranks_and_parts_of_a_step_share_the_same_batches(shards: str, ranks: int, accumulate: int) -> None:
    dataset = open_dataset(shards)
    whole = some_train(dataset, 4, batch=12, archive=0.5)
    knobs = {"batch": 12, "archive": 0.5, "accumulate": accumulate}
    taken = [some_train(dataset, 4 * accumulate, part=Part(rank, ranks), **knobs) for rank in range(ranks)]
    for step, batch in enumerate(whole):
        parts = [part for each in taken for part in each[step * accumulate : (step + 1) * accumulate]]
        assert tuple(keys(parts)) == batch.keys
        torch.testing.assert_close(torch.cat([part.seen for part in parts]), batch.seen, atol=1e-5, rtol=0)
        assert [part.number for part in parts] == list(range(step * 6, step * 6 + 6))


def test_rare_labels_come_more_often_when_balanced(shards: str) -> None:
    dataset = open_dataset(shards)
    drawn = Counter(label for b in some_train(dataset, 5, balance=1.0) for label in b.labels[:, 0].tolist())
    assert drawn == {-1: 5, 0: 5, 1: 5, 2: 5}


def test_picture_and_mask_are_cut_and_flipped_alike(shards: str) -> None:
    """Orange where bright, blue where dark, and the mask's class where bright."""
    batches = some_train(open_dataset(shards), 20)
    lightness, ab = (torch.cat([getattr(b, name) for b in batches]) for name in ("lightness", "ab"))
    bright = torch.cat([b.mask for b in batches if b.mask is not None])[:, None] == 2
    assert ((lightness > 0.5) == bright).float().mean() > 0.97
    assert ((ab[:, 1:] > 0) == bright).float().mean() > 0.97
    sides = bright[..., 0].float().mean(dim=(1, 2)) - bright[..., -1].float().mean(dim=(1, 2))
    assert sides.max() == 1  # bright left of dark, as drawn
    assert sides.min() == -1  # and flipped
    assert len({int(picture.sum()) for picture in bright}) > 14  # 7 widths as drawn, more by cutting


def test_squashed_frames_are_whole(shards: str) -> None:
    batch = some_train(open_dataset(shards), 1, framing="squash")[0]
    assert batch.mask is not None
    numbers = [int(key[-10:]) for key in batch.keys]
    wanted = [(80 // 3 + 3 * (number % 7)) / 80 for number in numbers]
    assert (batch.mask == 2).float().mean(dim=(1, 2)).tolist() == pytest.approx(wanted, abs=0.02)


def test_a_split_is_read_once_in_order_and_whole(shards: str) -> None:
    batches = list(split_batches(open_dataset(shards), "val", 24, 2, CPU))
    assert [len(batch.keys) for batch in batches] == [2, 2, 1]
    assert keys(batches) == [f"film_val_{number:010d}" for number in range(5)]
    assert [label for batch in batches for label in batch.labels[:, 0].tolist()] == [-1, 0, 1, 2, -1]
    assert {tuple(batch.ab.shape[-2:]) for batch in batches} == {(24, 40)}
    for number, part in enumerate(torch.cat([b.mask == 2 for b in batches if b.mask is not None]).float()):
        assert part.mean().item() * 80 == pytest.approx(80 // 3 + 3 * number, abs=1)
    assert len(list(split_batches(open_dataset(shards), "val", 32, 2, CPU, pictures=3))) == 2


def test_remote_shards_are_read_as_local_ones(shards: str) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(f"{shards}/", "/data/", recursive=True)
    try:
        far = some_train(open_dataset("memory://data"), 3)
        assert all(same(*pair) for pair in zip(far, some_train(open_dataset(shards), 3), strict=True))
        memory.rm("/data/train-000001.tar")
        with pytest.raises(DatasetError, match=r"train-000001\.tar"):
            some_train(open_dataset("memory://data"), 5)
    finally:
        memory.rm("/data", recursive=True)


def test_a_shard_that_could_not_be_fetched_once_is_fetched_later(shards: str) -> None:
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    failures = ["the net is gone"]

    class Unsteady(MemoryFileSystem):
        protocol = "unsteady"
        store: ClassVar[dict[str, Any]] = {}  # Any: its files
        pseudo_dirs: ClassVar[list[str]] = [""]

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(super()._strip_protocol(path.replace("unsteady://", "memory://")))

        def get_file(self, rpath: str, lpath: str, *rest: Any, **more: Any) -> None:  # Any: whatever fsspec gives
            if failures and rpath.endswith("train-000001.tar"):
                raise ConnectionError(failures.pop())
            super().get_file(rpath, lpath, *rest, **more)

    fsspec.register_implementation("unsteady", Unsteady, clobber=True)
    fsspec.filesystem("unsteady").put(f"{shards}/", "/data/", recursive=True)
    damage = Damage(20, 0.5)
    far = train_batches(open_dataset("unsteady://data"), config(), 0, CPU, workers=1, damage=damage)
    drawn = Counter(keys(list(islice(far, 15))))
    assert damage.count == 1
    assert sum(drawn.values()) == 60
    assert max(drawn.values()) <= 4  # of three epochs, and once in place of the one that was not read


def test_a_folder_that_is_no_dataset_names_the_command_that_makes_one(make_shards: Make, tmp_path: Path) -> None:
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DatasetError, match=r"is no dataset.*mhmd shard"):
            open_dataset(str(missing))
    folder = Path(make_shards(train=1, val=0))
    for name, text in (("stats.json", "{"), ("stats.json", '{"samples": 3}'), ("samples.parquet", "nothing")):
        whole = (folder / name).read_bytes()
        (folder / name).write_text(text)
        with pytest.raises(DatasetError, match="mhmd shard again"):
            open_dataset(str(folder))
        (folder / name).write_bytes(whole)
    (folder / "samples.parquet").unlink()
    with pytest.raises(DatasetError, match=r"samples\.parquet.*mhmd shard again"):
        open_dataset(str(folder))


def test_the_key_follows_what_is_in_the_dataset(shards: str, make_shards: Make) -> None:
    folder = Path(make_shards())
    assert open_dataset(str(folder)).key == open_dataset(shards).key
    rows = pq.read_table(folder / "samples.parquet").to_pandas()
    rows.loc[2, "label_id"] += 1
    rows.to_parquet(folder / "samples.parquet")
    assert open_dataset(str(folder)).key != open_dataset(shards).key


def restated(folder: str, **values: object) -> str:
    path = Path(folder) / "stats.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def test_what_a_variant_needs_is_named_with_the_stage_that_makes_it(make_shards: Make) -> None:
    folder = Path(restated(make_shards(), mask_classes=[]))
    dataset = open_dataset(str(folder))
    with pytest.raises(DatasetError, match=r"no masks; wanted masks for variant full; run mhmd parse"):
        dataset.require(config())
    dataset.require(config(variant="classifier"))
    rows = pq.read_table(folder / "samples.parquet").to_pandas()
    rows["label_id"] = rows["label_id"] * 0 - 1
    rows.to_parquet(folder / "samples.parquet")
    unlabelled = open_dataset(str(folder))
    with pytest.raises(DatasetError, match=r"no train sample .* has a label; .*classifier; run mhmd label"):
        unlabelled.require(config(variant="classifier"))
    unlabelled.require(config(variant="baseline"))


def test_too_few_samples_and_empty_splits_are_told(shards: str) -> None:
    dataset = open_dataset(shards)
    with pytest.raises(DatasetError, match=r"train split of .* has 20 samples; wanted at least a batch, 21"):
        dataset.require(config(batch=21))
    with pytest.raises(DatasetError, match=r"test split of .* is empty"):
        split_batches(dataset, "test", 32, 2, CPU)


def test_other_samples_than_stats_says_are_told(make_shards: Make) -> None:
    with pytest.raises(DatasetError, match="has 6 samples of train; wanted 7"):
        open_dataset(restated(make_shards(train=6), samples={"train": 7, "val": 5, "test": 0}))


def spoil(folder: str, number: int) -> None:
    """Put noise where a train sample's JPEG was."""
    for shard in sorted(Path(folder).glob("train-*.tar")):
        data = shard.read_bytes()
        at = data.find(f"film_train_{number:010d}.jpg".encode())
        if at >= 0:
            shard.write_bytes(data[: at + 512] + bytes(range(256)) * 2 + data[at + 1024 :])


def test_a_damaged_sample_is_passed_over_and_counted(make_shards: Make) -> None:
    folder = make_shards()
    spoil(folder, 5)
    dataset, damage = open_dataset(folder), Damage(20, 0.2)
    batches = list(islice(train_batches(dataset, config(), 0, CPU, damage=damage), 5))
    assert [len(batch.keys) for batch in batches] == [4] * 5
    assert damage.count == 1
    assert "film_train_0000000005" in damage.news()[0]
    assert damage.news() == []
    counts = Counter(keys(batches))
    assert "film_train_0000000005" not in counts
    assert sorted(counts.values()) == [1] * 18 + [2]


def test_a_few_damaged_samples_do_not_add_up_over_epochs(make_shards: Make) -> None:
    folder = make_shards()
    spoil(folder, 5)
    damage = Damage(20, 0.06)
    assert len(list(islice(train_batches(open_dataset(folder), config(), 0, CPU, damage=damage), 20))) == 20
    assert damage.count >= 4


def test_a_damaged_picture_of_a_split_is_left_out_or_told(make_shards: Make) -> None:
    folder = make_shards(train=5, val=1)
    spoil(folder, 0)
    spoil(folder, 3)
    dataset, damage = open_dataset(folder), Damage(5, 0.5)
    batches = list(split_batches(dataset, "train", 32, 1, CPU, damage=damage))
    assert [key[-1] for key in keys(batches)] == ["1", "2", "4"]
    assert damage.count == 2
    with pytest.raises(DatasetError, match=r"picture of film_train_0000000000 is \d+ bytes that are no JPEG"):
        list(split_batches(dataset, "train", 32, 2, CPU))


@pytest.mark.parametrize("kept_bytes", [700, 20_000])
def test_a_cut_shard_ends_training_once_too_much_is_lost(make_shards: Make, kept_bytes: int) -> None:
    shard = Path(folder := make_shards()) / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[:kept_bytes])
    with pytest.raises(DatasetError, match=r"5 damaged samples, the last: .*train-000000.*; wanted at most 20\.00%"):
        some_train(open_dataset(folder), 20)


def test_a_class_beyond_the_masks_classes_is_told(make_shards: Make) -> None:
    folder = restated(make_shards(train=8), mask_classes=["background", "person"])
    with pytest.raises(DatasetError, match="class 2; wanted less than 2"):
        some_train(open_dataset(folder), 1)


def test_tars_that_others_wrote_are_read(make_shards: Make) -> None:
    """In whatever dialect, when their places are told."""
    shard = Path(folder := make_shards(train=4)) / "train-000000.tar"
    wanted = some_train(open_dataset(folder), 2)
    with tarfile.open(shard) as tar:
        contents = [(member.name, tar.extractfile(member)) for member in tar]
        samples = [(name, file.read()) for name, file in contents if file is not None]
    for dialect in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        with tarfile.open(shard, "w", format=dialect) as written:
            for name, data in samples:
                entry = tarfile.TarInfo(name)
                entry.size, entry.uname, entry.mtime = len(data), "somebody", 1.5
                written.addfile(entry, io.BytesIO(data))
        with tarfile.open(shard) as tar:
            starts = [*[member.offset for member in tar][::3], tar.offset]
        rows = pq.read_table(shard.with_name("samples.parquet")).to_pandas()
        in_train = rows["split"] == "train"
        rows.loc[in_train, "offset"], rows.loc[in_train, "size_bytes"] = starts[:-1], np.diff(starts)
        rows.to_parquet(shard.with_name("samples.parquet"))
        assert all(same(*pair) for pair in zip(wanted, some_train(open_dataset(folder), 2), strict=True))


def test_another_sample_than_the_table_says_is_damage(make_shards: Make) -> None:
    folder = Path(make_shards(train=4))
    rows = pq.read_table(folder / "samples.parquet").to_pandas()
    rows.loc[0, ["offset", "size_bytes"]] = rows.loc[1, ["offset", "size_bytes"]]
    rows.to_parquet(folder / "samples.parquet")
    with pytest.raises(DatasetError, match=r"has film_train_0000000001 for film_train_0000000000"):
        list(split_batches(open_dataset(str(folder)), "train", 32, 2, CPU))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label_id", 3, "label_id of film_train_0000000002 in .* is 3; wanted -1 to 2"),
        ("label_id", -2, "is -2; wanted -1 to 2"),
        ("garment_id", 1, "garment_id .* is 1; wanted -1 to 0"),
        ("width", 0, "width .* is 0; wanted at least 1"),
        ("offset", -512, "offset .* is -512; wanted at least 0"),
        ("size_bytes", 0, "size_bytes .* is 0; wanted at least 1"),
    ],
)
def test_numbers_that_no_sample_can_have_are_told(make_shards: Make, column: str, value: int, message: str) -> None:
    folder = Path(make_shards(train=4, val=1))
    rows = pq.read_table(folder / "samples.parquet").to_pandas()
    rows.loc[2, column] = value
    rows.to_parquet(folder / "samples.parquet")
    with pytest.raises(DatasetError, match=message):
        open_dataset(str(folder))


def test_a_batch_of_which_nothing_can_be_read_is_of_others(make_shards: Make) -> None:
    """Parts of one sample, as many devices have them: each damaged one is a part by itself."""
    folder = make_shards()
    for number in (5, 6):
        spoil(folder, number)
    dataset, damage = open_dataset(folder), Damage(20, 0.5)
    knobs = {"batch": 4, "accumulate": 4, "framing": "squash"}
    batches = list(islice(train_batches(dataset, config(**knobs), 0, CPU, damage=damage), 20))
    counts = Counter(keys(batches))
    assert sorted(counts.values()) in ([1] * 16 + [2, 2], [1] * 17 + [3])
    assert damage.count >= 2
    for batch in batches:  # picture, mask and label are of the sample that took the place
        assert batch.mask is not None
        number = int(batch.keys[0][-10:])
        assert batch.labels[0, 0] == number % 4 - 1
        assert (batch.mask == 2).float().mean().item() == pytest.approx((80 // 3 + 3 * (number % 7)) / 80, abs=0.02)
    for number in range(20):
        spoil(folder, number)
    with pytest.raises(DatasetError, match="damaged samples, the last"):
        list(islice(train_batches(dataset, config(**knobs), 0, CPU), 20))

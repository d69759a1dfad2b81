"""What is read of shards that are damaged, or that say of themselves what is not so."""

import io
import tarfile
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mhmd.errors import DatasetError
from mhmd.historynet.damage import Damage
from mhmd.historynet.data import split_batches, train_batches
from mhmd.historynet.dataset import open_dataset
from tests.historynet.batches import CPU, Make, config, keys, restated, same, some_train


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

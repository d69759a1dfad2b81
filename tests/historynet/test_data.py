import json
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch

from mhmd.errors import DatasetError
from mhmd.historynet.data import Batch, split_batches, train_batches
from mhmd.historynet.dataset import Dataset, open_dataset
from mhmd.historynet.lab import unscale_ab

CPU = torch.device("cpu")


def some_train(dataset: Dataset, count: int, seed: int = 0, first_step: int = 0, batch: int = 4) -> list[Batch]:
    batches = train_batches(dataset, 32, batch, seed, first_step, CPU)
    some = list(islice(batches, count))
    batches.close()
    return some


def same(one: Batch, other: Batch) -> bool:
    tensors = ("lightness", "ab", "mask", "labels")
    return one.keys == other.keys and all(torch.equal(getattr(one, name), getattr(other, name)) for name in tensors)


def test_batches_follow_from_the_seed_and_the_step_alone(shards: str) -> None:
    dataset = open_dataset(shards)
    whole = some_train(dataset, 12)
    assert all(same(a, b) for a, b in zip(whole, some_train(dataset, 12), strict=True))
    for first in (1, 5, 7):
        rest = some_train(dataset, 3, first_step=first)
        assert all(same(a, b) for a, b in zip(whole[first : first + 3], rest, strict=True))
    assert whole[0].keys != some_train(dataset, 1, seed=1)[0].keys


def test_each_epoch_sees_every_sample_once_in_another_order(shards: str) -> None:
    keys = [key for batch in some_train(open_dataset(shards), 15, batch=4) for key in batch.keys]
    epochs = [keys[:20], keys[20:40], keys[40:]]
    assert all(Counter(epoch) == Counter(sorted(epochs[0])) and len(set(epoch)) == 20 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != sorted(epochs[0])


def test_a_batch_may_lie_over_the_end_of_an_epoch(shards: str) -> None:
    batches = some_train(open_dataset(shards), 4, batch=8)
    assert [len(batch.keys) for batch in batches] == [8, 8, 8, 8]
    assert batches[2].lightness.shape == (8, 1, 32, 32)


def test_mask_and_colour_stay_together_through_cut_and_flip(shards: str) -> None:
    batches = some_train(open_dataset(shards), 10)
    mask = torch.cat([batch.mask for batch in batches])[:, 0]
    lightness = torch.cat([batch.lightness for batch in batches])[:, 0]
    ab = unscale_ab(torch.cat([batch.ab for batch in batches]))
    assert set(mask.unique().tolist()) == {0, 1}  # class 2 of 3 is the brightest gray, as class 0 is black
    bright = mask == 1
    assert ((lightness > 0.5) == bright).float().mean() > 0.97
    assert ((ab[:, 1] > 0) == bright).float().mean() > 0.97
    sides = bright[:, :, 0].float().mean(dim=1) - bright[:, :, -1].float().mean(dim=1)
    assert sides.max() == 1  # bright left of dark, as drawn
    assert sides.min() == -1  # and flipped
    assert len({int(picture.sum()) for picture in bright}) > 14  # 7 widths as drawn, more by cutting


def test_a_split_is_read_once_in_order_from_the_middle(shards: str) -> None:
    batches = list(split_batches(open_dataset(shards), "val", 48, 2, CPU))
    assert [len(batch.keys) for batch in batches] == [2, 2, 1]
    assert [key for batch in batches for key in batch.keys] == [f"film_val_{number:010d}" for number in range(5)]
    assert [label for batch in batches for label in batch.labels.tolist()] == [-1, 0, 1, 2, -1]
    for number, bright in enumerate(torch.cat([batch.mask for batch in batches]).mean(dim=(1, 2, 3)).tolist()):
        assert bright * 48 == pytest.approx(80 // 3 + 3 * number - 16)
    assert len(list(split_batches(open_dataset(shards), "val", 32, 2, CPU, pictures=3))) == 2


def test_a_folder_that_is_no_dataset_names_the_command_that_makes_one(tmp_path: Path) -> None:
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DatasetError, match="mhmd shard"):
            open_dataset(str(missing))
    (tmp_path / "stats.json").write_text('{"samples": 3}')
    with pytest.raises(DatasetError, match=r"stats\.json"):
        open_dataset(str(tmp_path))


def test_too_few_samples_and_empty_splits_are_told(shards: str) -> None:
    dataset = open_dataset(shards)
    with pytest.raises(DatasetError, match=r"train split of .* has 20 samples; wanted at least a batch, 21"):
        train_batches(dataset, 32, 21, 0, 0, CPU)
    with pytest.raises(DatasetError, match=r"test split of .* is empty"):
        split_batches(dataset, "test", 32, 2, CPU)


def test_other_samples_than_stats_says_are_told(make_shards: Callable[..., str]) -> None:
    folder = Path(make_shards(train=6))
    stats = json.loads((folder / "stats.json").read_text())
    stats["samples"]["train"] = 7
    (folder / "stats.json").write_text(json.dumps(stats))
    with pytest.raises(DatasetError, match="hold 6 samples; wanted 7"):
        some_train(open_dataset(str(folder)), 4, batch=2)


@pytest.mark.parametrize("kept_bytes", [700, 20_000])
def test_a_cut_shard_is_told(make_shards: Callable[..., str], kept_bytes: int) -> None:
    folder = Path(make_shards(train=8))
    shard = folder / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[:kept_bytes])
    with pytest.raises(DatasetError, match=r"train-000000\.tar|train shards|has no"):
        some_train(open_dataset(str(folder)), 4, batch=4)


def test_a_class_beyond_the_masks_classes_is_told(make_shards: Callable[..., str]) -> None:
    folder = Path(make_shards(train=8))
    stats = json.loads((folder / "stats.json").read_text())
    stats["mask_classes"] = ["background", "person"]
    (folder / "stats.json").write_text(json.dumps(stats))
    with pytest.raises(DatasetError, match="class 2; wanted less than 2"):
        some_train(open_dataset(str(folder)), 1)

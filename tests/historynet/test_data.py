from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest
import torch

from mhmd.errors import DatasetError
from mhmd.historynet.damage import Damage
from mhmd.historynet.data import Part, split_batches, train_batches
from mhmd.historynet.dataset import open_dataset
from tests.historynet.batches import CPU, Make, config, keys, restated, same, some_train


def test_an_epoch_goes_once_through_the_split(shards: str) -> None:
    batches = some_train(open_dataset(shards), 10)
    first, second = keys(batches[:5]), keys(batches[5:])
    assert sorted(first) == sorted(second) == [f"film_train_{number:010d}" for number in range(20)]
    assert first != second


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

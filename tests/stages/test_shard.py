"""Cutting a split into shards, in an order that mixes films."""

from __future__ import annotations

import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.inputs import Inputs
from mhmd.media.jpeg import encode_jpeg
from mhmd.parsing.mask import encode_mask
from mhmd.records import SampleInfo, columns_of
from mhmd.sink import DatasetSink
from mhmd.stage import Where
from mhmd.stages.shard import STAGE, ShardConfig, _write, cut, mixed
from mhmd.storage import Storage


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 100))
def test_shards_hold_everything_once_in_order_and_are_as_full_as_can_be(sizes: list[int], limit: int) -> None:
    ranges = list(cut(sizes, limit))
    assert [position for of in ranges for position in of] == list(range(len(sizes)))
    assert all(len(of) == 1 or sum(sizes[position] for position in of) <= limit for of in ranges)
    for of, following in pairwise(ranges):
        assert sum(sizes[position] for position in of) + sizes[following.start] > limit


def test_the_order_mixes_films_and_depends_on_seed_and_keys_alone() -> None:
    keys = [f"{film}_{number:010d}" for film in "ab" for number in range(100)]
    order = [keys[position] for position in mixed(keys, 0)]
    assert sorted(order) == keys
    assert 30 < sum(key.startswith("a") for key in order[:100]) < 70
    backwards = keys[::-1]
    assert [backwards[position] for position in mixed(backwards, 0)] == order
    assert [keys[position] for position in mixed(keys, 1)] != order


@pytest.mark.parametrize(("crop", "heights"), [(False, [16, 16]), (True, [12, 16])])
def test_subtitles_are_cropped_only_if_asked(tmp_path: Path, crop: bool, heights: list[int]) -> None:
    jpeg, mask = encode_jpeg(np.zeros((16, 24, 3), np.uint8)), encode_mask(np.zeros((16, 24), np.uint8))
    storage = Storage(str(tmp_path / "data"))
    storage.write("frames/x.tar", jpeg + mask)
    blank = {"string": "", "int32": 0, "float64": 0.0}
    info = {column.field: blank[column.arrow] for column in columns_of(SampleInfo)}
    info |= {"height": 16, "width": 24, "crop_h": 32, "crop_w": 48}
    refs = {"image_ref": f"frames/x.tar:0:{len(jpeg)}", "mask_ref": f"frames/x.tar:{len(jpeg)}:{len(mask)}"}
    part = pd.DataFrame(
        [
            {**info, **refs, "key": "x_1", "subtitle_band": [12, 15]},
            {**info, **refs, "key": "x_2", "subtitle_band": None},
        ]
    )
    inputs = Inputs(STAGE, Where(storage.url), storage, "corpus", ["x"])
    sink = DatasetSink(tmp_path / "out", lambda *_: None)
    _write(inputs, sink, "train-000000.tar", part, ShardConfig(crop_subtitles=crop))
    sink.commit("digest")
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert [row["height"] for row in rows] == heights
    assert [row["crop_h"] for row in rows] == [2 * height for height in heights]
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as tar:
        stored = tar.extractfile("x_1.jpg")
        assert stored is not None
        assert (stored.read() == jpeg) == (not crop)

"""From the workspace's tables to samples, in an order that mixes films, cut into even shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.dataset.assemble import Wanted, assemble, shaped
from mhmd.dataset.plan import cut, mixed, tar_bytes
from mhmd.entries import LabelName
from mhmd.errors import MissingInput
from mhmd.inputs import Inputs
from mhmd.records import Label, Mask, Screening, Verdict
from mhmd.stages.shard import STAGE
from mhmd.storage import Storage
from mhmd.taxonomy import Taxonomy
from tests.corpus import CLASSES, Corpus, make_corpus


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 100), st.integers(0, 9))
def test_ranges_hold_everything_once_within_limits(sizes: list[int], limit: int, most: int) -> None:
    ranges = cut(sizes, limit, most)
    assert [position for of in ranges for position in of] == list(range(len(sizes)))
    for of in ranges:
        assert len(of) == 1 or sum(sizes[of.start : of.stop]) <= limit
        assert not most or len(of) <= most


@given(st.lists(st.integers(900, 1100), min_size=50, max_size=400), st.integers(10_000, 60_000))
def test_ranges_are_even_and_hardly_more_than_needed(sizes: list[int], limit: int) -> None:
    held = [sum(sizes[of.start : of.stop]) for of in cut(sizes, limit)]
    assert max(held) - min(held) <= 2 * 1100
    assert len(held) <= -(-sum(sizes) // (limit - 2 * 1100)) + 1


def test_the_order_mixes_films_and_depends_on_seed_and_keys_alone() -> None:
    keys = [f"{film}_{number:010d}" for film in "ab" for number in range(100)]
    order = [keys[position] for position in mixed(keys, 0)]
    assert sorted(order) == keys
    assert 30 < sum(key.startswith("a") for key in order[:100]) < 70
    backwards = keys[::-1]
    assert [backwards[position] for position in mixed(backwards, 0)] == order
    assert [keys[position] for position in mixed(keys, 1)] != order


def assembled(corpus: Corpus, wanted: Wanted | None = None) -> tuple[pa.Table, dict[str, int]]:
    inputs = Inputs(STAGE, corpus.where, Storage(corpus.where.data), "corpus", corpus.films)
    found = assemble(inputs, Taxonomy.of(inputs.rows(LabelName)), wanted or Wanted())
    return found.rows, {reason: count for reason, count in found.left_out.items() if count}


def test_each_kept_frame_is_a_sample_with_all_that_is_known(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    kept = [True, False, True, True]
    keys = corpus.keys("film001")
    rejected = [None, None, None, "gray"]
    corpus.write("film001", Screening, {"film_id": "film001", "frame_id": keys, "rejected_by": rejected})
    corpus.write("film001", Verdict, {"film_id": "film001", "frame_id": keys[:3], "kept": kept[:3]}, 3)
    corpus.labels("film001", (13, "During WWII", "China", "formal"))
    rows, _ = assembled(corpus)
    assert rows["key"].to_pylist() == sorted([*corpus.keys("film000"), keys[0], keys[2], *corpus.keys("film002")])
    row = rows.to_pylist()[4]
    assert (row["key"], row["title"], row["split"]) == (keys[0], "Title 1", "val")
    assert (row["label_id"], row["era"], row["nationality"], row["garment"]) == (13, "During WWII", "China", "formal")
    taxonomy = pq.read_table("manifests/labels.parquet").to_pylist()
    eras = list(dict.fromkeys(each["era"] for each in taxonomy))
    assert eras[row["era_id"]] == "During WWII"
    assert row["as_stored"]
    assert (row["top"], row["bottom"]) == (0, 16)


def test_frames_without_a_label_or_without_persons_stay_out_if_asked(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    corpus.labels("film001", (-1, "During WWII", "", ""))
    assert assembled(corpus)[0].num_rows == 12
    rows, left_out = assembled(corpus, Wanted(unlabelled=False))
    assert (rows.num_rows, left_out) == (8, {"no label": 4})
    rows, left_out = assembled(corpus, Wanted(min_person_share=0.5, unlabelled=False))
    assert (rows.num_rows, left_out) == (4, {"few persons": 6, "no label": 2})
    unknown = next(row for row in assembled(corpus)[0].to_pylist() if row["film_id"] == "film001")
    assert (unknown["garment_id"], unknown["garment"]) == (-1, "")


@pytest.mark.parametrize(
    ("record", "found", "command"),
    [
        (Verdict, "the verdicts are not of the frames that pass screening now", "mhmd dedup"),
        (Label, "the labels do not cover all kept frames", "mhmd label"),
    ],
)
def test_a_table_that_lacks_frames_names_its_command(
    tmp_path: Path, record: type[Verdict | Label], found: str, command: str
) -> None:
    corpus = make_corpus(tmp_path)
    corpus.write("film001", record, {"film_id": "film001", "frame_id": corpus.keys("film001")[:3]}, 3)
    with pytest.raises(MissingInput, match=found) as raised:
        assembled(corpus)
    assert command in str(raised.value)


def test_a_frame_without_a_mask_stays_out_and_is_counted(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    keys, parser = corpus.keys("film001"), "selfie-multiclass"
    classes = [list(CLASSES)] * 3
    corpus.write("film001", Mask, {"film_id": "film001", "frame_id": keys[:3], "parser": parser, "classes": classes}, 3)
    rows, left_out = assembled(corpus)
    assert keys[3] not in rows["key"].to_pylist()
    assert (rows.num_rows, left_out) == (11, {"no mask": 1})


def test_masks_of_two_parsers_and_titles_without_a_split_are_told(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    keys = corpus.keys("film001")
    corpus.write("film001", Mask, {"film_id": "film001", "frame_id": keys, "parser": "segformer"})
    with pytest.raises(MissingInput, match="are of several parsers: segformer, selfie-multiclass"):
        assembled(corpus)
    corpus = make_corpus(tmp_path)
    pq.write_table(pa.table({"title": ["Title 0"], "split": ["train"]}), tmp_path / "splits.parquet")
    with pytest.raises(MissingInput, match="no split for Title 1, Title 2"):
        assembled(corpus)


def shaped_as(wanted: Wanted, band: list[int] | None) -> dict[str, object]:
    values = {"width": 910, "height": 512, "crop_y": 45, "crop_h": 1024, "subtitle_band": band}
    types = {"subtitle_band": pa.list_(pa.int32())}
    rows = pa.table({name: pa.array([value], types.get(name, pa.int32())) for name, value in values.items()})
    return shaped(rows, wanted).to_pylist()[0]


def test_subtitles_are_cropped_with_what_lies_beyond_them() -> None:
    below = shaped_as(Wanted(crop_subtitles=True), [400, 440])
    assert (below["top"], below["bottom"], below["height"]) == (0, 400, 400)
    assert (below["crop_y"], below["crop_h"], below["as_stored"]) == (45, 800, False)
    above = shaped_as(Wanted(crop_subtitles=True), [10, 60])
    assert (above["top"], above["bottom"], above["height"]) == (60, 512, 452)
    assert (above["crop_y"], above["crop_h"]) == (45 + 120, 904)
    assert shaped_as(Wanted(crop_subtitles=True), None)["as_stored"]
    assert shaped_as(Wanted(), [400, 440])["as_stored"]


def test_pictures_are_made_smaller_but_never_larger() -> None:
    small = shaped_as(Wanted(size=256), None)
    assert (small["width"], small["height"], small["crop_h"], small["as_stored"]) == (455, 256, 1024, False)
    assert shaped_as(Wanted(size=1000), None)["as_stored"]
    both = shaped_as(Wanted(size=200, crop_subtitles=True), [400, 440])
    assert (both["width"], both["height"], both["bottom"]) == (455, 200, 400)


def test_the_size_of_a_sample_is_that_in_the_tar_to_a_block(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    rows, _ = assembled(corpus)
    corpus.shard()
    written = pq.read_table(tmp_path / "out" / "samples.parquet").sort_by("key")
    over = np.array(tar_bytes(rows)) - written["size_bytes"].to_numpy()
    assert set(over) <= {0, 512}

"""The choice among like frames: exact, greedy by quality, independent of order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mhmd.stages.dedup import verdicts

FRAMES = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 63), st.integers(0, 2**64 - 1)), st.integers(0, 5)), max_size=24
)


def table(frames: list[tuple[int | None, int]], order: list[int]) -> pa.Table:
    return pa.table(
        {
            "film_id": pa.array(["film"] * len(order), pa.string()),
            "frame_id": pa.array([f"film_{number:010d}" for number in order], pa.string()),
            "phash": pa.array([frames[number][0] for number in order], pa.uint64()),
            "sharpness": pa.array([float(frames[number][1]) for number in order], pa.float64()),
        }
    )


@given(FRAMES, st.integers(0, 12), st.randoms(use_true_random=False))
def test_every_dropped_frame_is_within_reach_of_a_better_kept_one(
    frames: list[tuple[int | None, int]], radius: int, random: object
) -> None:
    rows = {row["frame_id"]: row for row in verdicts(table(frames, list(range(len(frames)))), radius).to_pylist()}
    by_id = {f"film_{number:010d}": frame for number, frame in enumerate(frames)}
    kept = [frame_id for frame_id, row in rows.items() if row["kept"]]
    for frame_id, row in rows.items():
        phash, sharpness = by_id[frame_id]
        if row["kept"]:
            assert (row["duplicate_of"], row["distance"], row["rule"]) == (None, None, None)
            continue
        assert row["rule"] == "phash"
        of_phash, of_sharpness = by_id[row["duplicate_of"]]
        assert phash is not None
        assert of_phash is not None
        assert row["duplicate_of"] in kept
        assert row["distance"] == (phash ^ of_phash).bit_count() <= radius
        assert (-of_sharpness, row["duplicate_of"]) < (-sharpness, frame_id)
    for place, one in enumerate(kept):
        for other in kept[place + 1 :]:
            first, second = by_id[one][0], by_id[other][0]
            assert first is None or second is None or (first ^ second).bit_count() > radius
    order = list(range(len(frames)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis' random
    assert {row["frame_id"]: row for row in verdicts(table(frames, order), radius).to_pylist()} == rows


def test_no_frames_and_all_alike_and_no_hash() -> None:
    assert verdicts(table([], []), 6).num_rows == 0
    alike = verdicts(table([(7, 1), (7, 3), (7, 2)], [0, 1, 2]), 0).to_pylist()
    assert [row["duplicate_of"] for row in alike] == ["film_0000000001", None, "film_0000000001"]
    assert np.all(verdicts(table([(None, 1)] * 3, [0, 1, 2]), 12)["kept"].to_numpy())

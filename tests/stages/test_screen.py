"""Rules on measures: the first that holds is the reason."""

from __future__ import annotations

import numpy as np
import pytest

from mhmd.stages.screen import MEASURES, RULES, ScreenConfig, rejections

GOOD = {"luma_mean": 120.0, "luma_std": 40.0, "sharpness": 300.0, "chroma_mean": 15.0}


@pytest.mark.parametrize(
    ("measures", "reason"),
    [
        ({}, None),
        ({"luma_mean": 5.0}, "black"),
        ({"luma_std": 1.0}, "black"),
        ({"sharpness": 3.0}, "blurred"),
        ({"chroma_mean": 0.4}, "gray"),
        ({"chroma_mean": 0.4, "sharpness": 3.0}, "gray"),
        ({"luma_mean": 5.0, "chroma_mean": 0.4, "sharpness": 3.0}, "black"),
    ],
)
def test_each_frame_has_its_first_reason(measures: dict[str, float], reason: str | None) -> None:
    columns = {name: np.array([GOOD[name], measures.get(name, GOOD[name])]) for name in MEASURES}
    assert rejections(columns, ScreenConfig()).tolist() == [None, reason]


def test_a_threshold_of_0_turns_a_rule_off() -> None:
    columns = {name: np.array([0.0]) for name in MEASURES}
    off = ScreenConfig(min_luma=0, min_contrast=0, min_sharpness=0, min_chroma=0)
    assert rejections(columns, off).tolist() == [None]
    assert {name for name, _ in RULES} == {"black", "gray", "blurred"}


def test_no_frames_give_no_reasons() -> None:
    assert rejections({name: np.array([]) for name in MEASURES}, ScreenConfig()).tolist() == []

"""The common classes: what parsers call things, and how two parsers are compared."""

from __future__ import annotations

import pytest

from mhmd.parsing.ontology import COMMON, NAMES, common_of, common_of_all, kinds

ATR = "background hat hair sunglasses upper-clothes skirt pants dress belt left-shoe right-shoe face left-leg right-leg"
ATR += " left-arm right-arm bag scarf"
CIHP = "background hat hair glove sunglasses upper-clothes dress coat socks pants torso-skin scarf skirt face left-arm"
CIHP += " right-arm left-leg right-leg left-shoe right-shoe"


def test_there_are_eleven_and_every_one_has_names() -> None:
    assert len(COMMON) == 11
    assert tuple(NAMES) == COMMON
    assert all(common_of(name) == common for common, names in NAMES.items() for name in names.split(", "))


@pytest.mark.parametrize("names", [ATR, CIHP])
def test_every_class_of_the_known_data_sets_has_one(names: str) -> None:
    common = common_of_all(names.split())
    assert common.count("background") == 1
    assert set(common) >= {
        "hair",
        "face",
        "skin",
        "headgear",
        "upper clothes",
        "lower clothes",
        "footwear",
        "accessory",
    }


@pytest.mark.parametrize(
    ("name", "common"),
    [("Left_Shoe", "footwear"), ("wall", "background"), ("person", "other person parts"), ("Torso-skin", "skin")],
)
def test_names_are_read_whatever_their_form(name: str, common: str) -> None:
    assert common_of(name) == common


def test_parsers_are_compared_by_what_both_can_tell() -> None:
    fine = kinds(common_of_all(ATR.split()), ("background", "upper clothes"))
    assert len({fine[name] for name in ("upper clothes", "lower clothes", "footwear")}) == 1
    assert len({fine[name] for name in ("background", "face", "upper clothes", "accessory")}) == 4
    rough = kinds(common_of_all(ATR.split()), ("background", "other person parts"))
    assert set(rough.values()) == {0, 3}
    assert rough["background"] == 0

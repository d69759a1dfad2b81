"""The 42 labels that come with mhmd, and names that are nearly right."""

from __future__ import annotations

from pathlib import Path

import pytest

from mhmd.entries import LabelName
from mhmd.errors import DependencyError
from mhmd.resources import resource
from mhmd.taxonomy import SPELLINGS, Taxonomy, folded, load_taxonomy

TAXONOMY = load_taxonomy()


def test_the_shipped_labels_are_the_42_with_the_published_counts() -> None:
    counts = [label.images for label in TAXONOMY.labels]
    assert (len(counts), sum(counts), min(counts), max(counts)) == (42, 1_353_166, 351, 290_870)
    assert TAXONOMY.labels[27] == LabelName(27, "During WWII", "Japan", "military uniform", 110_562)
    assert (len(TAXONOMY.eras), len(TAXONOMY.nationalities), len(TAXONOMY.garments)) == (3, 6, 5)


def test_names_are_in_order_of_first_appearance() -> None:
    assert TAXONOMY.eras == ("Before WWII", "During WWII", "After WWII")
    assert TAXONOMY.nationalities == ("China", "America", "Germany", "Russia", "Britain and France", "Japan")
    assert TAXONOMY.names("garment")[:2] == ("communist uniform", "formal")


def test_every_label_is_found_by_its_names() -> None:
    found = [TAXONOMY.label_id(label.era, label.nationality, label.garment) for label in TAXONOMY.labels]
    assert found == list(range(42))


@pytest.mark.parametrize(
    "names", [("Before WWII", "Japan", "formal"), ("Before WWII", "China", None), ("1930s", "China", "formal")]
)
def test_other_names_have_no_label(names: tuple[str, str, str | None]) -> None:
    assert TAXONOMY.label_id(*names) == -1


def test_attribute_ids() -> None:
    assert TAXONOMY.attribute_id("nationality", "Britain and France") == 4
    assert TAXONOMY.attribute_id("nationality", "Narnia") == -1
    assert TAXONOMY.attribute_id("era", None) == -1


@pytest.mark.parametrize(
    ("attribute", "name", "meant"),
    [
        ("garment", "Militry Uniform", "military uniform"),
        ("nationality", "britain & france", "Britain and France"),
        ("era", "during wwii ", "During WWII"),
        ("nationality", "xyz", None),
    ],
)
def test_the_nearest_name(attribute: str, name: str, meant: str | None) -> None:
    assert TAXONOMY.nearest(attribute, name) == meant


def test_it_says_which_garments_there_are() -> None:
    told = TAXONOMY.no_label("Before WWII", "America", "non-formal")
    assert told == "no label is Before WWII / America / non-formal; garments there: military uniform, formal"
    assert Taxonomy(()).no_label("a", "b", "c").endswith("none")


def test_a_missing_resource_is_named() -> None:
    assert resource("manifests/labels.parquet").is_file()
    with pytest.raises(DependencyError, match=r"manifests/nothing\.parquet is neither"):
        resource("manifests/nothing.parquet")


def test_spellings_are_stated_and_lead_to_names() -> None:
    page = (Path(__file__).parents[1] / "docs" / "label.md").read_text("utf-8")
    for attribute, names in SPELLINGS.items():
        assert set(names) == set(TAXONOMY.names(attribute))
        for name, others in names.items():
            assert f"| {name} | {' · '.join(others)} |" in page
            assert {TAXONOMY.canonical(attribute, other) for other in (*others, name, f" {name.upper()} ")} == {name}
        folded_all = [folded(other) for others in names.values() for other in others]
        assert len(folded_all) == len(set(folded_all)), "a spelling leads to two names, or stands twice"


def test_another_taxonomy_has_its_own_names_and_of_mhmds_spellings_those_it_knows() -> None:
    own = Taxonomy((LabelName(0, "Before WWII", "Sweden", "military", 0),))
    assert own.canonical("garment", "Military") == "military"
    assert own.canonical("nationality", "USA") is None
    assert own.canonical("era", "pre-war") == "Before WWII"


def test_some_names_fit_and_others_do_not() -> None:
    assert TAXONOMY.fits("Before WWII", None, "military uniform")
    assert not TAXONOMY.fits("Before WWII", "Japan", None)
    assert TAXONOMY.no_label("Before WWII", "Japan", None).endswith("garments there: none")

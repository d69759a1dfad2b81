"""One list of what can be on a person, to which every parser's classes map."""

from __future__ import annotations

from collections.abc import Iterable

COMMON = (
    "background",
    "hair",
    "face",
    "skin",
    "headgear",
    "upper clothes",
    "lower clothes",
    "dress or coat",
    "footwear",
    "accessory",
    "other person parts",
)
"""The common classes. A parser that cannot tell two of them apart uses the first that holds."""

CLOTHES = frozenset({"headgear", "upper clothes", "lower clothes", "dress or coat", "footwear"})
BODY = frozenset({"hair", "face", "skin"})

NAMES = {
    "background": "background, bg",
    "hair": "hair, facial hair, beard",
    "face": "face, face skin, face neck, head, lips, eyes, ears, nose, mouth",
    "skin": "skin, body skin, torso skin, torso, neck, arm, lower arm, upper arm, hand, leg, lower leg, upper leg, "
    "foot",
    "headgear": "headgear, headwear, headscarf, hat, cap, helmet, hood, headband head covering hair accessory",
    "upper clothes": "upper clothes, upper clothing, clothes, clothing, apparel, uniform, shirt, shirt blouse, top, "
    "top t shirt sweatshirt, sweater, cardigan, vest, jacket, collar, lapel, sleeve",
    "lower clothes": "lower clothes, lower clothing, pants, trousers, shorts, skirt, tights stockings",
    "dress or coat": "dress or coat, dress, coat, jumpsuit, jumpsuits, cape, robe, gown",
    "footwear": "footwear, shoe, shoes, boot, boots, sock, socks",
    "accessory": "accessory, others, sunglasses, glasses, scarf, glove, gloves, bag, bag wallet, belt, tie, watch, "
    "umbrella, umbrellas, jewelry, earring, necklace, leg warmer",
    "other person parts": "other person parts, person, people, human, body",
}
"""Names that parsers give their classes, in lower case, without `left`, `right`, hyphens and underscores."""


def common_of(name: str) -> str:
    """The common class of a parser's class; what no name stands for is background, as wall and sky are."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()
    plain = " ".join(word for word in words if word not in ("left", "right"))
    return next((common for common, names in NAMES.items() if plain in names.split(", ")), "background")


def common_of_all(names: Iterable[str]) -> tuple[str, ...]:
    """The common class of each."""
    return tuple(common_of(name) for name in names)


def kinds(common: Iterable[str], others: Iterable[str]) -> dict[str, int]:
    """A number for each common class, such that two parsers with these classes can be compared by it.

    0 background, 1 body, 2 clothes, 3 anything else of a person. Where one of the two knows no clothes, all that is a
    person is 3.
    """
    parts = CLOTHES & set(common) and CLOTHES & set(others)
    kind = dict.fromkeys(COMMON, 3) | {"background": 0}
    return kind | dict.fromkeys(BODY, 1) | dict.fromkeys(CLOTHES, 2) if parts else kind

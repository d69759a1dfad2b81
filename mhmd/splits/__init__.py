"""Splits: what belongs together, how it is dealt, and whether anything lies in two splits."""

from __future__ import annotations

import unicodedata
from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[str, ...] = get_args(Split)


def plain(text: str) -> str:
    """A title or group without what tells two spellings apart: case, blanks, and how Unicode composes its letters."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())

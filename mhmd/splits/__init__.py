"""Splits: what belongs together, how it is dealt, and whether anything lies in two splits."""

from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[str, ...] = get_args(Split)

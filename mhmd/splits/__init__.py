"""Splits: what belongs together, how it is dealt, and whether anything lies in two splits."""

SPLITS = ("train", "val", "test")

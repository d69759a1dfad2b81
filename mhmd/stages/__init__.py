"""The stages from films to shards, one module a verb."""

from __future__ import annotations

import importlib
from typing import cast

from mhmd.stage import AnyStage

ORDER = ("extract", "screen", "dedup", "label", "parse", "shard")
"""The stages in the order in which a recipe is built."""


def stage(name: str) -> AnyStage:
    """The stage of that name."""
    return cast(AnyStage, importlib.import_module(f"mhmd.stages.{name}").STAGE)

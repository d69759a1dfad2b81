"""mhmd: from a library of films to a labelled colorization dataset, and to HistoryNet trained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mhmd.dataset.load import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:  # Any: whatever is exported; torch is imported when it is asked for, not before
    if name == "load":
        from mhmd.dataset.load import load

        return load
    raise AttributeError(f"module 'mhmd' has no attribute {name!r}")

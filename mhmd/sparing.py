"""Keeps pyarrow from loading pandas, a third of a second of every process, only to learn that a list is none of it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec


def spare_pandas() -> None:
    """For a process of our own, once: pyarrow takes pandas for missing until a table is to become a DataFrame."""
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        import pyarrow as pa

        pa.array([])  # looks for pandas, and remembers what it found
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Finds that there is no pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Raises ImportError for pandas; of others it knows nothing."""
        del path, target
        if name == "pandas":
            raise ImportError(name)
        return None

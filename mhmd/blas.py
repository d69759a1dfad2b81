"""How many threads NumPy's matrix products take."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """Inside the block a product is made by the thread that asks for it.

    For many small ones: the others wait for the next at full speed, which costs more than they save.
    """
    return _limited(1)


def all_threads() -> AbstractContextManager[object]:
    """Inside the block, also within `one_thread`, products take as many threads as this process may: for large ones."""
    return _limited(_threads())


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def _limited(threads: int) -> AbstractContextManager[object]:
    return nullcontext() if _threads() == 1 else _pools().limit(limits=threads, user_api="blas")


@cache
def _pools() -> ThreadpoolController:
    """The libraries that NumPy brings, found once."""
    import numpy as np  # noqa: F401  # its libraries are found once they are loaded
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()

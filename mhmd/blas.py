"""How many threads products of NumPy take: one in children, which make many small ones, and for large ones all."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from mhmd.cores import cores

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def all_threads() -> AbstractContextManager[object]:
    """Inside the block products take as many threads as this process may (OMP_NUM_THREADS, or as many as cores)."""
    threads = int(os.environ.get("OMP_NUM_THREADS") or cores())
    return nullcontext() if threads == 1 else _pools().limit(limits=threads, user_api="blas")


@cache
def _pools() -> ThreadpoolController:
    """The libraries that NumPy brings, found once."""
    import numpy as np  # noqa: F401  # its libraries are found once they are loaded
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()

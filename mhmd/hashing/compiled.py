"""Functions that numba compiles: the only importer of numba."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numba
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

FEW_STEPS = 1 << 20
"""A millisecond or less: on a busy machine, other threads may take longer to come."""

each = numba.prange
"""A range whose turns run on several threads at once."""


def compiled(function: F) -> F:
    """The function as machine code, free of the GIL, its `each` loops on as many threads as NUMBA_NUM_THREADS says."""
    return _kept(function, parallel=True)


def compiled_in_order(function: F) -> F:
    """The function as machine code, free of the GIL, on one thread."""
    return _kept(function, parallel=False)


def _kept(function: F, *, parallel: bool) -> F:
    """What was compiled is kept beside the module, or in the user's cache where that cannot be written, or in
    NUMBA_CACHE_DIR; where there is no such place at all, every process compiles anew.
    """
    try:
        kept: F = numba.njit(cache=True, parallel=parallel, nogil=True)(function)
    except RuntimeError:  # numba's way of saying that it found no place for its cache
        kept = numba.njit(parallel=parallel, nogil=True)(function)
    return kept


@contextmanager
def threads_for(steps: int) -> Iterator[None]:
    """All threads for compiled functions of many steps, some nanoseconds each; one where others would be waited for."""
    usual = numba.get_num_threads()
    numba.set_num_threads(usual if steps > FEW_STEPS else 1)
    try:
        yield
    finally:
        numba.set_num_threads(usual)


def inlined(function: F) -> F:
    """A function for compiled functions to call: it becomes part of them."""
    made: F = numba.njit(inline="always")(function)
    return made


def _popcount(_context: Any, _value: Any) -> Any:  # Any: numba's types and its code generator
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # Any: see above
        return builder.ctpop(arguments[0])

    return numba.types.uint64(numba.types.uint64), generate


popcount: Callable[[Any], Any] = intrinsic(_popcount)  # Any: integers of numba or of NumPy
"""How many bits of a 64-bit integer are set; for compiled functions."""

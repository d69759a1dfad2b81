"""How many threads products take, inside the blocks that say so."""

from __future__ import annotations

import subprocess
import sys

SEEN = """
import numpy
from threadpoolctl import threadpool_info
from mhmd.blas import all_threads, one_thread

def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

seen = [threads()]
with one_thread():
    seen.append(threads())
    with all_threads():
        seen.append(threads())
    seen.append(threads())
seen.append(threads())
print(seen)
"""


def test_small_products_take_one_thread_and_large_ones_all_that_the_process_may() -> None:
    """In a process of its own: libraries read how many threads they may take when they are loaded."""
    for may in (1, 2):
        there = {"OMP_NUM_THREADS": str(may), "OPENBLAS_NUM_THREADS": str(may)}
        done = subprocess.run([sys.executable, "-c", SEEN], env=there, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str([{may}, {1}, {may}, {1}, {may}])

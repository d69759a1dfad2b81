"""How many threads products take: one in a child, and all that it may for large ones."""

from __future__ import annotations

import subprocess
import sys

SEEN = """
import numpy
from threadpoolctl import threadpool_info
from mhmd.blas import all_threads

def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

seen = [threads()]
with all_threads():
    seen.append(threads())
print([*seen, threads()])
"""


def test_large_products_take_all_threads_that_the_process_may() -> None:
    """In a process of its own: libraries read how many threads they may take when they are loaded."""
    for may in (1, 2):
        there = {"OMP_NUM_THREADS": str(may), "OPENBLAS_NUM_THREADS": "1"}  # as children have them
        done = subprocess.run([sys.executable, "-c", SEEN], env=there, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str([{1}, {may}, {1}])

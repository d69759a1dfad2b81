"""Settings that hold for all tests, and what several of them need."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("mhmd", deadline=None)  # tests assert no times
settings.load_profile("mhmd")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[int]:
    """Compiled code on one thread: on small arrays many would wait for each other. Gives how many there would be."""
    import numba

    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield threads
    numba.set_num_threads(threads)

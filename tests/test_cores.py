"""How many cores are ours, where a cluster or a container gives fewer than the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mhmd.cores import cores, quota

SHARE = "from mhmd.cores import cores; print(cores())"
PINNED = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system pins no process")
def test_a_pinned_process_has_one() -> None:
    ran = subprocess.run([sys.executable, "-c", PINNED + SHARE], capture_output=True, text=True, check=True)
    assert int(ran.stdout) == 1
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 0),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0),
        ({}, 0),
    ],
)
def test_what_a_container_may_take(files: dict[str, str], count: int, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert quota(tmp_path) == count

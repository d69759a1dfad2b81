"""Which ffmpeg program is run, and what it can do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterator
from functools import cache

from mhmd.errors import DependencyError

LEAST = (61, 19)
"""libavcodec of FFmpeg 7.1. Earlier ones do not say what changes within a film, count packets of other streams, or
make other times of transport streams."""

LIBAVCODEC = re.compile(r"^libavcodec +(\d+)\. *(\d+)\.", re.MULTILINE)


def find_ffmpeg(filters: Collection[str] = ()) -> str:
    """The ffmpeg to run: that on PATH, else that of imageio-ffmpeg; the first that is new enough and has these filters.

    Raises DependencyError when there is none.
    """
    found = list(_programs())
    if not found:
        raise DependencyError(
            "no ffmpeg is found", wanted="ffmpeg on PATH, or imageio-ffmpeg", do="install one of them"
        )
    usable = [program for program in found if _version_of(program) >= LEAST]
    if not usable:
        raise DependencyError(
            f"{' and '.join(found)} cannot be run, or is too old",
            wanted="ffmpeg 7.1 or later",
            do="install imageio-ffmpeg, or put such an ffmpeg on PATH",
        )
    lacking = {program: sorted({*filters} - filters_in(program)) for program in usable}
    best = min(usable, key=lambda program: len(lacking[program]) > 0)
    if lacking[best]:
        raise DependencyError(
            f"ffmpeg's {', '.join(lacking[best])} is needed, which {best} lacks",
            wanted="an ffmpeg with these filters",
            do="install imageio-ffmpeg, or put such an ffmpeg on PATH",
        )
    return best


def _programs() -> Iterator[str]:
    on_path = shutil.which("ffmpeg")
    if on_path:
        yield on_path
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        yield str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return


@cache
def _version_of(program: str) -> tuple[int, int]:
    """The version of libavcodec that an ffmpeg has, which builds of any name tell; (0, 0) where it tells nothing."""
    found = LIBAVCODEC.search(_told(program, "-version"))
    return (int(found[1]), int(found[2])) if found else (0, 0)


@cache
def filters_in(program: str) -> frozenset[str]:
    """The names of the filters that an ffmpeg has."""
    return frozenset(line.split()[1] for line in _told(program, "-filters").splitlines() if "->" in line)


def _told(program: str, question: str) -> str:
    try:
        return subprocess.run([program, "-hide_banner", question], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""

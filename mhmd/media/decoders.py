"""Which decoder a film needs."""

from __future__ import annotations

from pathlib import Path

from mhmd.media.decode import Decoder
from mhmd.media.ffmpeg import FfmpegDecoder
from mhmd.media.filters import filters_of
from mhmd.media.probe import Probe
from mhmd.media.pyav import PyavDecoder

DECODERS = (PyavDecoder.name, FfmpegDecoder.name)


def decoder_for(path: Path, probe: Probe, *, max_damage: float, name: str = "pyav", hwaccel: str = "") -> Decoder:
    """The decoder for a film: the one of this name of `DECODERS`, but ffmpeg for what only ffmpeg can do.

    That is hardware (`hwaccel`, FFmpeg's name of it: cuda), and making interlaced, telecined and HDR films progressive
    and of ordinary light. Raises DependencyError when ffmpeg is needed and is not there, or lacks a filter.
    """
    filters = filters_of(probe)
    if filters or hwaccel or name == FfmpegDecoder.name:
        return FfmpegDecoder(path, max_damage, filters, hwaccel)
    return PyavDecoder(path, max_damage)

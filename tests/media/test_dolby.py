"""Dolby Vision whose picture is no ordinary one is refused; what has an ordinary one is not."""

import zlib
from fractions import Fraction
from pathlib import Path

import av
import pytest

from mhmd.errors import FilmUnreadable
from mhmd.media.probe import probe_film
from tests.films import Coding, evenly, moving_pictures, write_film

RATE = Fraction(25)
HEVC = Coding(codec="libx265", pixel_format="yuv420p10le", options={"x265-params": "log-level=none:bframes=0"})
PQ = Coding(HEVC.codec, HEVC.pixel_format, matrix="bt2020", tagged=True, transfer=16, primaries=9, options=HEVC.options)


def metadata() -> bytes:
    """A NAL unit with the least of it: ETSI GS CCM 001, rpu_data(), three straight curves and no others."""

    def exp_golomb(value: int) -> str:
        digits = f"{value + 1:b}"
        return "0" * (len(digits) - 1) + digits

    ue = exp_golomb
    bits = f"{2:06b}{18:011b}" + "0000" + "0000" + "1"  # kind, format, profile, level, a header follows
    bits += "0" + "00" + ue(23) + "01" + "1"  # fixed point with 23 bits, full range
    bits += ue(2) + ue(2) + ue(4) + "0" + "000" + "0" + "1"  # 10, 10 and 12 bits, no residual
    bits += "0" + "0" + ue(0) * 3  # nothing of displays, nothing from before
    bits += (ue(0) + f"{0:010b}{1023:010b}") * 3 + ue(0) * 2
    bits += (ue(0) + ue(0) + "0" + ue(0) + "0" * 23 + ue(1) + "0" * 23) * 3
    bits += "0" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big")
    raw = b"\x19" + body + zlib.crc32(body).to_bytes(4, "big") + b"\x80"
    escaped = bytearray()
    for byte in raw:
        if byte <= 3 and escaped[-2:] == b"\0\0":
            escaped.append(3)
        escaped.append(byte)
    return b"\0\0\0\1\x7c\x01" + escaped


def film(path: Path, coding: Coding) -> Path:
    write_film(path, moving_pictures(24), evenly(24, RATE), RATE, coding)
    return path


def with_metadata(plain: Path) -> Path:
    path = plain.with_suffix(".dv.ts")
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for old in source.demux(video=0):
            if old.size:
                packet = av.Packet(bytes(old) + metadata())
                packet.pts, packet.dts, packet.time_base = old.pts, old.dts, old.time_base
                packet.stream, packet.is_keyframe = stream, old.is_keyframe
                target.mux(packet)
    return path


def test_a_stream_for_dolby_vision_alone_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", HEVC)
    content = path.read_bytes()
    assert content.count(b"hev1") == 1
    path.write_bytes(content.replace(b"hev1", b"dvhe"))
    with pytest.raises(FilmUnreadable, match="Dolby Vision"):
        probe_film(path)


def test_metadata_beside_an_untagged_picture_is_refused(tmp_path: Path) -> None:
    path = with_metadata(film(tmp_path / "film.ts", HEVC))
    with pytest.raises(FilmUnreadable, match="Dolby Vision"):
        probe_film(path)
    assert probe_film(path, "bt2020").coded.source == "manifest"


def test_metadata_beside_an_ordinary_picture_is_passed_over(tmp_path: Path) -> None:
    assert probe_film(with_metadata(film(tmp_path / "film.ts", PQ))).hdr

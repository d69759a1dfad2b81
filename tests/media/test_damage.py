"""Bytes flipped inside a film: which damage is told, by either decoder, and that sound films raise no alarm."""

import random
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av import VideoFrame
from av.packet import Packet

from mhmd.errors import FilmDamaged
from mhmd.media.complaints import Doubt, listening
from mhmd.media.decode import Decoded, Decoder
from mhmd.media.decoders import DECODERS, decoder_for
from mhmd.media.ffmpeg import FfmpegDecoder
from mhmd.media.probe import probe_film
from mhmd.media.program import find_ffmpeg
from mhmd.media.pyav import PyavDecoder
from tests.films import Coding, make_film

QUIET = "log-level=none:keyint=24:bframes=3"
CODINGS = {
    "h264": Coding(options={"bf": "3", "preset": "fast", "g": "24"}),
    "hevc": Coding("libx265", options={"preset": "ultrafast", "x265-params": QUIET}),
    "vp8": Coding("libvpx", options={"deadline": "realtime", "cpu-used": "8", "g": "24"}),
    "vp9": Coding("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "g": "24"}),
    "mpeg2": Coding("mpeg2video", options={"bf": "2"}),
    "mpeg4": Coding("mpeg4", options={"bf": "2"}),
    "mjpeg": Coding("mjpeg", "yuvj420p"),
    "prores": Coding("prores_ks", "yuv422p10le"),
    "ffv1": Coding("ffv1", options={"level": "3", "slicecrc": "1", "g": "1"}),
}


@pytest.fixture(scope="module", params=CODINGS)
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / f"{request.param}.mkv"
    return make_film(path, [40, 56], coding=CODINGS[request.param]).path


def packets_of(path: Path) -> Iterator[tuple[Packet, bytearray]]:
    with av.open(str(path)) as film:
        for packet in film.demux(video=0):
            if packet.size:
                yield packet, bytearray(bytes(packet))


def flipped(sound: Path, path: Path, places: int, seed: int = 0) -> Path:
    """The film with so many bytes changed inside its packets, anywhere from its second eighth to its seventh."""
    source, packets = random.Random(seed), list(packets_of(sound))
    for _ in range(places):
        content = packets[source.randrange(len(packets) // 8, len(packets) * 7 // 8)][1]
        content[source.randrange(len(content))] ^= source.randrange(1, 256)
    with av.open(str(sound)) as film, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        for packet, content in packets:
            copy = Packet(bytes(content))
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            copy.time_base, copy.is_keyframe, copy.stream = packet.time_base, packet.is_keyframe, stream
            container.mux(copy)
    return path


def luma(frame: VideoFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    plane, deep = frame.planes[0], frame.format.components[0].bits > 8
    lines = np.frombuffer(memoryview(plane), np.uint16 if deep else np.uint8).reshape(plane.height, -1)
    return lines[:, : plane.width].astype(np.int16) >> (2 if deep else 0)


def unseen(decoder: Decoder, sound: list[Decoded]) -> tuple[int, int]:
    """How many frames differ from the sound ones by a level or more in the mean, and how many of them pass as sound."""
    truth = {each.pts: luma(each.frame) for each in sound}
    damaged = [each for each in decoder if np.abs(luma(each.frame) - truth[each.pts]).mean() >= 1]
    return len(damaged), sum(not each.suspect for each in damaged)


def told(decoder: Decoder) -> list[tuple[int, bool]]:
    """Not the pictures: what two versions of FFmpeg make of damaged bits differs."""
    return [(each.pts, each.suspect) for each in decoder]


@pytest.mark.parametrize("name", DECODERS)
def test_sound_films_raise_no_alarm(name: str, film: Path) -> None:
    decoder = decoder_for(film, probe_film(film), max_damage=0, name=name)
    assert not any(each.suspect for each in decoder)
    assert (decoder.name, decoder.frames, decoder.errors) == (name, 96, 0)


def test_both_decoders_tell_the_same_damage(film: Path, tmp_path: Path) -> None:
    path = flipped(film, tmp_path / "film.mkv", 3)
    ours, theirs = PyavDecoder(path, 1), FfmpegDecoder(path, 1)
    assert told(ours) == told(theirs)
    assert ours.errors == theirs.errors


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("film", ["ffv1", "h264", "mpeg4"], indirect=True)
def test_damaged_frames_are_never_stored(film: Path, name: str, tmp_path: Path) -> None:
    sound, found = list(PyavDecoder(film, 0)), 0
    for seed in range(3):
        path = flipped(film, tmp_path / f"{seed}.mkv", 20, seed)
        damaged, passed = unseen(decoder_for(path, probe_film(path), max_damage=1, name=name), sound)
        assert passed == 0
        found += damaged
    assert found > 0


@pytest.mark.parametrize("film", ["ffv1"], indirect=True)
def test_what_decoders_complain_of_counts(film: Path, tmp_path: Path) -> None:
    path = flipped(film, tmp_path / "film.mkv", 20)
    with pytest.raises(FilmDamaged, match=r"1\d of 96 packets cannot be decoded without damage \(the decoder says '"):
        list(PyavDecoder(path, 0.05))


def test_who_listens_hears_one_decoder_alone(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", [2]).path
    with av.open(str(path)) as film:
        context, doubt = film.streams.video[0].codec_context, Doubt()
        for level, name in [(av.logging.ERROR, "x"), (av.logging.WARNING, "h264"), (av.logging.INFO, "h264")]:
            with listening(context, doubt):
                av.logging.log(level, name, "error while decoding")
        assert not doubt.told
        for _ in range(2):  # the same line again is heard again
            doubt.told = ""
            with listening(context, doubt):
                av.logging.log(av.logging.ERROR, "h264", "error while decoding")
            assert doubt.told == "error while decoding"
        assert av.logging.get_level() is None


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_joined_recordings_are_named_and_mended_as_is_said(suffix: str, name: str, tmp_path: Path) -> None:
    coding = Coding("mpeg2video", options={"bf": "2"}) if suffix == ".mpg" else Coding(options={"bf": "2"})
    path = make_film(tmp_path / f"two parts{suffix}", [60], coding=coding).path
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(FilmDamaged, match=r"times go back by 2\.\d s after frame 5[89], ") as raised:
        list(decoder_for(path, probe_film(path), max_damage=0.05, name=name))
    _, *arguments = shlex.split(raised.value.do.removeprefix("give it one with: "))
    subprocess.run([find_ffmpeg(), "-loglevel", "error", *arguments], cwd=tmp_path, check=True)
    mended = tmp_path / "two parts.mkv"
    decoder = decoder_for(mended, probe_film(mended), max_damage=0, name=name)
    assert len(list(decoder)) == 120
    assert not decoder.damage

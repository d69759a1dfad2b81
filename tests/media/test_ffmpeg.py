"""The ffmpeg program as a decoder: the same frames as PyAV's, and never left behind."""

import os
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from av import VideoFrame

from mhmd.errors import DependencyError, FilmDamaged, FilmUnreadable
from mhmd.media.child import Child
from mhmd.media.colour import Colour
from mhmd.media.decode import Decoder
from mhmd.media.decoders import decoder_for
from mhmd.media.ffmpeg import FfmpegDecoder
from mhmd.media.probe import probe_film
from mhmd.media.program import find_ffmpeg
from mhmd.media.pyav import PyavDecoder
from mhmd.media.rgb import ToRgb
from tests.films import (
    Coding,
    Scene,
    make_film,
    scene_pictures,
    write_film,
)
from tests.media.test_decode import damaged


def content(frame: VideoFrame) -> bytes:
    """The visible bytes of all planes."""
    found = []
    for plane in frame.planes:
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        width = (
            plane.line_size if frame.format.name == "pal8" else plane.width * -(-frame.format.components[0].bits // 8)
        )
        found.append(lines[: plane.height, :width].tobytes())
    return b"".join(found)


def told(decoder: Decoder, colour: Colour) -> list[tuple[int, int, int, bool, bytes, bytes]]:
    """All that a decoder tells. Two frames of the same bytes may still differ in where their chroma lies."""
    to_rgb = ToRgb(colour)
    return [
        (each.index, each.pts, each.ticks, each.suspect, content(each.frame), to_rgb.picture(each.frame).tobytes())
        for each in decoder
    ]


def assert_alike(path: Path, max_damage: float = 0) -> tuple[Decoder, Decoder]:
    """Both decoders, which have given the same frames."""
    ours, theirs = PyavDecoder(path, max_damage), FfmpegDecoder(path, max_damage)
    colour = probe_film(path).colour
    assert told(theirs, colour) == told(ours, colour)
    assert (theirs.frames, theirs.errors) == (ours.frames, ours.errors)
    return ours, theirs


@pytest.mark.parametrize(
    ("name", "coding", "vfr"),
    [
        ("film.mp4", Coding(), False),
        ("film.mp4", Coding(), True),
        ("film.mkv", Coding(options={"bf": "3", "preset": "fast"}), False),
        ("film.mkv", Coding(options={"bf": "3", "preset": "fast"}), True),
        ("film.ts", Coding(), False),
        ("film.mpg", Coding(codec="mpeg2video"), False),
        ("film.avi", Coding(codec="mpeg4", options={"bf": "2"}), False),
        ("film.asf", Coding(codec="mpeg4", options={"bf": "2"}), False),
        ("10 bit.mkv", Coding(codec="ffv1", pixel_format="yuv420p10le"), False),
        ("rgb.mkv", Coding(codec="ffv1", pixel_format="bgr0"), False),
        ("full.mp4", Coding(codec="mjpeg", pixel_format="yuvj420p"), True),
    ],
)
def test_frames_and_times_are_those_of_pyav(name: str, coding: Coding, vfr: bool, tmp_path: Path) -> None:
    path = make_film(tmp_path / name, [12, 20], vfr=vfr, coding=coding).path
    ours, theirs = assert_alike(path)
    assert theirs.errors == 0
    assert vfr or abs(theirs.end_ticks - ours.end_ticks) <= 1


def test_what_an_editor_would_show_no_more_of_is_not_cut_off(tmp_path: Path) -> None:
    """QuickTime's clean aperture leaves out what tapes have beside the picture; FFmpeg of some versions obeys it."""
    path = tmp_path / "film.mp4"
    assert_alike(with_clean_aperture(make_film(path, [12], size=(192, 144)).path, 176, 128))
    assert (probe_film(path).width, probe_film(path).height) == (192, 144)


def with_clean_aperture(path: Path, width: int, height: int) -> Path:
    """The MP4 with a box for it in its stream's description, and all boxes around it so much longer."""
    box = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    data = bytearray(path.read_bytes())
    boxes = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
    around = [data.rindex(name) - 4 for name in boxes]
    end = around[-1] + int.from_bytes(data[around[-1] : around[-1] + 4], "big")
    assert data.index(b"mdat") < around[0], "what is behind the box moves"
    data[end:end] = box
    for place in around:
        data[place : place + 4] = (int.from_bytes(data[place : place + 4], "big") + len(box)).to_bytes(4, "big")
    path.write_bytes(data)
    return path


def test_pictures_that_stand_are_no_damage(tmp_path: Path) -> None:
    """Theora has packets of no bytes for them."""
    pictures = [*scene_pictures(Scene(24), 0, (64, 64))]
    pictures += pictures[-1:] * 24 + pictures
    path, times = tmp_path / "film.ogv", [Fraction(k, 24) for k in range(73)]
    write_film(tmp_path / "film.mkv", pictures, times)
    arguments = ["-loglevel", "error", "-i", "film.mkv", "-c:v", "libtheora", path.name]
    subprocess.run([find_ffmpeg(), *arguments], cwd=tmp_path, check=True)
    ours, theirs = assert_alike(path)
    assert ours.errors == theirs.errors == 0
    assert 48 <= ours.frames < 72
    assert ours.end_ticks == 72


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
@pytest.mark.parametrize("start_s", [Fraction(5), Fraction(-1, 8)])
def test_films_that_start_late_or_early(start_s: Fraction, suffix: str, tmp_path: Path) -> None:
    path, times = tmp_path / f"film{suffix}", [start_s + Fraction(k, 24) for k in range(25)]
    unshifted = {"avoid_negative_ts": "disabled"}
    write_film(path, scene_pictures(Scene(24), 0, (64, 64)), times, options=unshifted)
    _, theirs = assert_alike(path)
    assert theirs.frames == (24 if start_s > 0 or suffix == ".ts" else 21)  # whose clock may begin anew


def test_times_that_go_back(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.ts", [24]).path
    path.write_bytes(path.read_bytes() * 2)
    _, theirs = assert_alike(path, 1)
    assert theirs.errors == 24


def test_a_time_that_comes_twice_costs_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    coded = make_film(tmp_path / "coded.mp4", [60], coding=Coding(options={"g": "60"})).path
    with av.open(str(coded)) as film, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(packet for packet in film.demux(video=0) if packet.size):
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = 40 * (number - (number == 20))
            container.mux(packet)
    ours, theirs = assert_alike(path, 0.1)
    assert (ours.frames, ours.errors, ours.suspects, theirs.suspects) == (59, 1, 0, 0)


@pytest.mark.parametrize("places", [3, 60])
def test_damage_is_found_as_by_pyav(places: int, tmp_path: Path) -> None:
    path = damaged(tmp_path / "film.mp4", places)
    _, theirs = assert_alike(path, 1)
    assert theirs.errors == {3: 3, 60: 23}[places]
    if places == 60:
        with pytest.raises(FilmDamaged, match="23 of 240 packets cannot be decoded"):
            list(FfmpegDecoder(path, 0.05))


def test_a_film_that_was_cut_off(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", [60] * 4).path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 100 < len(list(FfmpegDecoder(path, 0.6))) < 140
    with pytest.raises(FilmDamaged, match=r"ends after [45]\.\d of 10\.0 s"):
        list(FfmpegDecoder(path, 0.05))


def test_frames_that_change_their_size(tmp_path: Path) -> None:
    parts = []
    for place, size in enumerate([(64, 96), (96, 64)]):
        times = [place + Fraction(k, 24) for k in range(13)]
        write_film(tmp_path / f"{place}.ts", scene_pictures(Scene(12), 0, size), times)
        parts.append((tmp_path / f"{place}.ts").read_bytes())
    (tmp_path / "film.ts").write_bytes(b"".join(parts))
    with pytest.raises(FilmUnreadable, match=r"has 96×64 px, the first 64×96"):
        list(FfmpegDecoder(tmp_path / "film.ts", 1))


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a CUDA device")
def test_hardware_that_is_not_there(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", [24]).path
    decoder = decoder_for(path, probe_film(path), max_damage=0, hwaccel="cuda")
    with pytest.raises(DependencyError, match=r"cuda: .*wanted a device"):
        list(decoder)


def test_ffmpeg_ends_with_the_one_who_reads(tmp_path: Path) -> None:
    others = set(psutil.Process().children())  # such as what multiprocessing keeps
    frames = iter(FfmpegDecoder(make_film(tmp_path / "film.mp4", [240]).path, 0))
    next(frames)
    assert set(psutil.Process().children()) - others
    frames.close()
    assert not set(psutil.Process().children()) - others


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a hanging child stays")
def test_a_child_that_hangs_dies_with_us() -> None:
    sleeping = "import time; time.sleep(60)"
    starter = (
        "import sys, time; from mhmd.media.child import Child\n"
        f"child = Child([sys.executable, '-c', {sleeping!r}])\n"
        "print(child.url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        child.wait(5)
    assert not child.is_running()


def test_a_child_that_says_a_lot() -> None:
    talk = "import sys\nfor _ in range(100000): print('[error] so', file=sys.stderr)\nsys.stderr.write('y' * 99999)"
    began = time.monotonic()
    with Child([sys.executable, "-c", talk]) as child:
        os.read(int(child.url.removeprefix("pipe:")), 1)
        said, status = child.finish()
    assert (status, len(said.complaints)) == (0, 20)
    assert time.monotonic() - began < 8

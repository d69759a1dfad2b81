"""Frames, their exact times, and damage."""

import hashlib
import random
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from mhmd.errors import FilmDamaged, FilmUnreadable
from mhmd.media.decode import Decoded
from mhmd.media.decoders import DECODERS, decoder_for
from mhmd.media.probe import probe_film
from mhmd.media.pyav import PyavDecoder
from tests.films import Coding, Scene, evenly, make_film, scene_pictures, write_film


def hash_of(frames: Iterable[Decoded]) -> str:
    """Of all pictures and times."""
    digest = hashlib.sha256()
    for decoded in frames:
        digest.update(f"{decoded.index} {decoded.pts} {decoded.suspect}".encode())
        digest.update(decoded.frame.to_ndarray().tobytes())
    return digest.hexdigest()


def damaged(path: Path, places: int) -> Path:
    """A film of 240 frames with 30 random bytes written over its middle at so many places."""
    make_film(path, [60] * 4)
    content = bytearray(path.read_bytes())
    source = random.Random(1)
    for _ in range(places):
        place = source.randrange(len(content) // 4, len(content) * 3 // 4)
        content[place : place + 30] = source.randbytes(30)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("coding", [Coding(), Coding(options={"bf": "3", "preset": "fast"})], ids=["plain", "b frames"])
@pytest.mark.parametrize("vfr", [False, True])
def test_times_are_exact(coding: Coding, vfr: bool, tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", vfr=vfr, coding=coding)
    decoder = PyavDecoder(made.path, 0)
    frames = list(decoder)
    time_base = probe_film(made.path).time_base
    assert [decoded.index for decoded in frames] == list(range(made.frames))
    assert [decoded.ticks * time_base for decoded in frames] == list(made.times[:-1])
    assert vfr or decoder.end_ticks * time_base == made.times[-1], "MP4 keeps differences of dts, not lengths"
    assert (decoder.frames, decoder.errors) == (made.frames, 0)


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi", ".mov", ".mpg"])
def test_other_containers(suffix: str, tmp_path: Path) -> None:
    coding = {".avi": Coding(codec="mpeg4"), ".mpg": Coding(codec="mpeg2video")}.get(suffix, Coding())
    made = make_film(tmp_path / f"film{suffix}", coding=coding)
    frames = list(PyavDecoder(made.path, 0))
    time_base = probe_film(made.path).time_base
    assert len(frames) == made.frames
    for decoded, time in zip(frames, made.times, strict=False):
        assert abs(decoded.ticks * time_base - time) <= Fraction(1, 1000)


NOT_CODED = bytes.fromhex("000001b6504f")
"""A picture of MPEG-4 that says of itself, at 25 a second, that there is none: the one before stands for longer."""


@pytest.mark.parametrize(("name", "b_frames"), [("pyav", "0"), ("pyav", "2"), ("ffmpeg", "0")])
def test_pictures_of_an_avi_that_are_not_coded(b_frames: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    coded = make_film(tmp_path / "coded.avi", [60], rate=Fraction(25), coding=Coding("mpeg4", options={"bf": b_frames}))
    places = list[int]()
    with av.open(str(coded.path)) as film, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(packet for packet in film.demux(video=0) if packet.size):
            place = number + (number + 5) // 12
            copies = [(bytes(packet), place), (NOT_CODED, place + 1)][: 1 + (number % 12 == 6)]
            for content, time in copies:
                copy = av.Packet(content)
                copy.stream, copy.time_base, copy.is_keyframe = stream, packet.time_base, packet.is_keyframe
                copy.dts = copy.pts = time
                container.mux(copy)
            places.append(place)
    decoder = decoder_for(path, probe_film(path), max_damage=0, name=name)
    assert [frame.ticks for frame in decoder] == places
    assert decoder.errors == 0


@pytest.mark.parametrize("suffix", [".avi", ".asf"])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_b_frames_in_containers_without_times_of_showing(codec: str, suffix: str, tmp_path: Path) -> None:
    options = {"bf": "2", "preset": "fast"} if codec == "libx264" else {"bf": "2"}
    made = make_film(tmp_path / f"film{suffix}", coding=Coding(codec=codec, options=options))
    decoder = PyavDecoder(made.path, 0)
    time_base = probe_film(made.path).time_base
    seconds = [decoded.ticks * time_base for decoded in decoder]
    assert len(seconds) == made.frames
    assert all(abs(got - true) <= Fraction(1, 500) for got, true in zip(seconds, made.times, strict=False))


def test_a_lost_frame_leaves_the_times_of_others(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.avi", [24], coding=Coding(codec="mjpeg", pixel_format="yuvj420p"))
    with av.open(str(made.path)) as film:
        lost = list(film.demux(video=0))[10]
    assert lost.pos is not None
    content = bytearray(made.path.read_bytes())
    content[lost.pos + 8 : lost.pos + lost.size] = bytes(lost.size - 8)
    made.path.write_bytes(content)
    decoder = PyavDecoder(made.path, 1)
    assert [decoded.ticks for decoded in decoder] == [tick for tick in range(24) if tick != 10]
    assert decoder.errors == 1


def test_time_counts_from_the_first_frame(tmp_path: Path) -> None:
    times = [5 + Fraction(k, 24) for k in range(13)]
    write_film(tmp_path / "film.ts", scene_pictures(Scene(12), 0, (64, 64)), times)
    first, second, *_ = PyavDecoder(tmp_path / "film.ts", 0)
    assert (first.pts, first.ticks) == (5 * 90000, 0)
    assert (second.pts, second.ticks) == (5 * 90000 + 3750, 3750)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("start_s", [88000, 95441])
@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_a_clock_may_begin_anew(suffix: str, start_s: int, name: str, tmp_path: Path) -> None:
    """Those of transport and program streams do after 2³³ ticks, 95,443.7 s."""
    path = tmp_path / f"film{suffix}"
    coding = Coding("mpeg2video", options={"bf": "2"}) if suffix == ".mpg" else Coding(options={"bf": "2"})
    times = [start_s + Fraction(k, 24) for k in range(121)]
    write_film(path, scene_pictures(Scene(120), 0, (64, 64)), times, coding=coding)
    decoder = decoder_for(path, probe_film(path), max_damage=0, name=name)
    assert [decoded.ticks for decoded in decoder] == [3750 * k for k in range(120)]
    assert not decoder.damage


def test_frames_before_time_0_are_left_out(tmp_path: Path) -> None:
    made, early = make_film(tmp_path / "film.mp4", [12]), tmp_path / "early.mkv"
    unshifted = {"avoid_negative_ts": "disabled"}
    with av.open(str(early), "w", options=unshifted) as container, av.open(str(made.path)) as film:
        stream = container.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts - 3 * packet.duration, packet.dts - 3 * packet.duration
                packet.stream = stream
                container.mux(packet)
    frames = list(PyavDecoder(early, 0))
    assert [(decoded.index, decoded.pts) for decoded in frames[:2]] == [(0, 0), (1, 42)]
    assert len(frames) == 9


def test_damage_is_counted_and_what_follows_it_is_suspect(tmp_path: Path) -> None:
    path = damaged(tmp_path / "film.mp4", 3)
    decoder = PyavDecoder(path, 1)
    frames = list(decoder)
    assert 0 < decoder.errors < 10
    assert 230 <= decoder.frames < 240
    suspects = [decoded.index for decoded in frames if decoded.suspect]
    assert 0 < len(suspects) < 60
    assert not any(decoded.suspect for decoded in frames if decoded.frame.key_frame)
    assert hash_of(frames) == hash_of(PyavDecoder(path, 1))


def test_too_much_damage(tmp_path: Path) -> None:
    path = damaged(tmp_path / "film.mp4", 60)
    with pytest.raises(FilmDamaged, match="packets cannot be decoded"):
        list(PyavDecoder(path, 0.05))
    assert list(PyavDecoder(path, 1))


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_film_that_was_cut_off(suffix: str, tmp_path: Path) -> None:
    coding = Coding(codec="mpeg4") if suffix == ".avi" else Coding()
    path = make_film(tmp_path / f"film{suffix}", [60] * 4, coding=coding).path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    decoder = PyavDecoder(path, 0.05)
    with pytest.raises(FilmDamaged, match=r"ends after [45]\.\d of 10\.0 s"):
        list(decoder)
    assert 100 < decoder.frames < 140


def with_sound(path: Path, seconds: int, late_s: int) -> Path:
    """A film of 10 s that begins so late, beside sound of so many seconds from 0 on."""
    name, coding = (".silent.asf", Coding("wmv2")) if path.suffix == ".wmv" else (".silent.mp4", Coding())
    silent = make_film(path.with_suffix(name), [60] * 4, coding=coding)
    with av.open(str(path), "w") as container, av.open(str(silent.path)) as film:
        video = container.add_stream_from_template(film.streams.video[0])
        sound = container.add_stream("aac", rate=8000)
        for packet in film.demux(video=0):
            if packet.size and packet.pts is not None and packet.dts is not None:
                late = round(late_s / packet.time_base)
                packet.stream, packet.pts, packet.dts = video, packet.pts + late, packet.dts + late
                container.mux(packet)
        for number in range(seconds * 8000 // 1024):
            frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            frame.planes[0].update(bytes(4096))
            frame.sample_rate, frame.pts = 8000, number * 1024
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize(("seconds", "late_s"), [(20, 0), (10, 3), (13, 3), (10, 6), (25, 6)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".flv", ".ts", ".wmv"])
def test_sound_may_begin_before_the_picture_and_go_on_after_it(
    suffix: str, seconds: int, late_s: int, name: str, tmp_path: Path
) -> None:
    path = with_sound(tmp_path / f"film{suffix}", seconds, late_s)
    decoder = decoder_for(path, probe_film(path), max_damage=0, name=name)
    assert len(list(decoder)) == 240
    assert not decoder.damage


@pytest.mark.parametrize(("seconds", "late_s"), [(10, 0), (13, 3), (30, 0)])
@pytest.mark.parametrize("suffix", [".mkv", ".flv"])
def test_a_film_with_sound_that_was_cut_off(suffix: str, seconds: int, late_s: int, tmp_path: Path) -> None:
    path = with_sound(tmp_path / f"film{suffix}", seconds, late_s)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FilmDamaged, match=r"it ends after \d\.\d of (10|30)\.\d s"):
        list(PyavDecoder(path, 0.05))


def test_a_film_that_cannot_be_read_on(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.nut", [60] * 4).path
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + random.Random(2).randbytes(len(content) // 2))
    decoder = PyavDecoder(path, 1)
    assert 100 < len(list(decoder)) < 130
    assert decoder.errors > 0


def test_times_that_go_back_are_skipped_and_counted(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.ts", [24]).path
    path.write_bytes(path.read_bytes() * 2)
    decoder = PyavDecoder(path, 1)
    pts = [decoded.pts for decoded in decoder]
    assert pts == sorted(set(pts))
    assert (len(pts), decoder.errors) == (24, 24)


def test_one_frame(tmp_path: Path) -> None:
    decoder = PyavDecoder(make_film(tmp_path / "film.mp4", [1]).path, 0)
    assert [decoded.ticks for decoded in decoder] == [0]
    assert decoder.end_ticks > 0


def test_frames_that_change_their_size(tmp_path: Path) -> None:
    parts = []
    for place, size in enumerate([(64, 64), (96, 64)]):
        path = tmp_path / f"{place}.ts"
        times = [place + Fraction(k, 24) for k in range(25)]
        write_film(path, scene_pictures(Scene(24), 0, size), times)
        parts.append(path.read_bytes())
    (tmp_path / "film.ts").write_bytes(b"".join(parts))
    assert probe_film(tmp_path / "film.ts").width == 64
    with pytest.raises(FilmUnreadable, match="frame 24 has 96×64 px, the first 64×64"):
        list(PyavDecoder(tmp_path / "film.ts", 1))


def test_a_damaged_header_is_no_other_size(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", [24], coding=Coding("mjpeg", "yuvj420p", full_range=True)).path
    content = bytearray(path.read_bytes())
    place = content.index(b"\xff\xc0", len(content) // 2)  # where a JPEG tells its size
    content[place + 6] ^= 0x10
    path.write_bytes(content)
    decoder = PyavDecoder(path, 0.2)
    assert len({(each.frame.width, each.frame.height) for each in decoder}) == 1
    assert (decoder.frames, decoder.errors) == (23, 1)


def test_a_damaged_header_of_a_group_is_no_other_size(tmp_path: Path) -> None:
    """In MPEG-2, as on DVDs, the size stands before each group of pictures."""
    path = tmp_path / "film.mkv"
    coding = Coding("mpeg2video", options={"g": "15"})
    write_film(path, scene_pictures(Scene(150), 0, (192, 144)), evenly(150, Fraction(25)), coding=coding)
    content, header, place = bytearray(path.read_bytes()), b"\0\0\1\xb3", 0
    for _ in range(5):
        place = content.index(header, place + 1)
    content[place + 5] ^= 0x10
    path.write_bytes(content)
    decoder = PyavDecoder(path, 0.2)
    assert {(each.frame.width, each.frame.height) for each in decoder} == {(192, 144)}
    assert decoder.frames >= 130, "all but a group"
    assert 10 <= decoder.errors <= 18


def test_nothing_that_can_be_decoded(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", [24], coding=Coding(codec="ffv1")).path
    content = path.read_bytes()
    path.write_bytes(content[:2000] + bytes(len(content) - 2000))
    with pytest.raises((FilmUnreadable, FilmDamaged)):
        list(PyavDecoder(path, 0.05))

"""Files that are not what they should be end in a named error, with either decoder; whatever can be decoded is."""

import os
import random
import shutil
import subprocess
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import pytest

from mhmd.errors import FilmDamaged, FilmMissing, FilmUnreadable
from mhmd.media.container import input_options, url_of
from mhmd.media.decode import Decoder
from mhmd.media.decoders import DECODERS, decoder_for
from mhmd.media.probe import probe_film
from mhmd.media.program import find_ffmpeg
from tests.films import Coding, Scene, evenly, make_film, scene_pictures, write_film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", [24]).path


@pytest.fixture(params=DECODERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def decode(path: Path, name: str, max_damage: float = 0.05) -> Decoder:
    """The decoder, which has decoded all."""
    decoder = decoder_for(path, probe_film(path), max_damage=max_damage, name=name)
    assert decoder.name == name
    assert sum(1 for _ in decoder) == decoder.frames > 0
    return decoder


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_film_that_may_not_be_read(film: Path, tmp_path: Path) -> None:
    shutil.copy(film, tmp_path / "film.mp4")
    (tmp_path / "film.mp4").chmod(0)
    with pytest.raises(FilmUnreadable, match="Permission denied"):
        probe_film(tmp_path / "film.mp4")


SCRIPTS = {
    "concat": "ffconcat version 1.0\nfile 'film.mp4'\n",
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfilm.ts\n#EXT-X-ENDLIST\n",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    '<Period><AdaptationSet><Representation id="0" mimeType="video/mp4" bandwidth="1"><BaseURL>film.mp4</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "imf": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"/>',
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("suffix", [".mp4", ".ffconcat", ".m3u8", ".sdp", ".mpd", ".xml"])
def test_scripts_are_not_followed(script: str, suffix: str, film: Path, tmp_path: Path) -> None:
    shutil.copy(film, tmp_path / "film.mp4")
    make_film(tmp_path / "film.ts", [24])
    path = tmp_path / f"script{suffix}"
    path.write_text(SCRIPTS[script])
    with pytest.raises(FilmUnreadable):
        probe_film(path)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_ffmpeg_program_does_not_follow_them_either(script: str, film: Path, tmp_path: Path) -> None:
    shutil.copy(film, tmp_path / "film.mp4")
    make_film(tmp_path / "film.ts", [24])
    path = tmp_path / "script.mp4"
    path.write_text(SCRIPTS[script])
    options = [part for key, value in input_options().items() for part in (f"-{key}", value)]
    command = [find_ffmpeg(), "-nostdin", *options, "-i", url_of(path), "-f", "null", "-"]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    assert (
        subprocess.run([*command[:2], *options, "-i", url_of(film), *command[-3:]], capture_output=True).returncode == 0
    )


@pytest.mark.parametrize(
    "of", ["two words", "ünï — ✓", 'it\'s "so"', "http:a:b", "-dash", "%03d", "a?b#c", "$(id);`id`", "[0]"]
)
def test_any_name_will_do(of: str, name: str, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(film, tmp_path / f"{of}.mp4")
    monkeypatch.chdir(tmp_path)
    assert decode(Path(f"{of}.mp4"), name).frames == 24


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("rawvideo", "yuv420p"),
        ("rawvideo", "yuv422p"),
        ("rawvideo", "yuv411p"),
        ("rawvideo", "yuv410p"),
        ("rawvideo", "yuv444p12le"),
        ("rawvideo", "gray"),
        ("rawvideo", "gray10le"),
        ("rawvideo", "bgr0"),
        ("rawvideo", "gbrp10le"),
        ("rawvideo", "rgb24"),
        ("rawvideo", "nv12"),
        ("rawvideo", "uyvy422"),
        ("rawvideo", "monob"),  # decoded as pal8
        ("mjpeg", "yuvj422p"),
    ],
)
def test_odd_sizes_and_pixel_formats(codec: str, pixel_format: str, name: str, tmp_path: Path) -> None:
    from mhmd.media.rgb import ToRgb

    coding = Coding(codec=codec, pixel_format=pixel_format)
    path = make_film(tmp_path / "film.nut", [14], size=(161, 121), coding=coding).path
    decoder = decoder_for(path, probe_film(path), max_damage=0, name=name)
    pictures = [ToRgb(probe_film(path).colour).picture(each.frame) for each in decoder]
    assert [picture.shape for picture in pictures] == [(121, 161, 3)] * 14


def test_one_frame(name: str, tmp_path: Path) -> None:
    decoder = decode(make_film(tmp_path / "film.mp4", [1]).path, name)
    assert (decoder.frames, decoder.end_ticks > 0) == (1, True)


def without_duration(path: Path, boxes: dict[bytes, int]) -> Path:
    """A film with nought where these boxes of MP4 tell how long it is."""
    content = bytearray(make_film(path, [24]).path.read_bytes())
    for box, place in boxes.items():
        start = content.index(box) + place
        content[start : start + 4] = bytes(4)
    path.write_bytes(content)
    return path


def test_no_duration(name: str, tmp_path: Path) -> None:
    path = without_duration(tmp_path / "film.mp4", {b"mvhd": 20, b"tkhd": 24, b"mdhd": 20})
    assert decode(path, name).frames == 24


def test_an_edit_list_that_shows_nothing(name: str, tmp_path: Path) -> None:
    path = without_duration(tmp_path / "film.mp4", {b"elst": 12})
    with pytest.raises(FilmUnreadable, match="not one frame"):
        decode(path, name)


def test_frames_that_last_no_time(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", [24]).path
    content = bytearray(path.read_bytes())
    start = content.index(b"stts") + 16
    content[start : start + 4] = bytes(4)
    path.write_bytes(content)
    with pytest.raises((FilmDamaged, FilmUnreadable)):
        decode(path, name)


def test_a_film_without_its_index(name: str, film: Path, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(film.read_bytes()[:5000])
    with pytest.raises(FilmUnreadable, match="Invalid data"):
        decode(tmp_path / "film.mp4", name)


def test_a_film_that_was_cut_off_is_kept_when_enough_is_there(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", [60] * 4).path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 100 < decode(path, name, max_damage=0.6).frames < 140
    with pytest.raises(FilmDamaged, match=r"ends after [45]\.\d of 10\.0 s; wanted at most 5%"):
        decode(path, name)


def test_bytes_flipped_in_the_middle(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", [60] * 4).path
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    content[place : place + 3000] = random.Random(1).randbytes(3000)
    path.write_bytes(content)
    decoder = decode(path, name)
    assert 0 < decoder.errors <= 12
    assert 228 <= decoder.frames < 240


@pytest.mark.parametrize("kind", ["flip", "cut", "noise"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_damage_anywhere_ends_in_frames_or_a_named_error(
    kind: str, suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    coding = Coding(codec="mpeg4") if suffix == ".avi" else Coding()
    path = make_film(tmp_path / f"film{suffix}", [12, 12], size=(64, 48), coding=coding).path
    sound = path.read_bytes()
    for seed in range(6):
        source, content = random.Random(seed), bytearray(sound)
        place = source.randrange(len(content))
        if kind == "flip":
            content[place] ^= 1 << source.randrange(8)
        else:
            content[place : place + 200 if kind == "noise" else None] = source.randbytes(200 if kind == "noise" else 0)
        path.write_bytes(content)
        with suppress(FilmUnreadable, FilmDamaged):
            decode(path, "pyav", 1)
    assert capfd.readouterr() == ("", ""), "FFmpeg's own words are not ours"


def test_films_that_are_none(name: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    for content in (b"", b"these are words\n" * 500, random.Random(1).randbytes(5000)):
        path.write_bytes(content)
        with pytest.raises(FilmUnreadable):
            decode(path, name)
    with pytest.raises(FilmMissing):
        decode(tmp_path / "no.mp4", name)


def test_a_film_that_goes_between_probing_and_decoding(name: str, film: Path, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    shutil.copy(film, path)
    probe = probe_film(path)
    path.unlink()
    with pytest.raises(FilmMissing):
        list(decoder_for(path, probe, max_damage=0, name=name))


def test_sound_alone(name: str, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mka"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
        frame.planes[0].update(bytes(2048))
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(FilmUnreadable, match="no video stream, only: audio"):
        decode(tmp_path / "film.mka", name)


def test_of_two_pictures_the_one_that_was_probed_is_decoded(name: str, film: Path, tmp_path: Path) -> None:
    other, path = tmp_path / "other.mp4", tmp_path / "film.mkv"
    write_film(other, scene_pictures(Scene(24), 3, (320, 180)), evenly(24, Fraction(24)))
    with av.open(str(path), "w") as container, av.open(str(film)) as a, av.open(str(other)) as b:
        streams = [container.add_stream_from_template(source.streams.video[0]) for source in (a, b)]
        for source, stream in zip((a, b), streams, strict=True):
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    probe = probe_film(path)
    decoder = decoder_for(path, probe, max_damage=0, name=name)
    assert {(each.frame.width, each.frame.height) for each in decoder} == {(probe.width, probe.height)}


@pytest.mark.parametrize("name", DECODERS)
def test_a_stream_that_begins_late_is_passed_over(name: str, tmp_path: Path) -> None:
    """As damage in a transport stream makes them up: PyAV does not know the stream of such packets."""
    pictures = list(scene_pictures(Scene(400), 0, (96, 64)))
    for part, pid in (("one", "0x100"), ("other", "0x200")):
        write_film(
            tmp_path / f"{part}.ts",
            pictures,
            evenly(400, Fraction(24)),
            coding=Coding(),
            options={"mpegts_start_pid": pid},
        )
    first, second = ((tmp_path / f"{part}.ts").read_bytes() for part in ("one", "other"))
    film = tmp_path / "film.ts"
    film.write_bytes(first * 4 + second + first)
    probe = probe_film(film)
    decoder = decoder_for(film, probe, max_damage=1, name=name, hwaccel="")
    assert sum(1 for _ in decoder) >= 400

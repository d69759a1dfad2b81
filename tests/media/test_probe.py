"""What probing tells of films, and what it says of files that are none."""

import os
import shutil
from fractions import Fraction
from pathlib import Path

import av
import pytest

from mhmd.errors import FilmMissing, FilmUnreadable
from mhmd.media.container import opened
from mhmd.media.probe import Crop, probe_film
from tests.films import Coding, make_film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", bars=14).path


def test_what_a_film_is(film: Path) -> None:
    probe = probe_film(film)
    assert (probe.codec, probe.width, probe.height, probe.pixel_format) == ("h264", 192, 108, "yuv420p")
    assert (probe.rate, probe.frames, probe.interlaced) == (Fraction(24), 90, False)
    assert probe.crop(probe.formats[0]) == Crop(0, 14, 192, 80)


@pytest.mark.parametrize(
    "name", ["with space.mp4", "ünï — ✓.mp4", 'it\'s "so".mp4', "http:a:b.mp4", "-dash.mp4", "%03d.mp4", "a?b#c.mp4"]
)
def test_any_name_will_do(film: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(film, tmp_path / name)
    assert probe_film(tmp_path / name).width == 192
    monkeypatch.chdir(tmp_path)
    assert probe_film(Path(name)).width == 192


@pytest.mark.parametrize("size", [(161, 91), (17, 9), (2, 2)])
def test_odd_sizes_stay_whole(size: tuple[int, int], tmp_path: Path) -> None:
    coding = Coding(codec="ffv1", pixel_format="yuv444p")
    probe = probe_film(make_film(tmp_path / "film.mkv", [20], size=size, coding=coding).path)
    assert probe.crop(probe.formats[0]) == Crop(0, 0, *size)


def test_interlaced_films_are_flagged(tmp_path: Path) -> None:
    interlaced = Coding(options={"x264-params": "interlaced=1"})
    assert probe_film(make_film(tmp_path / "film.mp4", coding=interlaced).path).interlaced


def test_missing_films(tmp_path: Path) -> None:
    with pytest.raises(FilmMissing, match="no file"):
        probe_film(tmp_path / "film.mp4")
    with pytest.raises(FilmMissing, match="is a folder"):
        probe_film(tmp_path)
    with pytest.raises(FilmMissing, match="too long"):
        probe_film(tmp_path / ("x" * 300))


def test_files_that_are_no_films(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    for content, told in (
        (b"", "is empty"),
        (b"these are words\n" * 500, "Invalid data"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n", "not let in"),
    ):
        path.write_bytes(content)
        with pytest.raises(FilmUnreadable, match=told):
            probe_film(path)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(FilmUnreadable, match="not a regular file"):
        probe_film(tmp_path / "film.mp4")


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile film.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfilm.ts\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "playlist"],
)
@pytest.mark.parametrize("name", ["other.mp4", "other.ffconcat", "other.m3u8"])
def test_scripts_that_name_other_files_are_not_followed(film: Path, script: str, name: str, tmp_path: Path) -> None:
    shutil.copy(film, tmp_path / "film.mp4")
    make_film(tmp_path / "film.ts")
    (tmp_path / name).write_text(script)
    with pytest.raises(FilmUnreadable):
        probe_film(tmp_path / name)


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.planes[0].update(bytes(4096))
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(FilmUnreadable, match="no video stream, only: audio"):
        probe_film(tmp_path / "film.mp4")


def test_a_film_that_was_cut_off_before_its_index(film: Path, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(film.read_bytes()[:5000])
    with pytest.raises(FilmUnreadable):
        probe_film(tmp_path / "film.mp4")


def test_encrypted_films(film: Path, tmp_path: Path) -> None:
    keys = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    common, fairplay = tmp_path / "common.mp4", tmp_path / "fairplay.mp4"
    with av.open(str(common), "w", options=keys) as container, av.open(str(film)) as plain:
        stream = container.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    fairplay.write_bytes(film.read_bytes().replace(b"avc1", b"drmi"))
    for path, told in ((common, "is encrypted; wanted"), (fairplay, "no decoder for its video")):
        with pytest.raises(FilmUnreadable, match=told):
            probe_film(path)


@pytest.mark.parametrize("side_px", [12000, 30000])
def test_headers_that_declare_giants(side_px: int, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", [2], size=(64, 64), coding=Coding(codec="ffv1")).path
    small, giant = (64).to_bytes(4, "little") * 2, side_px.to_bytes(4, "little") * 2
    assert small in film.read_bytes()
    film.write_bytes(film.read_bytes().replace(small, giant))
    with pytest.raises(FilmUnreadable, match="at most 67108864 px"):
        probe_film(film)


def test_the_decoder_refuses_giants_that_come_later(film: Path) -> None:
    with opened(film) as (_, stream):
        assert stream.codec_context.options["max_pixels"] == "67108864"

"""A film's file, which may be anything: only containers that hold their own frames are opened; what they declare."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import FilmMissing, FilmUnreadable

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

CONTAINERS = ("mov", "matroska", "avi", "mpegts", "mpeg", "mxf", "flv", "asf", "ogg", "dv", "nut", "gxf", "wtv")
"""FFmpeg's names of the containers let in. Playlists, concat scripts, SDP and picture patterns name other files."""

ONE_LENGTH = ("matroska", "flv", "asf", "mpeg")
"""Those that tell how long all is, not how long each of their streams is, whatever FFmpeg makes of it."""

WRAPPING = ("mpeg",)
"""Those whose clock begins anew after 26.5 hours. Where it does, FFmpeg gives all before that times below 0."""

WITHOUT_PTS = ("avi", "asf")
"""Containers that tell when packets are decoded, not when frames are shown."""

MAX_PIXELS = 8192 * 8192
"""Largest frame that is decoded, px: twice an 8K scan. A damaged or hostile header can declare any size."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The film's container and its main video stream, closed again at the end.

    Whatever FFmpeg raises inside comes out as FilmUnreadable.
    Raises FilmMissing when there is no such file, FilmUnreadable when it is not a film that can be decoded.
    """
    import av

    _check_file(path)
    try:
        with av.open(url_of(path), options=input_options(), metadata_errors="replace") as container:
            yield container, _main_video(container, path)
    except av.FFmpegError as error:
        refused = isinstance(error, av.ArgumentError)  # how FFmpeg turns down what is not on the list
        told = "a container that is not let in" if refused else error.strerror or type(error).__name__
        raise FilmUnreadable(
            f"{path}: {told}",
            wanted=f"a film in a container that holds its own frames ({', '.join(CONTAINERS)})",
            do="check that it plays, and remux or convert it",
        ) from error


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The packets of a stream from here on, ending with the empty one that flushes the decoder.

    Those of streams that begin only now, which damage in a transport stream can make up, are passed over: PyAV does not
    know them. Raises av.FFmpegError where it cannot be read on.
    """
    while True:
        try:
            yield from container.demux(stream)
        except IndexError:
            continue
        return


def url_of(path: Path) -> str:
    """The film's address for FFmpeg.

    Without the prefix, FFmpeg takes what stands before a colon for a protocol and a leading dash for an option.
    """
    return f"file:{path.absolute()}"


def input_options() -> dict[str, str]:
    """What FFmpeg is told before it opens a film, in this process or another."""
    return {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(CONTAINERS),
        "max_pixels": str(MAX_PIXELS),
    }


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FilmMissing(f"no file {path}", wanted="a film's file", do="correct the path in the manifest") from None
    except OSError as error:
        raise FilmMissing(
            f"{path}: {error.strerror}", wanted="a file that can be reached", do="correct the path or its permissions"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise FilmMissing(f"{path} is a folder", wanted="a film's file", do="name the file in it")
    if not stat.S_ISREG(status.st_mode):
        raise FilmUnreadable(f"{path} is not a regular file", wanted="a film's file", do="copy the film into a file")
    if status.st_size == 0:
        raise FilmUnreadable(f"{path} is empty", wanted="a film's file", do="copy the film again")


def _main_video(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition
    from av.video.stream import VideoStream

    covers = {each for each in container.streams if each.disposition & Disposition.attached_pic}
    kinds = ", ".join(sorted({"a cover" if each in covers else each.type for each in container.streams})) or "nothing"
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream in covers:
        raise FilmUnreadable(
            f"{path} has no video stream, only: {kinds}", wanted="a film", do="take it out of the films manifest"
        )
    context = stream.codec_context
    if context is None:
        raise FilmUnreadable(
            f"{path}: no decoder for its video",
            wanted="a codec that FFmpeg decodes, without copy protection",
            do="convert the film",
        )
    # One thread a film: in a damaged stream, what frame threads give differs from run to run, and what slice threads
    # give differs with their number. Films are the units that run in parallel.
    stream.thread_type = "NONE"
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """How long the film is by its container, s; 0 when it does not tell.

    The lesser of what the stream and the container say: sound may go on longer, and an edit list may cut. An AVI's
    number of frames is believed first, because FFmpeg shortens the duration of a file that was cut off. Containers
    count from where sound begins, if that is earlier, and Matroska and ASF say when all ends, not how long it is.
    """
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    durations = []
    if stream.duration is not None:
        late_s = _film_start_s(container, stream) if container.format.name == "asf" else 0.0
        durations.append(float(stream.duration * time_base_of(stream)) - late_s)
    if container.duration is not None:
        start_s = 0.0 if "matroska" in container.format.name else _file_start_s(container)
        durations.append(start_s + container.duration / 1_000_000 - _film_start_s(container, stream))
    return min(durations, default=0.0)


def outlasted(path: Path, until_s: float) -> bool:
    """Whether sound or subtitles go on to this time from the film's start, s: it is not cut off where it ends.

    False for containers that tell how long the film itself is.
    """
    return any(_goes_on(path, until_s, seek=seek) for seek in (True, False))  # in some there is no way to a time


def _goes_on(path: Path, until_s: float, *, seek: bool) -> bool:
    try:
        with opened(path) as (container, stream):
            others = [other for other in container.streams if other is not stream]
            if not others or not any(name in container.format.name for name in ONE_LENGTH):
                return False
            until = _film_start_s(container, stream) + until_s
            if seek:
                container.seek(int(until * 1_000_000))
            ends = (
                float((packet.pts + (packet.duration or 0)) * packet.time_base)
                for packet in container.demux(others)
                if packet.pts is not None and packet.time_base is not None
            )
            return any(end >= until for end in ends)
    except FilmUnreadable:
        return False


def may_start_below_0(container: InputContainer) -> bool:
    """Whether times below 0 are as good as others; elsewhere players do not show what has them."""
    return any(name in container.format.name for name in WRAPPING)


def _file_start_s(container: InputContainer) -> float:
    """When the first of all streams starts, s."""
    start_s = (container.start_time or 0) / 1_000_000
    return start_s if may_start_below_0(container) else max(0.0, start_s)


def _film_start_s(container: InputContainer, stream: VideoStream) -> float:
    """When the film itself starts, s."""
    if stream.start_time is None:
        return _file_start_s(container)
    start_s = float(stream.start_time * time_base_of(stream))
    return start_s if may_start_below_0(container) else max(0.0, start_s)


def time_base_of(stream: VideoStream) -> Fraction:
    """The length of a tick, s."""
    assert stream.time_base is not None, "FFmpeg gives every video stream a time base"
    return stream.time_base


def no_frame(path: Path, why: str = "") -> FilmUnreadable:
    """The error for a film of which nothing can be decoded; `why` in words of the decoder's."""
    return FilmUnreadable(
        f"{path}: not one frame can be decoded" + (f" ({why})" if why else ""),
        wanted=f"a film that plays: not cut off, damaged or encrypted, with frames of at most {MAX_PIXELS} px",
        do="copy or convert it again",
    )

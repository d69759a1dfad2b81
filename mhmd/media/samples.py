"""Frames of a film to look at before it is decoded: keyframes spread over it, or its first ones; and runs of frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.media.black import BRIGHT_LUMA
from mhmd.media.container import declared_seconds, opened, packets_of
from mhmd.media.planes import bits_of, is_planar_yuv, planes_of

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

SAMPLES = 24, 100
"""At fewest and at most so many points of the film, evenly spread, have their keyframes looked at."""

SAMPLE_EVERY_S = 15.0
"""Between these bounds there is one point in each such part, s: a keyframe costs as much as ten frames or so, and of a
short film a hundred would cost a fifth of decoding it."""

ENOUGH_SAMPLES = 8
"""With fewer keyframes than this, frames that follow them are looked at, too."""

FEW_FRAMES, EVERY, AFTER_EVERY = 240, 10, 20
"""Of how many frames, all together, one in how many is looked at: of the film's first ones, and of those that follow
keyframes, where a shot of two seconds must not have the votes of a format."""

MOST_FRAMES = 2400
"""While fewer than enough are bright, the film's first ones are looked at, up to here: films begin in the dark."""

LIMITED_BLACK = 16
"""Luma of black as most films have it, 8 bits."""

RUNS, RUN_FRAMES = 5, 32
"""Runs of consecutive frames, evenly spread, that tell how the film was scanned, and their length."""

PACKETS_A_KEYFRAME = 4
"""Packets from a keyframe on that may be needed until its frame comes out: two fields, a header of its own."""

WHOLE_FRAMES = ("mov", "matroska")
"""In these containers a packet holds a whole frame: the decoder need not be given more to let it out."""


def samples_of(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    """Frames spread over the film, or its first ones, all of one size. Hardly more than one is held at a time."""
    keyframes = _keyframes(container, stream)
    head = list(islice(keyframes, ENOUGH_SAMPLES))
    if len(head) < ENOUGH_SAMPLES:
        yield from _of_one_size(chain(head, _few(container, stream, path, head)))
    else:
        yield from _of_one_size(chain(head, keyframes))


def runs_of(container: InputContainer, stream: VideoStream) -> Iterator[Iterator[VideoFrame]]:
    """Runs of consecutive frames of one size, evenly spread over the film; each is to be used up before the next."""
    for point in range(RUNS):
        if _seek(container, stream, (2 * point + 1) / (2 * RUNS)):
            yield _of_one_size(islice(_frames(container, stream), RUN_FRAMES))


def _few(container: InputContainer, stream: VideoStream, path: Path, keys: list[VideoFrame]) -> Iterator[VideoFrame]:
    """Some of the frames that follow a few keyframes; of the film's first ones where those are dark, or one."""
    bright = sum(map(_is_bright, keys))
    for key in keys if len(keys) > 1 else []:
        if key.pts is not None and _go_to(container, key.pts, stream):
            for frame in islice(_frames(container, stream), AFTER_EVERY, FEW_FRAMES // len(keys), AFTER_EVERY):
                bright += _is_bright(frame)
                yield frame
    if bright < ENOUGH_SAMPLES:
        with opened(path) as (again, its_stream):
            yield from _first_ones(_frames(again, its_stream))


def _first_ones(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    bright = 0
    for number, frame in enumerate(islice(frames, 0, MOST_FRAMES, EVERY)):
        if number * EVERY >= FEW_FRAMES and bright >= ENOUGH_SAMPLES:
            return
        bright += _is_bright(frame)
        yield frame


def _is_bright(frame: VideoFrame) -> bool:
    """Whether its luma is, about; formats without a plane of luma that can be read as it is count as bright."""
    form = frame.format.name
    if not is_planar_yuv(form):
        return True
    levels = planes_of(frame)[0][::4, ::4].mean() / 2.0 ** (bits_of(form) - 8)
    return bool(levels >= BRIGHT_LUMA + LIMITED_BLACK)


def _of_one_size(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    size = None
    for frame in frames:
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) == size:
            yield frame


def _seek(container: InputContainer, stream: VideoStream, share: float) -> bool:
    """Go to the last keyframe before this share of the film. Whether that can be done."""
    if stream.duration is not None:
        return _go_to(container, (stream.start_time or 0) + int(share * stream.duration), stream)
    if container.duration is not None:
        return _go_to(container, (container.start_time or 0) + int(share * container.duration), None)
    return False


def _go_to(container: InputContainer, time: int, stream: VideoStream | None) -> bool:
    """Go to the last keyframe before a time of the stream, or of the container. Whether that can be done."""
    import av

    try:
        container.seek(time, stream=stream)
    except av.FFmpegError:
        return False
    return True


def _keyframes(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The keyframes at points spread over the film, each once. Those that cannot be decoded are left out."""
    import av

    seen: set[int | None] = set()
    points = round(min(SAMPLES[1], max(SAMPLES[0], declared_seconds(container, stream) / SAMPLE_EVERY_S)))
    for point in range(points):
        if not _seek(container, stream, (2 * point + 1) / (2 * points)):
            continue
        try:
            frame = _next_keyframe(container, stream, seen)
        except av.FFmpegError:
            continue
        if frame is not None:
            yield frame


def _next_keyframe(container: InputContainer, stream: VideoStream, seen: set[int | None]) -> VideoFrame | None:
    packets = (packet for packet in packets_of(container, stream) if packet.size)
    for packet in islice((packet for packet in packets if packet.is_keyframe), 1):
        if packet.dts in seen:
            return None
        seen.add(packet.dts)
        frames = stream.decode(packet)
        whole = any(name in container.format.name for name in WHOLE_FRAMES)
        for follower in islice(packets, 0 if whole else PACKETS_A_KEYFRAME - 1):
            if frames:
                break
            frames = stream.decode(follower)
        frames = frames or stream.decode(None)
        return frames[0] if frames else None
    return None


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames from here on that can be decoded."""
    import av

    packets = packets_of(container, stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            yield from stream.decode(packet)
        except av.FFmpegError:
            continue

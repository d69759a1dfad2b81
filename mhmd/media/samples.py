"""Frames of a film to look at before it is decoded: keyframes spread over it, or its first ones; and runs of frames."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.media.black import BRIGHT_LUMA
from mhmd.media.container import declared_seconds, opened, packets_of, time_base_of
from mhmd.media.planes import bits_of, is_planar_yuv, planes_of

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

SAMPLES = 24, 100
"""At fewest and at most so many points of the film, evenly spread, have their keyframes looked at."""

SAMPLE_EVERY_S = 15.0
"""Between these bounds there is one point in each such part, s: a keyframe costs as much as ten frames or so, and of a
short film a hundred would cost a fifth of decoding it."""

AFTER_EVERY, MOST_AFTER = 20, 12
"""Where several points have one keyframe, every so manieth frame after it is looked at, too, one for each point more;
about so many in all, for the sake of speed. Not nearer: a shot of two seconds must not have the votes of a format."""

ENOUGH_SAMPLES = 8
"""Of films with fewer keyframes so many frames must be bright; else the first frames are looked at, too."""

FEW_FRAMES, EVERY = 240, 10
"""Of so many first frames one in how many is looked at."""

MOST_FRAMES = 2400
"""While fewer than enough are bright, the film's first ones are looked at, up to here: films begin in the dark."""

LIMITED_BLACK = 16
"""Luma of black as most films have it, 8 bits."""

RUNS, RUN_FRAMES = 5, 32
"""Runs of consecutive frames that tell how the film was scanned, and their length."""

PACKETS_A_KEYFRAME = 4
"""Packets from a keyframe on that may be needed until its frame comes out: two fields, a header of its own."""

WHOLE_FRAMES = ("mov", "matroska")
"""In these containers a packet holds a whole frame: the decoder need not be given more to let it out."""


Times = tuple[int | None, int | None]
"""When a packet is shown and when it is decoded, in the stream's time base. Some containers tell one of them alone."""


def samples_of(
    container: InputContainer, stream: VideoStream, path: Path, size: tuple[int, int]
) -> Iterator[VideoFrame]:
    """Frames of this width and height, spread over the film, or its first ones. Hardly more than one is held."""
    for frame in _samples(container, stream, path):
        if (frame.width, frame.height) == size:
            yield frame


def spread_runs(container: InputContainer, stream: VideoStream) -> Iterator[Iterator[VideoFrame]]:
    """Runs of consecutive frames of one size, evenly spread over the film; each is to be used up before the next."""
    for point in range(RUNS):
        if _seek(container, stream, (2 * point + 1) / (2 * RUNS)):
            yield _run(container, stream)


def runs_at(times: Sequence[int], container: InputContainer, stream: VideoStream) -> Iterator[Iterator[VideoFrame]]:
    """The same from some of these times on, in the stream's time base, or from the keyframes before them."""
    for time in times[:: math.ceil(len(times) / RUNS) or 1]:
        if _go_to(container, time, stream):
            yield _run(container, stream)


def _run(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    return _of_one_size(islice(decoded(stream, packets_of(container, stream)), RUN_FRAMES))


def _samples(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    points, bright = Counter[Times](), 0
    for frame in chain(_keyframes(container, stream, points), _following(container, stream, points)):
        bright += _is_bright(frame)
        yield frame
    if len(points) < ENOUGH_SAMPLES and bright < ENOUGH_SAMPLES:
        with opened(path) as (again, its_stream):
            yield from _first_ones(decoded(its_stream, packets_of(again, its_stream)))


def _following(container: InputContainer, stream: VideoStream, points: Counter[Times]) -> Iterator[VideoFrame]:
    """Frames that follow those keyframes which several points have, each time before the next keyframe."""
    wanted = points.total() - len(points)
    for (pts, dts), count in points.items():
        looks = min(count - 1, math.ceil((count - 1) * MOST_AFTER / max(1, wanted)))
        time = dts if pts is None else pts
        if looks and time is not None and _go_to(container, time, stream):
            frames = decoded(stream, packets_of(container, stream))
            next(frames, None)
            until_next = takewhile(lambda frame: not frame.key_frame, frames)
            yield from islice(until_next, AFTER_EVERY - 1, looks * AFTER_EVERY, AFTER_EVERY)


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
    ticks = declared_seconds(container, stream) / float(time_base_of(stream))
    return ticks > 0 and _go_to(container, (stream.start_time or 0) + int(share * ticks), stream)


def _go_to(container: InputContainer, time: int, stream: VideoStream) -> bool:
    """Go to the last keyframe before a time of the stream. Whether that can be done."""
    import av

    try:
        container.seek(time, stream=stream)
    except av.FFmpegError:
        return False
    return True


def _keyframes(container: InputContainer, stream: VideoStream, points: Counter[Times]) -> Iterator[VideoFrame]:
    """The keyframes at points spread over the film, each once; it is counted how many `points` each has.

    Those that cannot be decoded are left out.
    """
    import av

    count = round(min(SAMPLES[1], max(SAMPLES[0], declared_seconds(container, stream) / SAMPLE_EVERY_S)))
    for place in range(count):
        if not _seek(container, stream, (2 * place + 1) / (2 * count)):
            continue
        try:
            frame = _next_keyframe(container, stream, points)
        except av.FFmpegError:
            continue
        if frame is not None:
            yield frame


def _next_keyframe(container: InputContainer, stream: VideoStream, points: Counter[Times]) -> VideoFrame | None:
    """The next keyframe, if none of the points before had it."""
    packets = (packet for packet in packets_of(container, stream) if packet.size)
    for packet in islice((packet for packet in packets if packet.is_keyframe), 1):
        times = packet.pts, packet.dts
        points[times] += 1
        if points[times] > 1:
            return None
        frames = stream.decode(packet)
        whole = any(name in container.format.name for name in WHOLE_FRAMES)
        for follower in islice(packets, 0 if whole else PACKETS_A_KEYFRAME - 1):
            if frames:
                break
            frames = stream.decode(follower)
        frames = frames or stream.decode(None)
        return frames[0] if frames else None
    return None


def decoded(stream: VideoStream, packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame]:
    """The frames of packets that can be decoded."""
    import av

    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            yield from stream.decode(packet)
        except av.FFmpegError:
            continue

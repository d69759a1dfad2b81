"""Holes in a film: stretches of which no packet is there, though its bytes are, or its transport stream lacks some."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable
from mhmd.media.container import declared_seconds, opened, time_base_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

LEAST_S = 0.5
"""Shorter gaps in time are not looked into, s."""

MOST_GAPS = 200
"""No more than so many are, the longest: where pictures stand, each of them may be followed by one."""

UNCLAIMED = 0.5
"""Of the bytes that such a time takes in the film so much must lie in no packet; where a picture stands, hardly any."""

NEAR = 4
"""Packets up to the one before a gap, of which one may be marked where a transport stream is torn."""

BEFORE_S = 1
"""So much before a gap, s, is looked at first."""

LONGEST_TORN_S = 30.0
"""Where a transport stream lacks bytes for longer, s, its recording was paused, or cut on purpose."""

Gap = tuple[int, int]
"""Times of two frames that follow each other, in ticks."""


def missing_s(path: Path, gaps: Sequence[Gap]) -> float:
    """How much time the film lacks between these frames, s; gaps between pictures that stand are none.

    Raises FilmMissing where it is gone.
    """
    longest = heapq.nlargest(MOST_GAPS, gaps, key=lambda gap: gap[1] - gap[0])
    try:
        with opened(path) as (container, stream):
            tick_s = float(time_base_of(stream))
            bytes_a_s = path.stat().st_size / max(1.0, declared_seconds(container, stream))
            return sum(
                (end - start) * tick_s
                for start, end in longest
                if (end - start) * tick_s >= LEAST_S
                and _is_hole(container, stream, (start, end), (end - start) * tick_s, bytes_a_s)
            )
    except FilmUnreadable:
        return 0.0  # what could be decoded was


def _is_hole(container: InputContainer, stream: VideoStream, gap: Gap, gap_s: float, bytes_a_s: float) -> bool:
    """Whether bytes between the packets of two frames lie in no packet of any stream, or a transport stream's are cut.

    A long picture has no bytes but those of the sound beside it.
    """
    start, end = gap
    container.seek(start - round(BEFORE_S / time_base_of(stream)), stream=stream)
    claimed, at, torn, before = 0, None, False, deque[bool](maxlen=NEAR)
    for packet in _packets(container):
        if packet.pos is None or packet.pts is None:
            continue
        own = packet.stream is stream
        torn = torn or (own and packet.is_corrupt)
        if own and packet.pts <= start:
            before.append(packet.is_corrupt)
            claimed, at, torn = 0, packet.pos + packet.size, any(before)
        elif own and packet.pts >= end and at is not None:
            return (torn and gap_s <= LONGEST_TORN_S) or packet.pos - at - claimed > UNCLAIMED * gap_s * bytes_a_s
        else:
            claimed += packet.size
    return False


def _packets(container: InputContainer) -> Iterator[Packet[Stream]]:
    """Those of all streams from here on, as far as they can be read."""
    import av

    packets = container.demux()
    while True:
        try:
            yield next(packets)
        except (StopIteration, IndexError, av.FFmpegError):
            return

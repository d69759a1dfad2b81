"""Every frame of a film, once, in order, with its exact time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mhmd.errors import FilmDamaged, FilmUnreadable
from mhmd.media.container import opened, packets_of
from mhmd.media.probe import declared_seconds, no_frame, time_base_of

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

SHORT_S = 1.0
"""A film may end this much before its container says, s: the end of the last frame is a guess in some containers."""

WITHOUT_PTS = ("avi", "asf")
"""Containers that tell when packets are decoded, not when frames are shown."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded frame.

    `index` counts from 0. `pts` is its time stamp, `ticks` its time from the film's first frame, in units of the
    stream's time base. `suspect`: something before it could not be decoded and no keyframe came since, so that it
    may show that damage.
    """

    index: int
    pts: int
    ticks: int
    frame: VideoFrame
    suspect: bool


class Decoder(ABC):
    """One pass over a film, in one thread, so that the same file gives the same frames everywhere.

    Skipped and counted in `errors`: packets that give no frame, damaged frames, frames without a time or that go back
    in time. Left out: first frames whose time is below 0 or not known, which players do not show either. `frames` is
    how many came, `end_ticks` where the last one ends, from the film's first frame. `name` is the decoder's, `filters`
    FFmpeg's text of those that frames go through, empty when they come as they were coded.
    """

    name: ClassVar[str]

    def __init__(self, path: Path, max_damage: float, filters: str = "") -> None:
        """`max_damage` is the share, 0 to 1, of the film that may be undecodable or missing at its end."""
        self.errors = 0
        self.frames = 0
        self.end_ticks = 0
        self.filters = filters
        self._path = path
        self._max_damage = max_damage
        self._packets = 0
        self._suspect = False
        self._first: Decoded | None = None
        self._last: Decoded | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Decoded]:
        """The frames.

        Raises FilmMissing; FilmUnreadable when nothing decodes or frames change their size; FilmDamaged, at the end,
        when more than `max_damage` is lost.
        """

    def _lose(self) -> None:
        """A packet gave no frame."""
        self.errors += 1
        self._suspect = True

    def _take(
        self, frame: VideoFrame, pts: int | None, length: int, *, key_frame: bool, corrupt: bool
    ) -> Decoded | None:
        """The next frame, if it is to be shown. `length` in ticks, 0 when not known."""
        first, last = self._first, self._last
        if first is None and (pts is None or pts < 0):
            return None
        damaged = corrupt or pts is None or (last is not None and pts <= last.pts)
        self.errors += damaged
        self._suspect = damaged or (self._suspect and not key_frame)
        if damaged or pts is None:
            return None
        decoded = Decoded(self.frames, pts, pts - first.pts if first else 0, frame, self._suspect)
        self._first = first or decoded
        self._check_size(frame.width, frame.height)
        self.end_ticks = decoded.ticks + (length or (decoded.ticks - last.ticks if last else 1))
        self.frames += 1
        self._last = decoded
        return decoded

    def _check_size(self, width: int, height: int) -> None:
        assert self._first is not None, "it is the size of the first frame that others are to have"
        first = self._first.frame
        if (width, height) != (first.width, first.height):
            raise FilmUnreadable(
                f"{self._path}: frame {self.frames} has {width}×{height} px, the first {first.width}×{first.height}",
                wanted="frames of one size",
                do="convert the film to one size, or cut it there into two films",
            )

    def _check_damage(self, decoded_s: float, declared_s: float) -> None:
        lost = self.errors / max(1, self._packets)
        found = f"{self._path}: {self.errors} of {self._packets} packets cannot be decoded"
        if declared_s - decoded_s > SHORT_S and 1 - decoded_s / declared_s > lost:
            lost = 1 - decoded_s / declared_s
            found = f"{self._path} ends after {decoded_s:.1f} of {declared_s:.1f} s"
        if lost > self._max_damage:
            raise FilmDamaged(
                found,
                wanted=f"at most {self._max_damage:.0%} of it lost",
                do="get a sound copy, or raise max_damage",
            )


class PyavDecoder(Decoder):
    """PyAV's own FFmpeg, in this process: the frames as they were coded."""

    name = "pyav"

    def __iter__(self) -> Iterator[Decoded]:
        """The frames; errors as of Decoder."""
        with opened(self._path) as (container, stream):
            yield from self._decode(container, stream)
            if not self.frames:
                raise no_frame(self._path)
            self._check_damage(float(self.end_ticks * time_base_of(stream)), declared_seconds(container, stream))

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[Decoded]:
        import av

        clock = _Clock(container.format.name)
        for packet in self._read(container, stream):
            clock.sent(packet)
            try:
                frames = stream.decode(packet)
            except av.FFmpegError:
                clock.skip()
                self._lose()
                continue
            for frame in frames:
                decoded = self._take(
                    frame,
                    clock.pts_of(frame),
                    frame.duration,
                    key_frame=frame.key_frame,
                    corrupt=frame.is_corrupt,
                )
                if decoded:
                    yield decoded

    def _read(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        """The film's packets, ending with the empty one that flushes the decoder, or where it cannot be read on."""
        import av

        try:
            for packet in packets_of(container, stream):
                self._packets += packet.size > 0
                yield packet
        except av.FFmpegError:
            self.errors += 1


class _Clock:
    """Tells when frames are shown.

    AVI and ASF have no such times, only those at which packets are decoded; what FFmpeg makes of them is wrong for
    films with B-frames. As pictures come in the order of showing, the nth has the nth of those times.
    """

    def __init__(self, container: str) -> None:
        self._times: deque[int | None] | None = deque() if container in WITHOUT_PTS else None

    def sent(self, packet: Packet[VideoStream]) -> None:
        """A packet goes to the decoder."""
        if self._times is not None and packet.size:
            self._times.append(packet.dts)

    def skip(self) -> None:
        """A packet gave no frame."""
        if self._times:
            self._times.popleft()

    def pts_of(self, frame: VideoFrame) -> int | None:
        """When the next frame is shown."""
        if self._times is None:
            return frame.pts
        return self._times.popleft() if self._times else None

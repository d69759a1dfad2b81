"""PyAV as a decoder: FFmpeg in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mhmd.media.complaints import Doubt, listening
from mhmd.media.container import (
    WITHOUT_PTS,
    declared_seconds,
    may_start_below_0,
    no_frame,
    opened,
    packets_of,
    time_base_of,
)
from mhmd.media.decode import Decoded, Decoder, held_back

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


class PyavDecoder(Decoder):
    """PyAV's own FFmpeg, in this process: the frames as they were coded."""

    name = "pyav"

    def __iter__(self) -> Iterator[Decoded]:
        """The frames; errors as of Decoder."""
        with opened(self._path) as (container, stream):
            self._below_0 = may_start_below_0(container)
            yield from self._decode(container, stream)
            if not self.frames:
                raise no_frame(self._path)
            lasts_s = self._lasts_s(stream.start_time, float(time_base_of(stream)))
            self._check_damage(lasts_s, declared_seconds(container, stream))

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[Decoded]:
        import av

        clock, doubt = _Clock(container.format.name), Doubt()
        context, tick_s = stream.codec_context, float(time_base_of(stream))
        self._delay = held_back(stream)
        for packet in self._read(container, stream):
            clock.sent(packet)
            try:
                with listening(context, doubt):
                    frames = stream.decode(packet)
            except av.FFmpegError:
                clock.skip()
                doubt.told = ""
                self._lose()
                continue
            if not frames:
                clock.without_frame(held_back(stream))
            for frame in frames:
                if doubt.told:
                    self._doubt(doubt.told)
                    doubt.told = ""
                pts = clock.pts_of(frame)
                self._look_back(pts, tick_s)
                decoded = self._take(
                    frame,
                    pts,
                    frame.duration,
                    key_frame=frame.key_frame,
                    corrupt=frame.is_corrupt,
                )
                if decoded:
                    yield decoded
        self.errors += bool(doubt.told)

    def _read(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        """The film's packets, ending with the empty one that flushes the decoder, or where it cannot be read on.

        Left out are empty ones with a time: in Theora and AVI they say that the frame before stands for longer.
        """
        import av

        try:
            for packet in packets_of(container, stream):
                self._packets += packet.size > 0
                if packet.size or packet.dts is None:
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

    def without_frame(self, held: int) -> None:
        """The last packet gave no frame: where the decoder holds back no more than so many, it stands for none.

        MPEG-4 has such packets, "not coded", where the picture before is to stand for longer.
        """
        if self._times and len(self._times) > held:
            self._times.pop()

    def pts_of(self, frame: VideoFrame) -> int | None:
        """When the next frame is shown."""
        if self._times is None:
            return frame.pts
        return self._times.popleft() if self._times else None

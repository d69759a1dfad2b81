"""The ffmpeg program as a decoder: what PyAV's FFmpeg has no filters or no hardware for.

ffmpeg reads the film under the same restrictions as `mhmd.media.container` and writes raw frames into a pipe, as NUT,
which keeps the container's time stamps to the tick. Nothing of it goes through a shell.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import DependencyError, FilmUnreadable
from mhmd.media.child import Child, Heard, Said
from mhmd.media.colour import guessed_matrix
from mhmd.media.container import (
    MAX_PIXELS,
    WITHOUT_PTS,
    declared_seconds,
    input_options,
    may_start_below_0,
    no_frame,
    opened,
    packets_of,
    time_base_of,
    url_of,
)
from mhmd.media.decode import Decoded, Decoder, held_back
from mhmd.media.filters import Filter
from mhmd.media.program import find_ffmpeg

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

OFFSET_S = 100_000
"""Added to all times on their way through the pipe, s: NUT has none below 0, transport streams down to -95,444."""

PIPE = {"probesize": "32", "fpsprobesize": "0", "max_pixels": str(MAX_PIXELS)}
"""The header of the pipe tells all; nothing is to be read ahead."""

NO_DEVICE = ("evice creation failed", "evice setup failed", "No device available", "Unrecognized hwaccel")
"""What ffmpeg says when the hardware is not there, or when it was built without it."""


MATRIX_NAMED = {
    "fcc": "bt601",
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "bt709": "bt709",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
"""FFmpeg's names of matrices."""


class FfmpegDecoder(Decoder):
    """The ffmpeg program in a process of its own, with filters and, for some codecs, hardware."""

    name = "ffmpeg"

    def __init__(self, path: Path, max_damage: float, filters: Sequence[Filter] = (), hwaccel: str = "") -> None:
        """`filters` are applied to all frames; `hwaccel` is FFmpeg's name of the hardware that decodes, or empty.

        Raises DependencyError when no ffmpeg is found, or it lacks one of the filters.
        """
        super().__init__(path, max_damage, ",".join(map(str, filters)))
        self._program = find_ffmpeg({each.name for each in filters})
        self._filters = filters
        self._hwaccel = hwaccel
        self._retimed = any(each.name == "decimate" for each in filters)

    def __iter__(self) -> Iterator[Decoded]:
        """The frames; errors as of Decoder, and DependencyError when there is no such hardware."""
        with opened(self._path) as (container, stream):
            start, tick_s = stream.start_time, float(time_base_of(stream))
            declared_s = declared_seconds(container, stream)
            times = _Times(container, stream)
            self._below_0 = may_start_below_0(container)
            self._delay = held_back(stream)
            command = self._command(stream, times)
        with Child(command) as child:
            yield from self._receive(child, times)
            said, status = child.finish()
        self._check_end(said, status)
        self._miss(said.frames, times)
        self.errors += said.lost + bool(said.doubt)
        self._packets = said.packets
        self._check_damage(self._lasts_s(start, tick_s), declared_s)

    def _receive(self, child: Child, times: _Times) -> Iterator[Decoded]:
        import av

        try:
            with av.open(child.url, format="nut", options=PIPE, metadata_errors="replace") as pipe:
                video = pipe.streams.video[0]
                video.codec_context.options = {"chroma_sample_location": child.chroma()}
                scale = time_base_of(video) / times.tick_s
                for frame in pipe.decode(video):
                    assert frame.pts is not None, "NUT has a time for each"
                    pts = times.in_film(frame.pts * scale)
                    heard = child.heard(pts)
                    own = None if self._retimed or not heard else heard.pop()
                    self._miss(heard, times)
                    if own:
                        self._hear(own)
                    decoded = self._take(
                        frame,
                        times.shown_at(pts),
                        0 if self._retimed else times.length,
                        key_frame=own is not None and own.key_frame,
                        corrupt=own is not None and own.corrupt,
                    )
                    if decoded:
                        yield decoded
        except av.FFmpegError:
            self._lose()  # the pipe ends amid a frame; ffmpeg itself says why

    def _miss(self, heard: Iterable[Heard], times: _Times) -> None:
        """Take note of decoded frames that do not come: left out, gone back in time, or dropped by decimate."""
        for each in heard:
            self._hear(each)
            if times.unknown > 0:
                times.unknown -= 1
                continue
            self._look_back(each.pts, float(times.tick_s))
            again = self._is_again(each.pts)
            self._settle(key_frame=each.key_frame, damaged=each.corrupt or not (again or self._retimed))
            self.errors += again and not (each.corrupt or self._retimed)

    def _hear(self, heard: Heard) -> None:
        """Take note of what went wrong before a frame was decoded."""
        for _ in range(heard.lost):
            self._lose()
        if heard.doubt:
            self._doubt(heard.doubt)

    def _command(self, stream: VideoStream, times: _Times) -> list[str]:
        """The arguments. All that could change, drop, double or re-time frames is off."""
        import ffmpeg

        time_base = time_base_of(stream)
        own = {"hwaccel": self._hwaccel} if self._hwaccel else {}
        film = ffmpeg.input(
            url_of(self._path),
            **input_options(),
            **own,
            apply_cropping="codec",
            threads=1,
            copyts=None,
            noautorotate=None,
        )[str(stream.index)]
        for each in [*times.filters, *self._filters]:
            film = film.filter(each.name, **each.options)
        output = film.output(
            "pipe:1",
            format="nut",
            vcodec="rawvideo",
            fps_mode="passthrough",
            enc_time_base=f"{time_base.numerator}/{time_base.denominator}",
            noautoscale=None,
            output_ts_offset=OFFSET_S,
            map_metadata=-1,
            map_chapters=-1,
        ).global_args("-nostdin", "-nostats", "-hide_banner", "-loglevel", "repeat+level+verbose", "-debug_ts")
        output = output.global_args("-filter_complex_threads", "1", "-max_error_rate", "1")
        command: list[str] = output.compile(cmd=self._program)
        return command

    def _check_end(self, said: Said, status: int) -> None:
        """Judge by what ffmpeg said last."""
        if self._hwaccel and any(words in line for words in NO_DEVICE for line in said.complaints):
            raise DependencyError(
                f"{self._hwaccel}: {said.complaints[0]}",
                wanted="a device that this ffmpeg can decode on",
                do="install its driver and such an ffmpeg, or leave hwaccel out",
            )
        if self.frames:
            self._check_colours(said.colours)
        if said.size and self.frames:
            self._check_size(*said.size)
        if status < 0:
            raise FilmUnreadable(
                f"{self._path}: ffmpeg was ended by signal {-status}",
                wanted="a film that this ffmpeg decodes",
                do="run it again; if it ends so again, put another ffmpeg on PATH, or convert the film",
            )
        if not self.frames:
            raise no_frame(self._path, *said.complaints[:1])
        self.errors += status > 0

    def _check_colours(self, told: Sequence[tuple[str, str]]) -> None:
        """Whether ffmpeg gave all frames in the colour of the first one.

        It does where they are tagged. It leaves all as they are after a first one without a tag, takes those that have
        none later for BT.601, and does not notice where full range ends; and tone-mapping fits what it was made for.
        """
        assert self._first is not None, "it is the colour of the first frame that others are to have"
        if len({*told}) < 2:
            return
        guess = guessed_matrix(self._first.frame)
        meant = {(MATRIX_NAMED.get(matrix, guess), range_ == "pc") for matrix, range_ in told}
        untold = [matrix not in MATRIX_NAMED for matrix, _ in told]
        mistaken = any(untold) and (len(meant) > 1 or (any(untold[1:]) and guess != "bt601"))
        narrowed = told[0][1] == "pc" and any(range_ != "pc" for _, range_ in told)
        mapped = any(each.name == "zscale" for each in self._filters)
        if mistaken or narrowed or mapped:
            names = " and later ".join(f"{matrix} ({range_})" for matrix, range_ in dict.fromkeys(told))
            raise FilmUnreadable(
                f"{self._path}: its colours are coded as {names}",
                wanted="one way throughout",
                do="cut it there into two films, or convert it",
            )


class _Times:
    """Brings the times of frames through ffmpeg, as `mhmd.media.decode` tells them.

    Where the container does not know when frames are shown, ffmpeg says when the decoder gave them. That comes a
    constant number of packets after the one whose time is that of showing.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.unknown = 0
        self.tick_s = time_base_of(stream)
        self.length = self.ticks(1 / stream.average_rate) if stream.average_rate else 0
        self._dts: list[int] = []
        self._without_pts = container.format.name in WITHOUT_PTS
        packets = (packet for packet in packets_of(container, stream) if packet.size)
        if self._without_pts:
            self._dts = [packet.dts for packet in packets if packet.dts is not None]
        else:
            self.unknown = sum(1 for _ in takewhile(lambda packet: packet.pts is None, packets))
        self._delay: int | None = None
        self._last = -1

    def ticks(self, seconds: float | Fraction) -> int:
        """The nearest whole number of them."""
        return round(seconds / self.tick_s)

    @property
    def filters(self) -> list[Filter]:
        """What frames go through first. What goes back in time is dropped; ffmpeg would make up a time for it."""
        forward = "isnan(prev_selected_pts)+gt(pts,prev_selected_pts)"
        return [Filter("select", {"expr": f"gte(n,{self.unknown})*({forward})"})]

    def in_film(self, pts: Fraction) -> int:
        """What ffmpeg takes for the time of a frame, by its time in the pipe, in ticks of the film."""
        return round(pts) - self.ticks(OFFSET_S)

    def shown_at(self, pts: int) -> int | None:
        """The time of the next frame, which ffmpeg takes for `pts`."""
        if not self._without_pts:
            return pts
        self._last = max(bisect_left(self._dts, pts), self._last + 1)
        if self._delay is None:
            self._delay = self._last
        place = self._last - self._delay
        return self._dts[place] if place < len(self._dts) else None

"""A child process that writes a film into a pipe and talks on stderr; it is gone when we are."""

from __future__ import annotations

import ctypes
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from mhmd.errors import DependencyError
from mhmd.media.complaints import spoils

PIPE_BYTES = 1 << 20
"""Size of the pipe: frames are large, and the usual 64 KiB make the two processes take turns for every bit of one."""

LINE_BYTES = 4096
"""Longer lines of stderr are cut: a film's own text can be in them."""

COMPLAINTS = 20
"""How many complaints are kept; the first tell why."""

TELL_S = 120.0
"""How long ffmpeg may take to say something of a frame that has come through the pipe, s."""

END_S = 60.0
"""How long ffmpeg may take to end after its pipe is closed, s."""

OF_DECODER = re.compile(r"\[dec:\S+ @ \w+\] \[\w+\] (.+)")
"""What the part of ffmpeg says that decodes. Names and titles of films are in the lines of others."""

DECODED = re.compile(r"decoder -> pts:(-?\d+|NOPTS) .*?\bkeyframe:(\d)")
"""Of "-debug_ts", for each frame that comes out of it."""

FAILED = ("Error submitting packet", "Decoding error")
"""What is said of a packet that gives no frame."""

PACKETS = re.compile(r"\[verbose\]   Input stream #0:\d+ \(video\): (\d+) packets read")

OUTPUT = re.compile(r": Video: rawvideo[^,]*(?:, .*?\w+\(([^)]*)\))?")
"""Only what one thread writes at once: what others say may come between the parts of a longer line, and join them."""

CHROMA_PLACES = {"left", "center", "topleft", "top", "bottomleft", "bottom"}

DECODER = re.compile(r"\[info\]   Stream #0:\d+ \((\w+)\) -> ")
"""The line that names the decoder, between opening the film and decoding it."""

OF_PICTURES = re.compile(r"\[(\w+) @ \w+\] \[(error|warning)\] (.+)")

COMPLAINT = re.compile(r"\[(?:error|fatal)\] (.+)")

NEW_SIZE = re.compile(r"Reconfiguring filter graph .*changed to \w+(?:\([^)]*\))?, (\d+)x(\d+)")

INPUT = re.compile(r"\[graph [^]]* input from stream [^]]*\] \[verbose\] .* csp:(\w+) range:(\w+)")
"""What goes into the filters, from the beginning on and again where it changes."""

PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
"""Loaded here, because between fork and exec nothing may be."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What ffmpeg said of a frame that it decoded, which comes through the pipe later, or never.

    `pts` in units of the film's time base; None when not even ffmpeg knows. `lost` packets before it gave no frame.
    `doubt`: what damage the decoder complained of after the last of them, or nothing.
    """

    pts: int | None
    key_frame: bool
    corrupt: bool
    lost: int
    doubt: str


@dataclass(slots=True)
class Said:
    """What ffmpeg said of a film.

    `frames` are those that were decoded and not asked for yet, `latest` is the latest time of any; `lost` packets
    after the last of them gave none. `size` is one that frames changed to, width and height; `chroma` is where
    chroma lies between the pixels of luma. `colours` are the matrices and ranges that frames had, in FFmpeg's
    words. `decoder` is FFmpeg's name of what decodes, empty before it begins.
    """

    packets: int = 0
    frames: deque[Heard] = field(default_factory=deque)
    latest: int = -sys.maxsize
    lost: int = 0
    doubt: str = ""
    corrupt: bool = False
    decoder: str = ""
    size: tuple[int, int] | None = None
    chroma: str = ""
    colours: list[tuple[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        """Take note of a line of ffmpeg's log, at the level "repeat+level+verbose" and with "-debug_ts".

        What is said of one frame comes from one thread, and before the frame itself goes on its way.
        """
        if not self.chroma and (found := OUTPUT.search(line)):
            self.chroma = next(iter(CHROMA_PLACES.intersection((found[1] or "").split(", "))), "unspecified")
        if told := OF_DECODER.search(line):
            self._hear_decoder(told[1])
        elif not self.decoder and (found := DECODER.match(line)):
            self.decoder = found[1]
        elif " -> " in line or " <- " in line:
            pass
        elif found := INPUT.match(line):
            self.colours.append((found[1], found[2]))
        elif found := PACKETS.search(line):
            self.packets = int(found[1])
        elif found := NEW_SIZE.search(line):
            self.size = int(found[1]), int(found[2])
        elif (found := OF_PICTURES.search(line)) and found[1] == self.decoder:
            spoilt = spoils(found[3], error=found[2] == "error")
            self.doubt = self.doubt or (found[3].strip() if spoilt else "")
        if len(self.complaints) < COMPLAINTS and (found := COMPLAINT.search(line)):
            self.complaints.append(found[1].strip())

    def _hear_decoder(self, told: str) -> None:
        if found := DECODED.match(told):
            pts = None if found[1] == "NOPTS" else int(found[1])
            self.frames.append(Heard(pts, found[2] == "1", self.corrupt, self.lost, self.doubt))
            self.latest = max(self.latest, pts or self.latest)
            self.corrupt, self.lost, self.doubt = False, 0, ""
        elif told.startswith("Decoder returned EOF"):
            self.latest = sys.maxsize
        elif told.startswith("corrupt decoded frame"):
            self.corrupt = True
        elif told.startswith(FAILED):
            self.lost += 1
            self.doubt = ""


class Child:
    """The running process, ended and reaped when the block is left in whatever way.

    Its stderr is read by a thread as it comes, so that it never waits for us to read it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._said = Said()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=PIPE_BYTES,
            preexec_fn=_die_with_parent if PRCTL else None,
        )
        assert self._process.stdout is not None, "it is a pipe"
        assert self._process.stderr is not None, "it is a pipe"
        self._frames = self._process.stdout
        self._news = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What FFmpeg calls the pipe."""
        return f"pipe:{self._frames.fileno()}"

    def chroma(self) -> str:
        """Where chroma lies, which NUT does not say; "unspecified" when ffmpeg does not, either."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._said.chroma, TELL_S)
            return self._said.chroma or "unspecified"

    def heard(self, pts: int) -> list[Heard]:
        """What ffmpeg said of the frames up to the one of this time, each once; waits until it has said it.

        Raises DependencyError when it says nothing.
        """
        with self._news:
            said = self._said
            if not self._news.wait_for(lambda: self._ended or said.latest >= pts, TELL_S):
                raise DependencyError(
                    "ffmpeg does not tell which frames it decodes", wanted="ffmpeg 7.1 or later", do="install it"
                )
            found: list[Heard] = []
            while said.frames and (said.frames[0].pts is None or said.frames[0].pts <= pts):
                found.append(said.frames.popleft())
                if found[-1].pts == pts:
                    break  # what follows and goes back in time may or may not have been said yet
            return found

    def finish(self) -> tuple[Said, int]:
        """Let it end: what it said that was not asked for, and its exit status, below 0 for a signal.

        Nothing can be read from the pipe again.
        """
        self._frames.close()
        try:
            status = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._thread.join()
        return self._said, status

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._process.kill()
        self.finish()

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            while line := stderr.readline(LINE_BYTES):
                with self._news:
                    self._said.hear(line.decode(errors="replace"))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


def _die_with_parent() -> None:
    """Runs in the child before ffmpeg does: the kernel is to kill it when the thread that started it ends.

    A hanging ffmpeg writes nothing and so does not notice that nobody reads.
    """
    if PRCTL:
        PRCTL(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

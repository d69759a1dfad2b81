"""Every frame of a film, once, in order, with its exact time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from mhmd.errors import FilmDamaged, FilmUnreadable
from mhmd.media.colour import light_of
from mhmd.media.container import outlasted
from mhmd.media.holes import missing_s

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream

SHORT_S = 1.0
"""A film may end this much before its container says, s: the end of the last frame is a guess in some containers."""

JOINT_S = 1.0
"""Where times go back by more than this, s, the clock of another recording begins."""


MOST_STRANGE = 18
"""Frames of another size, one after the other, that a damaged header may give, as many as a group of MPEG-2 has; more
are of another recording."""


MANY_LENGTHS = 5
"""A frame that comes so many times as late as it should may be behind a hole."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded frame.

    `index` counts from 0. `pts` is its time stamp, `ticks` its time from the film's first frame, in units of the
    stream's time base. `suspect`: something before it could not be decoded, or the decoder complained of it, and no
    keyframe came since that was decoded later, so that it may show that damage.
    """

    index: int
    pts: int
    ticks: int
    frame: VideoFrame
    suspect: bool


class Decoder(ABC):
    """One pass over a film, in one thread, so that the same file gives the same frames everywhere.

    Skipped and counted in `errors`: packets that give no frame, damaged frames, frames without a time, with that of
    the one before, or that go back in time. Counted, too: packets of which the decoder complains and yet gives a
    frame. Left out: first frames whose time is not known, or below 0 where that says that players are not to show
    them. `frames` is how many came, `suspects` how many of them were suspect, `end_ticks` where the last one ends,
    from the film's first frame. `damage` says at the end what there is of it, if anything. `name` is the decoder's,
    `filters` FFmpeg's text of those that frames go through, empty when they come as they were coded.
    """

    name: ClassVar[str]

    def __init__(self, path: Path, max_damage: float, filters: str = "") -> None:
        """`max_damage` is the share, 0 to 1, of the film that may be undecodable or missing at its end."""
        self.errors = 0
        self.frames = 0
        self.suspects = 0
        self.end_ticks = 0
        self.damage = ""
        self.filters = filters
        self._path = path
        self._max_damage = max_damage
        self._packets = 0
        self._suspect = False
        self._below_0 = False
        self._delay = 0
        self._unsettled = 0
        self._doubts = 0
        self._complaint = ""
        self._back = 0
        self._joint = ""
        self._strange = 0
        self._length = 0
        self._gaps: list[tuple[int, int]] = []
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
        self._unsettled = max(self._unsettled, self._delay)

    def _doubt(self, complaint: str) -> None:
        """The decoder complained of a packet. Its frame is the next one, or comes after those that it holds back."""
        self.errors += 1
        self._suspect = True
        self._unsettled = self._delay + 1
        self._doubts += 1
        self._complaint = self._complaint or complaint

    def _settle(self, *, key_frame: bool, damaged: bool) -> None:
        """A frame came out. A keyframe mends what follows, unless it may have been decoded before the damage."""
        early = self._unsettled > 0
        self._unsettled -= early
        if not early:
            self._doubts = 0
        if damaged and self._doubts:
            self._doubts -= 1  # counted when the decoder complained of it
        else:
            self.errors += damaged
        self._suspect = damaged or (self._suspect and (early or not key_frame))

    def _look_back(self, pts: int | None, tick_s: float) -> None:
        """Note where times go back, if they do at `pts`, in ticks."""
        if self._last is None or pts is None or pts > self._last.pts:
            return
        self._back += 1
        back_s = (self._last.pts - pts) * tick_s
        if not self._joint and back_s > JOINT_S:
            self._joint = f"{self._path}: times go back by {back_s:.1f} s after frame {self._last.index}"

    def _take(
        self, frame: VideoFrame, pts: int | None, length: int, *, key_frame: bool, corrupt: bool
    ) -> Decoded | None:
        """The next frame, if it is to be shown. `length` in ticks, 0 when not known."""
        first, last = self._first, self._last
        if first is None and (pts is None or (pts < 0 and not self._below_0)):
            return None
        strange = first is not None and self._is_strange(frame.width, frame.height)
        again = self._is_again(pts)
        damaged = corrupt or strange or pts is None or (last is not None and pts < last.pts)
        self._settle(key_frame=key_frame, damaged=damaged)
        self.errors += again and not damaged
        if damaged or again or pts is None:
            return None
        decoded = Decoded(self.frames, pts, pts - first.pts if first else 0, frame, self._suspect)
        self._first = first or decoded
        self._check_light(frame)
        if last and pts - last.pts >= MANY_LENGTHS * self._length > 0:
            self._gaps.append((last.pts, pts))
        self._length = length or (pts - last.pts if last else 0)
        self.end_ticks = decoded.ticks + (length or (decoded.ticks - last.ticks if last else 1))
        self.frames += 1
        self.suspects += self._suspect
        self._last = decoded
        return decoded

    def _is_again(self, pts: int | None) -> bool:
        """Whether a frame has the time of the one before: it is left out, but nothing is wrong with what follows."""
        return self._last is not None and pts == self._last.pts

    def _is_strange(self, width: int, height: int) -> bool:
        """Whether a frame has another size than the first: damage, unless that goes on."""
        assert self._first is not None, "it is the size of the first frame that others are to have"
        strange = (width, height) != (self._first.frame.width, self._first.frame.height)
        self._strange = self._strange + 1 if strange else 0
        if self._strange > MOST_STRANGE:
            self._check_size(width, height)
        return strange

    def _check_size(self, width: int, height: int) -> None:
        assert self._first is not None, "it is the size of the first frame that others are to have"
        first = self._first.frame
        if (width, height) != (first.width, first.height):
            raise FilmUnreadable(
                f"{self._path}: frame {self.frames} has {width}×{height} px, the first {first.width}×{first.height}",
                wanted="frames of one size",
                do="convert the film to one size, or cut it there into two films",
            )

    def _check_light(self, frame: VideoFrame) -> None:
        assert self._first is not None, "it is the light of the first frame that others are to have"
        light, first = light_of(frame), light_of(self._first.frame)
        if light != first:
            raise mixed_light(self._path, f"{first} and from frame {self.frames} on {light}")

    def _lasts_s(self, start: int | None, tick_s: float) -> float:
        """When the last frame ends, s from the stream's start, in ticks, if that is known; frames may come later."""
        late = 0 if start is None or self._first is None else max(0, self._first.pts - start)
        return (late + self.end_ticks) * tick_s

    def _check_damage(self, lasts_s: float, declared_s: float) -> None:
        lost, found = self.errors / max(1, self._packets), list[str]()
        if self.errors:
            says = f" without damage (the decoder says {self._complaint!r})" if self._complaint else ""
            found.append(f"{self.errors} of {self._packets} packets cannot be decoded{says}")
        if declared_s - lasts_s > SHORT_S and not outlasted(self._path, declared_s - SHORT_S):
            lost = max(lost, 1 - lasts_s / declared_s)
            found.append(f"it ends after {lasts_s:.1f} of {declared_s:.1f} s")
        lacking_s = missing_s(self._path, self._gaps) if self._gaps else 0.0
        if lacking_s:
            lost = max(lost, lacking_s / max(lasts_s, lacking_s))
            found.append(f"{lacking_s:.1f} of {lasts_s:.1f} s are missing in between")
        self.damage = "; ".join(found)
        if lost > self._max_damage and self._joint and 2 * self._back > self.errors:
            name, mended = quote(self._path.name), quote(f"{self._path.stem}.mkv")
            raise FilmDamaged(
                f"{self._joint}, as where recordings are joined",
                wanted="one clock for all of a film",
                do=f"give it one with: ffmpeg -fflags +genpts -i {name} -map 0:v:0 -c copy {mended}",
            )
        if lost > self._max_damage:
            raise FilmDamaged(
                f"{self._path}: {self.damage}",
                wanted=f"at most {self._max_damage:.0%} of it lost",
                do="get a sound copy, or raise max_damage",
            )


def mixed_light(path: Path, found: str) -> FilmUnreadable:
    """The error for a film of which parts are coded in another light."""
    return FilmUnreadable(
        f"{path}: it is coded in {found}",
        wanted="light and colours of one kind throughout",
        do="cut it there into two films, or convert it",
    )


def held_back(stream: VideoStream) -> int:
    """How many frames its decoder may hold back to bring them into the order of showing."""
    return stream.codec_context.reorder_depth

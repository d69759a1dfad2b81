"""Transitions by TransNet V2 on every frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mhmd.shots.detector import Transition, joined, within
from mhmd.shots.scores import plain, tiny

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pictures = NDArray[np.uint8]

WINDOW, STEP, CONTEXT = 100, 50, 25
"""Frames the network sees at once, those it is asked for, and those before them that it sees only."""
THRESHOLD = 0.5
"""Of both predictions; the paper's."""
ABRUPT = 2
"""No more frames than this are part of a cut."""
GAP = 8
"""Frames between two gradual transitions below which they are one."""
LONGEST = 75
"""Frames after which a gradual transition is over, so that what waits for its end is bounded."""


def runs(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of every unbroken run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]])))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def clusters(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """First and end of the runs, as one where fewer than GAP frames lie between them."""
    done: list[tuple[int, int]] = []
    for first, end in parts:
        if done and first - done[-1][1] < GAP:
            done[-1] = (done[-1][0], end)
        else:
            done.append((first, end))
    return done


def transition_of(first: int, end: int, score: float, pictures: Pictures, offset: int) -> Transition:
    """What the frames [first, end) that the network takes for parts of a transition are.

    One or two are a cut, at the largest step, or after the film's last frame. `pictures` are those of the frames from
    `offset` on.
    """
    if end - first <= ABRUPT:
        near = pictures[first - offset : end + 1 - offset].astype(np.int16)
        steps = np.abs(np.diff(near, axis=0)).mean(axis=(1, 2, 3))
        cut = first + 1 + (int(steps.argmax()) if len(steps) else 0)
        return Transition(cut, cut, "cut", round(score, 4))
    faded = any(plain(picture) for picture in pictures[max(0, first - 1 - offset) : end + 1 - offset])
    return Transition(first, end, "fade" if faded else "dissolve", round(score, 4))


class Predictions:
    """The network's predictions for a film that goes by, 50 frames at a time, on CUDA 100.

    Windows of 100 frames of which the middle 50 count; before the film's first frame and after its last one these are
    repeated. The package's own `predict_frames` gives the same numbers.
    """

    def __init__(self, device: str | None) -> None:
        """See TransNet."""
        from mhmd.shots.network import TransNet

        self._network = TransNet(device)
        self._at_once = 2 if self._network.device.type == "cuda" else 1
        self._pictures: list[Pictures] = []
        self._fed = 0
        self._known = 0

    def feed(self, picture: Pictures) -> NDArray[np.float32]:
        """Takes the next frame as `tiny` gives it; N×2 predictions that are now known, mostly none."""
        self._pictures += [picture] * (1 if self._fed else 1 + CONTEXT)
        self._fed += 1
        enough = self._fed == self._known + STEP * self._at_once + CONTEXT
        return self._predict(self._at_once) if enough else np.zeros((0, 2), np.float32)

    def finish(self) -> NDArray[np.float32]:
        """The rest of N×2 predictions, when the film is over."""
        rest = self._fed - self._known
        if rest == 0:
            return np.zeros((0, 2), np.float32)
        windows = -(-rest // STEP)
        self._pictures += self._pictures[-1:] * (WINDOW + STEP * (windows - 1) - len(self._pictures))
        return self._predict(windows)[:rest]

    def _predict(self, windows: int) -> NDArray[np.float32]:
        pictures = np.stack(self._pictures)
        seen = np.stack([pictures[STEP * n : STEP * n + WINDOW] for n in range(windows)])
        del self._pictures[: STEP * windows]
        self._known += STEP * windows
        return self._network(seen)[:, CONTEXT : CONTEXT + STEP].reshape(-1, 2)


class TransNetV2:
    """Cuts, dissolves and fades by TransNet V2.

    A transition is where the first prediction passes 0.5; its frames are those around for which the second does. The
    score is the highest first prediction.
    """

    def __init__(self, device: str | None = None) -> None:
        """On `device` of torch; None takes CUDA where there is one, else the CPU."""
        self._stream = Predictions(device)
        self._pictures: list[Pictures] = []  # of the frames from the one before `settled` on
        self._predictions = np.zeros((0, 2), np.float32)  # of the frames from `settled` on
        self._settled = 0
        self._fed = 0
        self._free = 1  # the first frame that the next transition may have

    @property
    def settled(self) -> int:
        """A window and a transition behind at most: 158 frames on a CPU, 208 on CUDA; 33 at least."""
        return self._settled

    def feed(self, index: int, time_s: float, bgr: Pictures) -> list[Transition]:
        """Predicts 50 frames, on CUDA 100, when 25 more have followed them."""
        del index, time_s
        picture = tiny(bgr)
        self._pictures += [picture] * (1 if self._fed else 2)
        self._fed += 1
        return self._found(self._stream.feed(picture), over=False)

    def finish(self) -> list[Transition]:
        """Predicts the rest."""
        return self._found(self._stream.finish(), over=True)

    def _found(self, more: NDArray[np.float32], *, over: bool) -> list[Transition]:
        """The transitions that are over for sure, or have become too long."""
        if not len(more) and not over:
            return []
        self._predictions = np.concatenate([self._predictions, more])
        known = len(self._predictions) if over else len(self._predictions) - GAP
        parts = runs(np.any(self._predictions > THRESHOLD, axis=1))
        waiting = next((first for first, end in clusters(parts) if end > known >= first > known - LONGEST), known)
        found = joined((self._transition(*part) for part in parts if part[0] < waiting and self._score(*part)), GAP)
        found = within(found, self._free, self._fed - 1)
        self._predictions = self._predictions[waiting:]
        self._settled += waiting
        del self._pictures[:waiting]
        self._free = found[-1].end_frame + 1 if found else self._free
        return found

    def _score(self, first: int, end: int) -> float:
        """The highest first prediction, or 0 below the threshold."""
        score = float(self._predictions[first:end, 0].max())
        return score if score > THRESHOLD else 0.0

    def _transition(self, first: int, end: int) -> Transition:
        pictures = np.stack(self._pictures[first : end + 2])
        offset = self._settled
        return transition_of(offset + first, offset + end, self._score(first, end), pictures, offset + first - 1)

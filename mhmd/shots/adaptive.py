"""Hard cuts by PySceneDetect."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import TYPE_CHECKING

from mhmd.shots.detector import Transition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scenedetect import AdaptiveDetector


class Adaptive:
    """Hard cuts by PySceneDetect's AdaptiveDetector with its defaults; dissolves and fades go unseen.

    A frame begins a shot when it differs from the one before (mean of hue, saturation and value, 0 to 255) by 15 or
    more and by 3 times the mean difference of the two frames on either side, and the shot before has 15 frames or
    more. That ratio, at most 255, is the score. https://www.scenedetect.com/docs/latest/api/detectors.html
    """

    WINDOW_FRAMES = 2
    RATIO_MAX = 255.0

    def __init__(self) -> None:
        self._detector = _quicker()(window_width=self.WINDOW_FRAMES)
        self._scores: deque[float] = deque(maxlen=2 * self.WINDOW_FRAMES + 1)
        self._fed = 0

    @property
    def settled(self) -> int:
        """A frame is judged when the two after it were fed."""
        return max(0, self._fed - self.WINDOW_FRAMES)

    def feed(self, index: int, time_s: float, bgr: NDArray[np.uint8]) -> list[Transition]:
        """Judges the frame two before `index`. Time does not enter: the detector's unit is the frame."""
        del time_s
        from scenedetect import FrameTimecode

        cuts = self._detector.process_frame(FrameTimecode(index, fps=1.0), bgr)
        self._scores.append(float(self._detector._frame_score or 0))
        self._fed = index + 1
        return [Transition(cut.frame_num, cut.frame_num, "cut", self._ratio()) for cut in cuts]

    def finish(self) -> list[Transition]:
        """Nothing: a cut in the last two frames is not judged."""
        return []

    def _ratio(self) -> float:
        scores = list(self._scores)
        middle = scores.pop(self.WINDOW_FRAMES)
        mean = sum(scores) / len(scores)
        return min(middle / mean, self.RATIO_MAX) if mean > 0 else self.RATIO_MAX


@cache
def _quicker() -> type[AdaptiveDetector]:
    """PySceneDetect's detector with its own score, to the bit, in a third of the time."""
    from mhmd.media.opencv import cv2  # first: it says what is missing where OpenCV does not load

    # isort: split
    from scenedetect import AdaptiveDetector, FrameTimecode

    class Quicker(AdaptiveDetector):  # type: ignore[misc]  # PySceneDetect says no types
        _last: NDArray[np.uint8] | None = None

        def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: NDArray[np.uint8]) -> float:
            """The mean difference of hue, saturation and value from those of the last picture, 0 to 255."""
            del timecode
            now = cv2.cvtColor(frame_img, cv2.COLOR_BGR2HSV).astype("uint8", copy=False)
            last, self._last = self._last, now
            if last is None:
                return 0.0
            pixels = float(now.shape[0] * now.shape[1])
            return float(sum(of / pixels for of in cv2.sumElems(cv2.absdiff(now, last))[:3])) / 3

    return Quicker

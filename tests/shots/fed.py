"""Detectors at work, under watch."""

from __future__ import annotations

from mhmd.shots import Detector, Transition
from tests.shots.footage import Pictures


def fed(detector: Detector, pictures: Pictures) -> list[Transition]:
    """What a detector finds in N×h×w×3 pictures, RGB. Checks all that `Detector` promises."""
    found: list[Transition] = []
    settled = 0
    for index, picture in enumerate(pictures):
        for transition in detector.feed(index, index / 24, picture[:, :, ::-1]):
            assert settled <= transition.start_frame <= transition.end_frame <= index
            found.append(transition)
        assert settled <= detector.settled <= index + 1
        settled = detector.settled
    for transition in detector.finish():
        assert settled <= transition.start_frame <= transition.end_frame <= len(pictures) - 1
        found.append(transition)
    edges = [0, *(frame for each in found for frame in (each.start_frame, each.end_frame)), len(pictures)]
    assert all(end < start for end, start in zip(edges[::2], edges[1::2], strict=True))
    assert all((each.kind == "cut") == (each.start_frame == each.end_frame) for each in found)
    return found

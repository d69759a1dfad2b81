"""Where shots begin: detectors that are fed a film frame by frame, and shots made of what they find.

A new detector is a class with the methods of `Detector` and a line in `DETECTORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mhmd.shots.adaptive import Adaptive
from mhmd.shots.cascade import Cascade
from mhmd.shots.detector import Detector, Transition, shots_of
from mhmd.shots.transnetv2 import TransNetV2

__all__ = ["DETECTORS", "Detector", "Transition", "shots_of"]

DETECTORS: Mapping[str, Callable[[], Detector]] = {
    "adaptive": Adaptive,
    "cascade": Cascade,
    "transnetv2": TransNetV2,
}
"""Every detector by the name that the knob `detector` takes."""

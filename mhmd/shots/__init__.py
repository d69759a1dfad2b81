"""Where shots begin: detectors that are fed a film frame by frame, and shots made of what they find.

A new detector is a class with the methods of `Detector` and a line in `DETECTORS`.
"""

from __future__ import annotations

from importlib import import_module

from mhmd.shots.detector import Detector, Transition, shots_of

__all__ = ["DETECTORS", "Detector", "Transition", "detector", "shots_of"]

DETECTORS = {
    "cascade": "mhmd.shots.cascade:Cascade",
    "adaptive": "mhmd.shots.adaptive:Adaptive",
    "transnetv2": "mhmd.shots.transnetv2:TransNetV2",
}
"""Every detector by the name that the knob `detector` takes; its module is imported when it is made."""


def detector(name: str) -> Detector:
    """A new detector of this name in `DETECTORS`."""
    module, _, kind = DETECTORS[name].partition(":")
    made: Detector = getattr(import_module(module), kind)()
    return made

"""What the misbehaving stages share."""

from __future__ import annotations

from collections.abc import Callable

from mhmd.config import Config
from mhmd.inputs import Inputs
from mhmd.records import Frame, Screening
from mhmd.sink import Sink
from mhmd.stage import Stage


class NoKnobs(Config):
    """No knobs."""


def stage(run: Callable[[Inputs, NoKnobs, Sink], None]) -> Stage[NoKnobs, Sink]:
    """A stage from frames to screenings, so that a workspace needs frames tables only."""
    return Stage(name="fake", version=1, config=NoKnobs, scope="film", reads=(Frame,), writes=(Screening,), run=run)


def misbehaves(inputs: Inputs) -> bool:
    """Only for the film named `bad`."""
    return inputs.unit == "bad"

"""A stage whose process ends without a word for the film `bad`."""

import os

from mhmd.inputs import Inputs
from mhmd.sink import Sink
from tests.fakes.common import NoKnobs, misbehaves, stage


def run(inputs: Inputs, config: NoKnobs, sink: Sink) -> None:  # noqa: ARG001  # a stage's signature
    """Leave as a crashed decoder does."""
    if misbehaves(inputs):
        os._exit(11)


STAGE = stage(run)

"""A stage that makes no progress for the film `bad`."""

import time

from mhmd.inputs import Inputs
from mhmd.sink import Sink
from tests.fakes.common import NoKnobs, misbehaves, stage


def run(inputs: Inputs, config: NoKnobs, sink: Sink) -> None:  # noqa: ARG001  # a stage's signature
    """Sleep."""
    if misbehaves(inputs):
        time.sleep(600)


STAGE = stage(run)

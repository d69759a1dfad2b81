"""A stage that eats memory for the film `bad`."""

import time

from mhmd.inputs import Inputs
from mhmd.sink import Sink
from tests.fakes.common import NoKnobs, misbehaves, stage


def run(inputs: Inputs, config: NoKnobs, sink: Sink) -> None:  # noqa: ARG001  # a stage's signature
    """Hold 600 MB and go on as if nothing were wrong."""
    if misbehaves(inputs):
        held = b"x" * 600_000_000
        for step in range(100_000):
            sink.progress(step, len(held))
            time.sleep(0.05)


STAGE = stage(run)

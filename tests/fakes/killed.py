"""A stage whose process is killed when it makes the film `bad`."""

import os
import signal

from mhmd.inputs import Inputs
from mhmd.sink import Sink
from tests.fakes.common import NoKnobs, misbehaves, stage


def run(inputs: Inputs, config: NoKnobs, sink: Sink) -> None:  # noqa: ARG001  # a stage's signature
    """End as the system ends a process for want of memory."""
    if misbehaves(inputs):
        os.kill(os.getpid(), signal.SIGKILL)


STAGE = stage(run)

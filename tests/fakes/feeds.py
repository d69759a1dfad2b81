"""A stage whose program eats memory for the film `bad`."""

import subprocess
import sys
import time

from mhmd.inputs import Inputs
from mhmd.sink import Sink
from tests.fakes.common import NoKnobs, misbehaves, stage

EATER = "import sys; held = b'x' * 600_000_000; sys.stdin.read()"


def run(inputs: Inputs, config: NoKnobs, sink: Sink) -> None:  # noqa: ARG001  # a stage's signature
    """Have another process hold 600 MB, until this one ends."""
    if misbehaves(inputs):
        with subprocess.Popen([sys.executable, "-c", EATER], stdin=subprocess.PIPE):
            for step in range(200):
                sink.progress(step, 200)
                time.sleep(0.05)


STAGE = stage(run)

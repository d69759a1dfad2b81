"""A stage with a bug that the film `bad` meets."""

from mhmd.inputs import Inputs
from mhmd.sink import Sink
from tests.fakes.common import NoKnobs, misbehaves, stage


def run(inputs: Inputs, config: NoKnobs, sink: Sink) -> None:  # noqa: ARG001  # a stage's signature
    """Divide by zero."""
    if misbehaves(inputs):
        print(1 // 0)  # noqa: T201  # never printed


STAGE = stage(run)

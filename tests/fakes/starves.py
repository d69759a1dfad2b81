"""A stage that is given no more memory when it makes the film `bad`."""

import resource

from mhmd.inputs import Inputs
from mhmd.sink import Sink
from tests.fakes.common import NoKnobs, misbehaves, stage


def run(inputs: Inputs, config: NoKnobs, sink: Sink) -> None:  # noqa: ARG001  # a stage's signature
    """Ask for more than the limit of the process."""
    if misbehaves(inputs):
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, before[1]))
        try:
            bytearray(10 << 30)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)


STAGE = stage(run)

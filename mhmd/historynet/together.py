"""What the processes of a run tell each other besides gradients: that one has failed, and that all begin alike.

They do so over a group of the processors' own, so that no GPU is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import distributed
from torch.distributed import ProcessGroup

from mhmd.errors import MhmdError, UsageError

T = TypeVar("T")


class Together:
    """The processes of a launched Fabric; with one alone nothing is told."""

    def __init__(self, fabric: Fabric) -> None:
        self._group: ProcessGroup | None = None
        if fabric.world_size > 1:
            group = distributed.new_group(backend="gloo")
            assert isinstance(group, ProcessGroup), "a number is for those who are not of the group"
            self._group = group

    def all_or_none(self, work: Callable[[], T]) -> T:
        """What `work` gives in this process, once it is done in all. Raises the MhmdError that it raises in any.

        To be called by all at the same point of their work. Without it the others would wait, for minutes, for one
        that is gone, and tell of their waiting instead of what was wrong.
        """
        if self._group is None:
            return work()
        found: list[T] = []
        error: MhmdError | None = None
        try:
            found.append(work())
        except MhmdError as raised:
            error = raised
        failed = torch.tensor([error is not None], dtype=torch.int32)
        distributed.all_reduce(failed, group=self._group)
        if failed.item():
            self._raise(error)
        return found[0]

    def require_same(self, what: str) -> None:
        """Raises UsageError unless all processes say the same."""
        if self._group is None:
            return
        found = self._gathered(what)
        if len(set(found)) > 1:
            raise UsageError(
                f"the processes of this run found {', and '.join(sorted(set(found)))}",
                wanted="one dataset, and one folder of the run, that all of them see",
                do="put both where all machines reach them",
            )

    def _raise(self, error: MhmdError | None) -> None:
        told = self._gathered(None if error is None else (type(error), error.found, error.wanted, error.do))
        kind, found, wanted, do = next(each for each in told if each is not None)
        raise error or kind(found, wanted=wanted, do=do)

    def _gathered(self, mine: T) -> list[T]:
        everyone: list[T] = [mine] * distributed.get_world_size(self._group)
        distributed.all_gather_object(everyone, mine, self._group)
        return everyone

"""Counting what cannot be read: a few damaged samples are passed over, many end the training."""

from __future__ import annotations

from mhmd.errors import DatasetError


class Damage:
    """Damaged samples of a run, as far as this process has met them."""

    def __init__(self, samples: int, share: float) -> None:
        """Of so many samples that this process reads in an epoch, this share may be damaged."""
        self._limit, self._share = samples * share, share
        self._epoch, self._in_epoch = 0, 0
        self.count = 0
        self._new: list[str] = []

    def note(self, error: DatasetError, epoch: int) -> None:
        """Count a sample. Raises DatasetError, with what is wrong with this one, when an epoch has too many."""
        if epoch != self._epoch:
            self._epoch, self._in_epoch = epoch, 0
        self._in_epoch += 1
        self.count += 1
        self._new.append(error.found)
        if self._in_epoch > self._limit:
            raise DatasetError(
                f"{self._in_epoch} damaged samples, the last: {error.found}",
                wanted=f"at most {self._share:.2%} of an epoch, max_damaged",
                do=error.do,
            )

    def news(self) -> list[str]:
        """What was wrong with those that were noted since the last call."""
        told, self._new = self._new, []
        return told

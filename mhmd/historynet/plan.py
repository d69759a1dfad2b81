"""Which sample comes when: a pure function of the rows, the seed and the step, the same for all workers and devices.

An epoch has as many places as the split has samples, whatever the balance. Shards are taken in random order, so many at
once, and the samples of these are mixed: reading stays within few shards, which matters where they are far away.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mhmd.historynet.dataset import SplitRows

SHARDS_AT_ONCE = 16


class Plan:
    """The endless order of a split's rows: epoch after epoch, each with an order of its own."""

    def __init__(self, rows: SplitRows, seed: int, balance: float) -> None:
        self._rows, self._seed, self._balance = rows, seed, balance
        self._order = lru_cache(maxsize=2)(self._epoch_order)

    def rows(self, first: int, count: int) -> NDArray[np.int64]:
        """The rows at places `first` to `first + count`, which may lie over the end of an epoch."""
        places = np.arange(first, first + count)
        epochs, within = np.divmod(places, self._rows.samples)
        return np.concatenate([self._order(int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)])

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.default_rng((self._seed, epoch))
        chosen = np.repeat(np.arange(self._rows.samples), occurrences(self._rows.labels[:, 0], self._balance, rng))
        turn = rng.permutation(len(self._rows.shards)) // SHARDS_AT_ONCE
        order = np.lexsort((rng.random(len(chosen)), turn[self._rows.shard[chosen]]))
        return np.asarray(chosen[order], np.int64)


def occurrences(labels: NDArray[np.int32], balance: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each sample comes in an epoch, (M,), summing to M.

    A label of n samples gets places in proportion to n^(1 − balance); samples without a label (-1) count as one label
    more. Its samples come equally often, give or take one, which the generator draws.
    """
    found, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = counts ** (1.0 - balance)
    exact = len(labels) * shares / shares.sum()
    places = np.floor(exact + 1e-9).astype(np.int64)
    rest = len(labels) - places.sum()
    places[np.argsort(places - exact, kind="stable")[:rest]] += 1
    each = (places // counts)[which]
    for label in range(len(found)):
        members = np.flatnonzero(which == label)
        each[rng.permutation(members)[: places[label] % counts[label]]] += 1
    return np.asarray(each, np.int64)

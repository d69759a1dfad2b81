"""What a stage is: its knobs, the tables it reads and writes, and the function that makes one unit.

A stage knows no path, no cluster and no clock. `mhmd.make` decides what is stale, runs it and stores what it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from mhmd.config import Config
from mhmd.errors import UsageError
from mhmd.records import Record

if TYPE_CHECKING:
    from mhmd.inputs import Inputs
    from mhmd.manifest.problems import Problem

C = TypeVar("C", bound=Config)
S = TypeVar("S")

Scope = Literal["film", "corpus", "dataset"]
"""One unit a film · one unit for all films, rows stored by film · one unit for all films, a folder of shards."""

CORPUS = "corpus"
"""Name of the one unit of a stage whose scope is the corpus or the dataset."""


@dataclass(frozen=True)
class Stage(Generic[C, S]):
    """One stage.

    `reads` are stored tables and manifests; the first stored one tells which films there are. Of `writes` the last
    is the one that says done. `check` is asked once, before any stale unit is made, about all their films, and gives
    what is wrong with the manifests that they share, by file. `film` says that the film's file is read, `bytes_to`
    names the folder of the tars. `ready` is asked once before any stale unit is made, and raises what with these knobs
    would fail every one of them. `gpus` is how many a unit takes where there are some, `notice` what must be said
    before anything runs, if anything. A change of what `run` would write for the same input must raise `version`.
    """

    name: str
    version: int
    config: type[C]
    scope: Scope
    reads: tuple[type[Record], ...]
    writes: tuple[type[Record], ...]
    run: Callable[[Inputs, C, S], None]
    film: bool = False
    bytes_to: str = ""
    check: Callable[[Inputs], Mapping[str, Sequence[Problem]]] = lambda _: {}
    ready: Callable[[C], None] = lambda _: None
    gpus: int = 0
    notice: Callable[[C], str] = lambda _: ""

    @property
    def module(self) -> str:
        """The module whose `STAGE` this is, by which a child process finds it."""
        return self.run.__module__


AnyStage = Stage[Any, Any]
"""Any stage: the machinery treats them all alike and never looks into their knobs."""


@dataclass(frozen=True, slots=True)
class Where:
    """Places: none of them counts into a digest, only what lies there does. Empty = not given."""

    data: str
    out: str = ""
    films: str = ""
    labels: str = ""
    splits: str = ""
    taxonomy: str = ""
    device: str = "auto"

    def absolute(self) -> Where:
        """The same with local paths made absolute, for processes that start elsewhere."""
        places = asdict(self)
        for name in ("data", "out", "films", "labels", "splits", "taxonomy"):
            if places[name] and "://" not in places[name]:
                places[name] = str(Path(places[name]).expanduser().resolve())
        return Where(**places)

    def dataset(self) -> str:
        """The place of the dataset. Raises UsageError when it is not named."""
        if not self.out:
            raise UsageError("no --out", wanted="a folder or a URL for the dataset", do="name it with --out")
        return self.out

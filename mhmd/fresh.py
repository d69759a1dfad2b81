"""Whether a unit is made of what is there now: the digest of all that it depends on stands in what it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mhmd.dataset.published import is_whole
from mhmd.errors import StorageError, UnitError
from mhmd.inputs import Inputs, table_path
from mhmd.records import Record
from mhmd.stage import AnyStage, Where

if TYPE_CHECKING:
    from mhmd.config import Config
    from mhmd.storage import Storage


def is_fresh(stage: AnyStage, config: Config, where: Where, storage: Storage, unit: str, films: Sequence[str]) -> bool:
    """Whether a unit is made of what is there now. Hashes no film: one whose file changed is not fresh."""
    films = (unit,) if stage.scope == "film" else films
    inputs = Inputs(stage, where, storage, unit, films)
    try:
        return is_made(stage, inputs, storage, where, inputs.digest(config.content(), hash_now=False))
    except UnitError:
        return False  # the child meets it again, and tells


def is_made(stage: AnyStage, inputs: Inputs, storage: Storage, where: Where, digest: str) -> bool:
    """Whether all that a unit writes is there, of this digest."""
    from mhmd.storage import Storage

    if not digest:
        return False
    if stage.scope == "dataset":
        return is_whole(Storage(where.dataset()), digest)
    return all(_is_there(storage, record, film, digest) for film in inputs.films for record in stage.writes)


def _is_there(storage: Storage, record: type[Record], film: str, digest: str) -> bool:
    """Whether a film's rows of a table are there, of this digest, and the tar that they point into."""
    try:
        stamp = storage.stamp(table_path(record, film))
    except StorageError:
        return False  # damaged: it is made again
    whole = stamp is not None and (not stamp.tar or storage.size(stamp.tar) == stamp.tar_bytes)
    return whole and stamp is not None and stamp.digest == digest

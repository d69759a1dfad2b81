"""Running stage extract on one film, in this process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mhmd.execute import Job
from mhmd.inputs import table_path
from mhmd.make import make_unit
from mhmd.media.jpeg import decode_jpeg
from mhmd.records import Film, Record
from mhmd.stage import Where
from mhmd.stages.extract import STAGE, ExtractConfig
from mhmd.storage import Storage
from tests.films import Picture

OFTEN = ExtractConfig(detector="adaptive", interval_s=0.25, guard_s=0.2)
EVERY = ExtractConfig(detector="adaptive", interval_s=0.01, guard_s=0)


@dataclass(frozen=True)
class Extracted:
    """What extract made of one film."""

    storage: Storage
    reports: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]

    def rows(self, record: type[Record]) -> pd.DataFrame:
        return pd.DataFrame(self.storage.table(table_path(record, "alpha")).to_pylist())

    @property
    def film(self) -> Mapping[str, object]:
        return self.rows(Film).to_dict("records")[0]

    def picture(self, ref: str) -> Picture:
        name, offset, size = ref.rsplit(":", 2)
        return decode_jpeg(self.storage.read(name, int(offset), int(size)))


def extract(path: Path, config: ExtractConfig, color_matrix: str | None = None) -> Extracted:
    """Run the stage as `make` does, in this process, into a new workspace beside the film."""
    root = path.parent
    data = root / f"data{len(list(root.glob('data*')))}"
    row = {"film_id": "alpha", "title": "Alpha", "path": path.name, "color_matrix": color_matrix}
    pd.DataFrame([row]).to_csv(root / "films.csv", index=False)
    where = Where(str(data), films=str(root / "films.csv"))
    reports: list[tuple[int, int]] = []
    job = Job(STAGE.module, config.model_dump_json(), where, ("alpha",))
    made = make_unit(job, "alpha", lambda done, total, _stored: reports.append((done, total)))
    return Extracted(Storage(str(data)), tuple(reports), made.notes)

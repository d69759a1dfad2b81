"""A contact sheet has a group for what was kept and one for each reason."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mhmd.cli import app
from mhmd.errors import MissingInput, UsageError
from mhmd.media.jpeg import decode_jpeg, encode_jpeg
from mhmd.parsing.sheet import _sheet as worst_pairs
from mhmd.records import Film, Frame, Record, Screening
from mhmd.sheet import GAP_PX, LINE_PX, THUMB_PX, clock, sheet, sheet_of_shots, spread, stacked
from mhmd.status import findings
from mhmd.storage import Storage, table_of

BLANK: dict[str, Any] = {"string": "", "float64": 0.0, "bool": False, "list<int32>": None, "binary[96]": bytes(96)}


def row(record: type[Record], **values: Any) -> Record:
    """A record with these values, the others blank."""
    return record(**{f.name: BLANK.get(f.metadata["arrow"], 0) for f in fields(record)} | values)


def workspace(data: Path, films: dict[str, list[str | None]], sources: dict[str, str] | None = None) -> str:
    """A workspace with films of one frame a second: red ones that pass, blue ones rejected for these reasons."""
    storage = Storage(str(data))
    for film, reasons in films.items():
        frames, screenings, tar = [], [], b""
        for second, reason in enumerate(reasons):
            picture = np.full((90, 160, 3), (0, 0, 200) if reason else (200, 0, 0), np.uint8)
            jpeg = encode_jpeg(picture)
            ref = f"frames/{film}.tar:{len(tar)}:{len(jpeg)}"
            tar += jpeg
            frames.append(row(Frame, film_id=film, frame_id=f"{film}_{second:010d}", time_s=float(second), ref=ref))
            screenings.append(row(Screening, film_id=film, frame_id=f"{film}_{second:010d}", rejected_by=reason))
        storage.write(f"frames/{film}.tar", tar)
        storage.write_table(f"frames/{film}.parquet", table_of(Frame, frames))
        storage.write_table(f"screenings/{film}.parquet", table_of(Screening, screenings))
        source = (sources or {}).get(film, "tagged")
        storage.write_table(f"films/{film}.parquet", table_of(Film, [row(Film, film_id=film, matrix_source=source)]))
    return str(data)


def test_a_film_without_frames_has_a_sheet_that_says_so(tmp_path: Path) -> None:
    picture = decode_jpeg(sheet(workspace(tmp_path, {"alpha": []}), "alpha", 2))
    assert (picture < 128).any()


def test_kept_frames_come_first_and_each_reason_has_its_group(tmp_path: Path) -> None:
    data = workspace(tmp_path, {"alpha": [None, "text", None, "black", None]})
    picture = decode_jpeg(sheet(data, "alpha", 2)).astype(int)
    middle = GAP_PX + THUMB_PX // 2
    column = picture[:, middle]
    red = column[:, 0] - column[:, 2] > 100
    blue = column[:, 2] - column[:, 0] > 100
    assert np.count_nonzero(np.diff(red.astype(int)) == 1) == 1
    assert np.count_nonzero(np.diff(blue.astype(int)) == 1) == 2
    assert np.flatnonzero(red)[-1] < np.flatnonzero(blue)[0]
    second = picture[np.flatnonzero(red)[0] + 10, middle + THUMB_PX + GAP_PX]
    third = picture[np.flatnonzero(red)[0] + 10, middle + 2 * (THUMB_PX + GAP_PX)]
    assert second[0] > 150 > 100 > second[1]
    assert third.min() > 240, "two of the three that were kept are shown"
    assert np.flatnonzero(red)[0] > LINE_PX
    assert sheet(data, "alpha", 2) == sheet(data, "alpha", 2)


def test_show_writes_a_sheet(tmp_path: Path) -> None:
    data = workspace(tmp_path, {"alpha": [None, "text"]})
    said = CliRunner().invoke(
        app, ["show", "alpha", "--data", data, "--sheet", str(tmp_path / "a.jpg"), "--count", "3"]
    )
    assert said.exit_code == 0
    assert (tmp_path / "a.jpg").read_bytes() == sheet(data, "alpha", 3)


def test_a_film_that_was_not_screened_has_no_sheet(tmp_path: Path) -> None:
    data = workspace(tmp_path, {"alpha": [None]})
    with pytest.raises(MissingInput, match=r"no frames of 'beta'.*run `mhmd extract`"):
        sheet(data, "beta", 4)
    Storage(data).remove("screenings/alpha.parquet")
    with pytest.raises(MissingInput, match=r"no screenings of 'alpha'.*run `mhmd screen`"):
        sheet(data, "alpha", 4)


def test_frames_are_spread_evenly() -> None:
    assert spread(3, 8) == [0, 1, 2]
    assert spread(10, 2) == [2, 7]
    assert spread(0, 4) == []


def test_times() -> None:
    assert [clock(time_s) for time_s in (0.0, 59.96, 3725.24)] == ["0:00:00.0", "0:01:00.0", "1:02:05.2"]


def test_a_monochrome_film_is_named_and_the_rest_is_counted(tmp_path: Path) -> None:
    films = {"alpha": [None, "text", "black", "black"], "beta": ["monochrome"] * 3 + ["text"], "gamma": [None]}
    data = workspace(tmp_path, films, {"gamma": "guessed", "beta": "manifest"})
    assert findings(data) == [
        "films whose colour matrix was guessed: 1 (gamma); the manifest's color_matrix overrides",
        "films monochrome throughout: 1 (beta); 3 frames",
        "frames screened: 2 pass; rejected: 2 black, 2 text",
    ]


def test_a_workspace_without_tables_has_nothing_to_tell(tmp_path: Path) -> None:
    assert findings(str(tmp_path)) == []


def test_sheets_of_thousands_of_pictures_get_more_columns_or_a_clear_bound(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    picture = decode_jpeg(sheet_of_shots(storage, "alpha", [("0:00", None)] * 4000))
    assert picture.shape[0] <= 65_500
    pairs = [("frame", np.full((40, 512, 3), 200, np.uint8))] * 3300
    assert decode_jpeg(worst_pairs(pairs)).shape[1] > 3 * 518
    with pytest.raises(UsageError, match=r"200000 frames on a sheet; wanted \d+ at most"):
        worst_pairs(pairs[:1] * 200_000)
    with pytest.raises(UsageError, match="a sheet of 70000 px; wanted 65500 at most"):
        stacked([Image.new("RGB", (8, 35_000))] * 2)

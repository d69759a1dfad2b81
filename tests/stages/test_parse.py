"""Masks of stored frames: read back from the tar they are the parser's, and damaged frames are named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mhmd.demo.footage import photograph
from mhmd.errors import FrameDamaged, RecipeError
from mhmd.inputs import Inputs
from mhmd.media.jpeg import encode_jpeg
from mhmd.parsing.parser import load_parser
from mhmd.records import Frame, Mask, columns_of
from mhmd.sink import Sink
from mhmd.stage import Where
from mhmd.stages.parse import STAGE, ParseConfig, run
from mhmd.storage import Storage

FRAMES = ("astronaut", "coffee", "admiral")


def stored(folder: Path, jpegs: list[bytes]) -> Storage:
    """A workspace that holds one film's frames."""
    storage = Storage(str(folder))
    sink = Sink(storage, "film", (Frame,), "frames", lambda *_: None)
    blank = {"string": "", "bool": False, "float64": 0.0, "list<int32>": None, "binary[96]": bytes(96)}
    for number, jpeg in enumerate(jpegs):
        values = {column.field: blank.get(column.arrow, 0) for column in columns_of(Frame)}
        frame_id = f"film_{number:010}"
        ref = sink.put(f"{frame_id}.jpg", jpeg)
        sink.rows(Frame, [Frame(**values | {"film_id": "film", "frame_id": frame_id, "ref": ref})])
    sink.commit("digest", {"film": {}})
    return storage


def parsed(storage: Storage) -> tuple[list[dict[str, object]], list[tuple[int, int]]]:
    """The masks' rows, and the progress that was told."""
    told: list[tuple[int, int]] = []
    sink = Sink(storage, "film", STAGE.writes, STAGE.bytes_to, lambda done, total, _stored: told.append((done, total)))
    inputs = Inputs(STAGE, Where(data=storage.url), storage, "film", ["film"])
    try:
        run(inputs, ParseConfig(), sink)
    except FrameDamaged:
        sink.discard()
        raise
    sink.commit("digest", {"film": {}})
    return storage.table("masks/film.parquet").to_pylist(), told


def test_masks_of_a_film(tmp_path: Path) -> None:
    names = FRAMES * 3
    storage = stored(tmp_path, [encode_jpeg(photograph(name)) for name in names])
    rows, told = parsed(storage)
    assert told == [(8, 9), (9, 9)]
    parser = load_parser("selfie-multiclass", "cpu")
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        path, offset, size = str(row["ref"]).rsplit(":", 2)
        with Image.open(io.BytesIO(storage.read(path, int(offset), int(size)))) as picture:
            mask = np.asarray(picture)
            assert picture.mode == "L"
        assert mask.shape == photograph(name).shape[:2]
        assert row["frame_id"] == f"film_{number:010}"
        assert row["classes"] == list(parser.classes)
        assert row["parser"] == "selfie-multiclass"
        assert row["person_share"] == pytest.approx((mask > 0).mean())
        assert row["clothes_share"] == pytest.approx((mask == 4).mean())
    persons = [float(str(row["person_share"])) for row in rows]
    assert persons[1] < 0.05 < 0.3 < persons[0] < persons[2]


def test_the_batch_changes_no_mask() -> None:
    parser = load_parser("selfie-multiclass", "cpu")
    pictures = [photograph(name) for name in FRAMES]
    for together, picture in zip(parser.parse(pictures), pictures, strict=True):
        (alone,) = parser.parse([picture])
        assert np.array_equal(together.mask, alone.mask)
        assert together.confidence == alone.confidence


def test_a_film_without_frames(tmp_path: Path) -> None:
    empty = Sink(Storage(str(tmp_path)), "film", (Frame,), "frames", lambda *_: None)
    empty.commit("digest", {"film": {}})
    assert parsed(Storage(str(tmp_path))) == ([], [])


@pytest.mark.parametrize("damaged", [b"", b"no picture"])
def test_a_damaged_frame_is_named(tmp_path: Path, damaged: bytes) -> None:
    storage = stored(tmp_path, [encode_jpeg(photograph("coffee")), damaged])
    with pytest.raises(FrameDamaged, match=r"frame film_0000000001: .* no JPEG"):
        parsed(storage)
    assert not (tmp_path / Mask.TABLE).exists() or not list((tmp_path / Mask.TABLE).iterdir())


def test_an_unknown_parser_is_refused_before_anything_runs() -> None:
    with pytest.raises(RecipeError, match=r"parser = 'cihp'.*one of selfie-multiclass"):
        ParseConfig.checked({"parser": "cihp"}, "recipe.toml, parse")

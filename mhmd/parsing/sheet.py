"""Masks over frames, and a sheet of those that the parser was least certain of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mhmd.errors import MissingInput, UsageError
from mhmd.inputs import table_path
from mhmd.parsing.ontology import COMMON, common_of_all
from mhmd.records import Mask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from mhmd.storage import Storage

COLOURS = (
    (0, 0, 0),
    (128, 64, 0),
    (255, 170, 120),
    (255, 220, 90),
    (160, 0, 200),
    (0, 110, 255),
    (0, 190, 170),
    (0, 60, 140),
    (120, 120, 120),
    (255, 0, 110),
    (60, 220, 60),
)
"""RGB of the common classes, in their order."""
SOLID = 0.55
"""How much of a colour lies over the picture."""
COLUMNS, THUMB_PX, GAP_PX, LINE_PX = 3, 256, 6, 16
TALLEST_PX = 2 * THUMB_PX
"""Pictures that are higher at the width `THUMB_PX` are narrower instead."""
QUALITY = 85


def overlay(picture: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[str]) -> NDArray[np.uint8]:
    """The RGB picture H×W×3 with the colours of its mask's classes over it; background stays as it is."""
    import numpy as np

    table = np.zeros((256, 3), np.float32)
    share = np.zeros((256, 1), np.float32)
    for number, common in enumerate(common_of_all(classes)):
        table[number] = COLOURS[COMMON.index(common)]
        share[number] = 0.0 if common == COMMON[0] else SOLID
    mixed = picture * (1 - share[mask]) + table[mask] * share[mask]
    return mixed.round().astype(np.uint8)


def worst_sheet(data: str, films: Sequence[str], count: int) -> bytes:
    """The JPEG of the frames whose masks are least certain, each beside its overlay, the worst first.

    Certain is what has a high confidence, and no disagreement where a second parser was asked. Raises MissingInput when
    there are no masks.
    """
    import pyarrow as pa

    from mhmd.storage import Storage

    storage = Storage(data)
    columns = ["film_id", "frame_id", "ref", "classes", "confidence", "disagreement"]
    there = [film for film in films if storage.exists(table_path(Mask, film))]
    masks = pa.concat_tables([storage.table(table_path(Mask, film), columns) for film in there]) if there else None
    if masks is None or not masks.num_rows:
        raise MissingInput(f"no masks in {data}", wanted="films that were parsed", do="run `mhmd parse` first")
    doubt = masks["confidence"].to_numpy() - masks["disagreement"].to_pandas().fillna(0.0).to_numpy()
    rows = masks.take(doubt.argsort(kind="stable")[:count]).to_pylist()
    return _sheet([_pair(storage, row) for row in rows])


def _pair(storage: Storage, row: dict[str, object]) -> tuple[str, NDArray[np.uint8]]:
    """What is said of a frame, and its picture beside its overlay."""
    import numpy as np
    import pyarrow.compute as pc

    from mhmd.media.jpeg import decode_jpeg
    from mhmd.media.opencv import cv2

    film, frame, classes = str(row["film_id"]), str(row["frame_id"]), list(row["classes"])  # type: ignore[call-overload]  # a list
    ref = storage.table(f"frames/{film}.parquet", ["frame_id", "ref"]).filter(pc.field("frame_id") == frame)["ref"]
    picture = decode_jpeg(_stored(storage, ref[0].as_py()))
    mask = cv2.imdecode(np.frombuffer(_stored(storage, str(row["ref"])), np.uint8), cv2.IMREAD_UNCHANGED)
    scale = min(THUMB_PX / picture.shape[1], TALLEST_PX / picture.shape[0])
    size = [max(1, round(scale * side)) for side in (picture.shape[1], picture.shape[0])]
    both = (picture, overlay(picture, np.asarray(mask, np.uint8), classes))
    small = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in both]
    differ = "" if row["disagreement"] is None else f"  differ {row['disagreement']:.3f}"
    return f"{frame}  {row['confidence']:.3f}{differ}", np.hstack(small)


def _stored(storage: Storage, ref: str) -> bytes:
    path, offset, size = ref.rsplit(":", 2)
    return storage.read(path, int(offset), int(size))


def _sheet(pairs: Sequence[tuple[str, NDArray[np.uint8]]]) -> bytes:
    """A JPEG of captioned pictures, in lines of `COLUMNS`, or more where it would be too high, under the colours.

    Raises UsageError when there are more than a JPEG can hold.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    from mhmd.media.jpeg import MAX_SIDE_PX, encode_jpeg

    tallest = max(len(picture) for _, picture in pairs) + LINE_PX + GAP_PX
    columns = max(COLUMNS, -(-len(pairs) // (MAX_SIDE_PX // tallest - 1)))
    if columns > (most := MAX_SIDE_PX // (2 * THUMB_PX + GAP_PX) - 1):
        fit = most * (MAX_SIDE_PX // tallest - 1)
        raise UsageError(f"{len(pairs)} frames on a sheet", wanted=f"{fit} at most", do="ask for fewer with --worst")
    lines = [pairs[start : start + columns] for start in range(0, len(pairs), columns)]
    talls = [max(len(picture) for _, picture in line) + LINE_PX + GAP_PX for line in lines]
    size = (columns * (2 * THUMB_PX + GAP_PX) + GAP_PX, LINE_PX + 2 * GAP_PX + sum(talls))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    _legend(sheet)
    top = LINE_PX + 2 * GAP_PX
    for line, tall in zip(lines, talls, strict=True):
        for number, (text, picture) in enumerate(line):
            x = GAP_PX + number * (2 * THUMB_PX + GAP_PX)
            sheet.paste(Image.fromarray(picture), (x, top))
            draw.text((x, top + len(picture) + 1), text, "black")
        top += tall
    return encode_jpeg(np.asarray(sheet), QUALITY)


def _legend(sheet: Image) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(sheet)
    x = GAP_PX
    for name, colour in list(zip(COMMON, COLOURS, strict=True))[1:]:
        draw.rectangle((x, GAP_PX, x + LINE_PX, GAP_PX + LINE_PX - 2), fill=colour)
        draw.text((x + LINE_PX + 4, GAP_PX + 1), name, "black")
        x += LINE_PX + 14 + int(draw.textlength(name))

"""Contact sheets of a film: what screening kept and rejected for which reason; and its shots, numbered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mhmd.errors import MissingInput, UsageError
from mhmd.inputs import table_path
from mhmd.records import Frame, Screening

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from mhmd.storage import Storage

COLUMNS, THUMB_PX, GAP_PX, LINE_PX = 6, 176, 6, 16
QUALITY = 80
TALLEST_PX = 60_000
"""Pictures stand in more columns where they would be higher: a JPEG has no more than 65,500 px."""
KEPT = "kept"

Row = tuple[str, float, str]
"""What became of a frame, its time, s, and where its picture lies."""


def sheet(data: str, film_id: str, count: int) -> bytes:
    """The JPEG of a film's contact sheet: kept frames first, then those of each reason.

    Of each group at most `count` frames are shown, spread evenly; their times stand under them. Raises MissingInput
    when the film was not screened.
    """
    from mhmd.storage import Storage

    storage = Storage(data)
    groups: dict[str, list[Row]] = {}
    for row in _rows(storage, film_id):
        groups.setdefault(row[0], []).append(row)
    names = sorted(groups, key=lambda name: (name != KEPT, name))
    sections = []
    for name in names:
        shown = [groups[name][position] for position in spread(len(groups[name]), count)]
        cells = [(f"{clock(time_s)}  {name}", ref) for _, time_s, ref in shown]
        sections.append(section(storage, heading_of(name, len(groups[name]), len(shown)), cells))
    return stacked(sections or [section(storage, "no frame is stored of it", [])])


def spread(total: int, count: int) -> list[int]:
    """At most `count` of the positions below `total`, evenly spread, each in the middle of its part."""
    shown = min(total, count)
    return [(2 * number + 1) * total // (2 * shown) for number in range(shown)]


def _rows(storage: Storage, film_id: str) -> list[Row]:
    """The film's frames in order of time."""
    for record in (Frame, Screening):
        if not storage.exists(table_path(record, film_id)):
            raise MissingInput(
                f"no {record.TABLE} of {film_id!r} in {storage.url}",
                wanted="a film that was screened",
                do=f"run `mhmd {record.STAGE}` first, or look for its name in `mhmd status`",
            )
    reasons = storage.table(table_path(Screening, film_id), ["frame_id", "rejected_by"]).to_pydict()
    reason = dict(zip(reasons["frame_id"], reasons["rejected_by"], strict=True))
    frames = storage.table(table_path(Frame, film_id), ["frame_id", "time_s", "ref"]).to_pylist()
    return [(reason[row["frame_id"]] or KEPT, row["time_s"], row["ref"]) for row in frames if row["frame_id"] in reason]


def section(storage: Storage, heading: str, cells: Sequence[tuple[str, str]]) -> Image:
    """A heading and thumbnails below it, each given by its caption and where its picture lies."""
    return _grid(heading, [(caption, _thumb(storage, ref)) for caption, ref in cells])


def heading_of(name: str, total: int, shown: int) -> str:
    """What stands above so many of all frames of a kind."""
    return f"{name}: {total}" + (f", of which {shown} are shown" if shown < total else "")


def sheet_of_shots(storage: Storage, film_id: str, shots: Sequence[tuple[str, str | None]]) -> bytes:
    """The JPEG of a sheet of shots: under each picture its caption. A shot without a ref has an empty frame."""
    from PIL import Image

    blank = Image.new("RGB", (THUMB_PX, THUMB_PX // 2), "lightgray")
    thumbs = [(caption, blank if ref is None else _thumb(storage, ref)) for caption, ref in shots]
    return stacked([_grid(f"{film_id}: shots and when they start; gray: no frame is stored", thumbs, caption_px=14)])


def _thumb(storage: Storage, ref: str) -> Image:
    from PIL import Image

    from mhmd.media.jpeg import decode_jpeg

    path, offset, size = ref.rsplit(":", 2)
    picture = Image.fromarray(decode_jpeg(storage.read(path, int(offset), int(size))))
    return picture.resize((THUMB_PX, max(1, round(picture.height * THUMB_PX / picture.width))), Image.Resampling.BOX)


def _grid(heading: str, thumbs: Sequence[tuple[str, Image]], caption_px: int = 11) -> Image:
    """A heading, and pictures with a caption under each."""
    from PIL import Image, ImageDraw

    tall = max((thumb.height for _, thumb in thumbs), default=0) + caption_px + 5 + GAP_PX
    columns = max(COLUMNS, -(-len(thumbs) * tall // TALLEST_PX))
    lines = -(-len(thumbs) // columns)
    grid = Image.new("RGB", (columns * (THUMB_PX + GAP_PX) + GAP_PX, LINE_PX + 2 * GAP_PX + lines * tall), "white")
    draw = ImageDraw.Draw(grid)
    draw.text((GAP_PX, GAP_PX), heading, "black", _font(14))
    for number, (caption, thumb) in enumerate(thumbs):
        x = GAP_PX + number % columns * (THUMB_PX + GAP_PX)
        y = LINE_PX + 2 * GAP_PX + number // columns * tall
        grid.paste(thumb, (x, y))
        draw.text((x, y + thumb.height + 1), caption, "black", _font(caption_px))
    return grid


def clock(time_s: float) -> str:
    """A time as h:mm:ss.s."""
    tenths = round(time_s * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def stacked(sections: Sequence[Image]) -> bytes:
    """The JPEG of these one below the other. Raises UsageError when a JPEG cannot be so high."""
    import numpy as np
    from PIL import Image

    from mhmd.media.jpeg import MAX_SIDE_PX, encode_jpeg

    height = sum(part.height for part in sections)
    if height > MAX_SIDE_PX:
        raise UsageError(
            f"a sheet of {height} px", wanted=f"{MAX_SIDE_PX} at most, as JPEGs have", do="ask for fewer pictures"
        )
    whole = Image.new("RGB", (max(part.width for part in sections), height), "white")
    top = 0
    for part in sections:
        whole.paste(part, (0, top))
        top += part.height
    return encode_jpeg(np.asarray(whole), QUALITY)


def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL.ImageFont import load_default

    return load_default(size)

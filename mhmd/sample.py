"""One sample ⇄ tar members, both directions: the only contract between data and training.

A sample is three members: `<key>.jpg`, `<key>.mask.png` (8-bit gray, a pixel's value is a class index) and
`<key>.json` (a `SampleInfo`, all fields, in order, nothing null).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mhmd.errors import DatasetError
from mhmd.records import SampleInfo, columns_of

JPEG, MASK, INFO = "jpg", "mask.png", "json"
MEMBERS = (JPEG, MASK, INFO)


@dataclass(frozen=True, slots=True)
class Sample:
    """What training sees of one frame: its bytes and what is known of it."""

    jpeg: bytes
    mask_png: bytes
    info: SampleInfo


def without_band(sample: Sample, band: tuple[int, int]) -> Sample:
    """The sample without the rows [top, bottom) of its picture and all between them and the nearer edge.

    The JPEG is encoded again, at quality 95 and 4:4:4. Shares stay those of the whole frame.
    """
    import numpy as np

    from mhmd.media.jpeg import decode_jpeg, encode_jpeg
    from mhmd.media.opencv import cv2
    from mhmd.parsing.mask import encode_mask

    picture = decode_jpeg(sample.jpeg)
    mask = cv2.imdecode(np.frombuffer(sample.mask_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask is not None, f"the mask of {sample.info.key} is no PNG"
    height = len(picture)
    top, bottom = (0, band[0]) if band[0] > height - band[1] else (band[1], height)
    scale = sample.info.crop_h / height
    info = replace(
        sample.info,
        height=bottom - top,
        crop_y=sample.info.crop_y + round(top * scale),
        crop_h=round(bottom * scale) - round(top * scale),
    )
    return Sample(encode_jpeg(picture[top:bottom]), encode_mask(mask[top:bottom].astype(np.uint8)), info)


def members(sample: Sample) -> list[tuple[str, bytes]]:
    """Member names and bytes of a sample, in the order of `MEMBERS`."""
    text = json.dumps(asdict(sample.info), ensure_ascii=False, separators=(",", ":"))
    contents = {JPEG: sample.jpeg, MASK: sample.mask_png, INFO: text.encode()}
    return [(f"{sample.info.key}.{member}", contents[member]) for member in MEMBERS]


def from_members(key: str, contents: Mapping[str, Any]) -> Sample:  # Any: webdataset adds entries of its own
    """The sample of raw member bytes by extension, as `webdataset.WebDataset` gives them undecoded.

    Raises DatasetError when a member is missing or the JSON has not the fields of `SampleInfo`.
    """
    missing = [member for member in MEMBERS if member not in contents]
    if missing:
        raise DatasetError(
            f"sample {key} has no {', '.join(missing)}", wanted=f"members {', '.join(MEMBERS)}", do="run mhmd check"
        )
    return Sample(contents[JPEG], contents[MASK], info_from_json(key, contents[INFO]))


def info_from_json(key: str, text: bytes) -> SampleInfo:
    """What a sample's JSON says. Raises DatasetError when fields or types are not those of `SampleInfo`."""
    wanted = [f.name for f in fields(SampleInfo)]
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"the JSON of {key}: {error}", wanted="valid JSON", do="run mhmd check") from None
    if not isinstance(values, dict) or list(values) != wanted:
        found = ", ".join(values) if isinstance(values, dict) else type(values).__name__
        raise DatasetError(
            f"the JSON of {key} has {found}", wanted=f"fields {', '.join(wanted)}", do="make the dataset again"
        )
    types = {"string": str, "int32": int, "float64": float}
    for column in columns_of(SampleInfo):
        value = values[column.name]
        if type(value) is not types[column.arrow]:
            raise DatasetError(f"{column.name} of {key} is {value!r}", wanted=column.arrow, do="make the dataset again")
    return SampleInfo(**values)

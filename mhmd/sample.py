"""One sample ⇄ tar members, both directions: the only contract between data and training.

A sample is three members: `<key>.jpg`, `<key>.mask.png` (8-bit gray, a pixel's value is a class index) and
`<key>.json` (a `SampleInfo`, all fields, in order, nothing null).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from mhmd.errors import DatasetError, PictureError
from mhmd.records import SampleInfo, columns_of

JPEG, MASK, INFO = "jpg", "mask.png", "json"
MEMBERS = (JPEG, MASK, INFO)
FIELDS = tuple(each.name for each in fields(SampleInfo))


@dataclass(frozen=True, slots=True)
class Sample:
    """What training sees of one frame: its bytes and what is known of it."""

    jpeg: bytes
    mask_png: bytes
    info: SampleInfo


def reshaped(sample: Sample, rows: tuple[int, int]) -> Sample:
    """The sample with only the rows [top, bottom) of its picture and mask, in the size that its info says.

    The JPEG is encoded again, at quality 95 and 4:4:4. The picture is averaged over areas; a pixel of the mask is the
    nearest one. Raises PictureError when the picture, DatasetError when the mask cannot be decoded.
    """
    from mhmd.media.jpeg import decode_jpeg, encode_jpeg
    from mhmd.media.opencv import cv2
    from mhmd.parsing.mask import decode_mask, encode_mask

    size = (sample.info.width, sample.info.height)
    part = slice(*rows)
    try:
        whole = decode_jpeg(sample.jpeg)
    except PictureError as error:
        raise PictureError(
            f"the picture of {sample.info.key}: {error.found}", wanted=error.wanted, do=error.do
        ) from None
    picture = cv2.resize(whole[part], size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(decode_mask(sample.mask_png, sample.info.key)[part], size, interpolation=cv2.INTER_NEAREST_EXACT)
    jpeg, mask_png = encode_jpeg(picture.astype("uint8", copy=False)), encode_mask(mask.astype("uint8", copy=False))
    return Sample(jpeg, mask_png, sample.info)


def members(sample: Sample) -> list[tuple[str, bytes]]:
    """Member names and bytes of a sample, in the order of `MEMBERS`."""
    values = dict(zip(FIELDS, attrgetter(*FIELDS)(sample.info), strict=True))
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
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
    wanted = list(FIELDS)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:  # nested too deep
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

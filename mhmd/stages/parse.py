"""parse: Make a human-parsing mask of every stored frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from mhmd.config import Config
from mhmd.errors import FrameDamaged, PictureError
from mhmd.inputs import Inputs
from mhmd.parsing.mask import encode_mask, shares
from mhmd.parsing.parser import PARSERS, Parser, Parsing, load_parser
from mhmd.records import Frame, Mask
from mhmd.sink import Sink
from mhmd.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 8
"""Frames parsed at once; it changes the speed, not the masks."""


class ParseConfig(Config):
    """Who parses."""

    parser: str = Field("selfie-multiclass", description=f"the parser: {', '.join(PARSERS)}")

    @field_validator("parser")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in PARSERS:
            raise ValueError(f"one of {', '.join(PARSERS)}")
        return name


def mask_row(film_id: str, frame_id: str, ref: str, parser: Parser, parsing: Parsing) -> Mask:
    """What is stored of a frame's parsing beside its mask."""
    share_of = dict(zip(parser.classes, shares(parsing.mask, len(parser.classes)).tolist(), strict=True))
    return Mask(
        film_id=film_id,
        frame_id=frame_id,
        ref=ref,
        parser=parser.name,
        classes=parser.classes,
        person_share=sum(share for name, share in share_of.items() if name in parser.person),
        clothes_share=sum(share for name, share in share_of.items() if name in parser.clothes),
        confidence=parsing.confidence,
    )


def _decoded(frame_id: str, jpeg: bytes) -> NDArray[np.uint8]:
    from mhmd.media.jpeg import decode_jpeg

    try:
        return decode_jpeg(jpeg)
    except PictureError as error:
        raise FrameDamaged(f"frame {frame_id}: {error.found}", wanted=error.wanted, do=error.do) from None


def run(inputs: Inputs, config: ParseConfig, sink: Sink) -> None:
    """Parse the frames of one film. Raises FrameDamaged when the bytes of one are no picture."""
    frames = inputs.rows(Frame, columns=["frame_id", "ref"]).to_pylist()
    parser = load_parser(config.parser, inputs.device)
    for first in range(0, len(frames), BATCH):
        batch = frames[first : first + BATCH]
        parsings = parser.parse([_decoded(frame["frame_id"], inputs.bytes(frame["ref"])) for frame in batch])
        rows = []
        for frame, parsing in zip(batch, parsings, strict=True):
            ref = sink.put(f"{frame['frame_id']}.png", encode_mask(parsing.mask))
            rows.append(mask_row(inputs.unit, frame["frame_id"], ref, parser, parsing))
        sink.rows(Mask, rows)
        sink.progress(first + len(batch), len(frames))


STAGE = Stage(
    name="parse",
    version=1,
    config=ParseConfig,
    scope="film",
    reads=(Frame,),
    writes=(Mask,),
    run=run,
    bytes_to="masks",
)

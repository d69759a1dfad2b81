"""parse: Make a human-parsing mask of every stored frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from mhmd.config import Config
from mhmd.errors import FrameDamaged
from mhmd.inputs import Inputs
from mhmd.parsing.mask import encode_mask, persons, shares
from mhmd.parsing.ontology import COMMON, kinds
from mhmd.parsing.parser import PARSERS, Parser, Precision, licence_notice, load_parser
from mhmd.records import Frame, Mask
from mhmd.sink import Sink
from mhmd.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mhmd.parsing.engine import Parsing
    from mhmd.parsing.pipeline import Parsed

GPU_BATCH = 256
"""Frames that a GPU parses at once; it changes the speed, not the masks."""
COUNTED_PX = 320
"""Long side of the mask in which persons are counted, or up to twice as much."""
NAMES = ", ".join(PARSERS)


class ParseConfig(Config):
    """Who parses, and how closely."""

    parser: str = Field("selfie-multiclass", description=f"The parser: {NAMES}")
    weights: str = Field("", description="Its weights: a file, a folder or a hub name; empty = its own")
    second_look: Literal["off", "auto", "on"] = Field(
        "auto",
        description="Whether parts around persons are parsed again at full resolution: those of small figures (auto), "
        "or all that are smaller than the picture (on)",
    )
    second: str = Field("", description="A second parser, to tell where the two disagree; empty = none")
    second_weights: str = Field("", description="The second parser's weights")
    precision: Precision = Field("float32", description="Of the network; bfloat16 is faster on a GPU, and other masks")

    @field_validator("parser", "second")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in PARSERS and name:
            raise ValueError(f"one of {NAMES}")
        return name

    @field_validator("parser")
    @classmethod
    def _is_named(cls, name: str) -> str:
        if not name:
            raise ValueError(f"one of {NAMES}")
        return name

    def content(self) -> str:
        """The knobs as JSON, files and folders of weights replaced by the hash of what is in them."""
        from mhmd.parsing.weights import content_of

        named = {"weights": content_of(self.weights), "second_weights": content_of(self.second_weights)}
        return self.model_copy(update=named).model_dump_json()


def notice(config: ParseConfig) -> str:
    """What must be said of licences before anything runs."""
    pairs = ((config.parser, config.weights), (config.second, config.second_weights))
    return "; ".join(filter(None, (licence_notice(name, weights) for name, weights in pairs)))


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one frame: its row but for where the mask lies, and the mask's PNG; or the error."""

    row: Mask | None = None
    png: bytes = b""
    error: FrameDamaged | None = None


def mask_row(film_id: str, frame_id: str, parser: Parser, parsing: Parsing) -> Mask:
    """What is stored of a frame's parsing beside its mask; where the mask lies is not known yet."""
    import numpy as np

    own = shares(parsing.mask, len(parser.classes))
    common = [float(own[[name == of for of in parser.common]].sum()) for name in COMMON]
    person, clothes, face = (
        np.array([name in some for name in names], np.uint8)
        for names, some in (
            (parser.classes, parser.person),
            (parser.classes, parser.clothes),
            (parser.common, ("face",)),
        )
    )
    step = max(1, max(parsing.mask.shape) // COUNTED_PX)
    coarse = np.ascontiguousarray(parsing.mask[::step, ::step])
    return Mask(
        film_id=film_id,
        frame_id=frame_id,
        ref="",
        parser=parser.name,
        classes=parser.classes,
        person_share=float(person @ own),
        clothes_share=float(clothes @ own),
        confidence=parsing.confidence,
        class_shares=tuple(own.tolist()),
        common_shares=tuple(common),
        persons=persons(_looked_up(person, coarse), _looked_up(face, coarse)),
        looks=parsing.looks,
        disagreement=None,
    )


def disagreement(parsers: Sequence[Parser], masks: Sequence[NDArray[np.uint8]]) -> float:
    """Share of the pixels to which two parsers give another kind of class, see `ontology.kinds`."""
    import numpy as np

    kind = kinds(parsers[0].common, parsers[1].common)
    one, other = (
        _looked_up(np.array([kind[common] for common in parser.common], np.uint8), mask)
        for parser, mask in zip(parsers, masks, strict=True)
    )
    return float((one != other).mean())


def _looked_up(values: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The value of each pixel's class."""
    import numpy as np

    from mhmd.media.opencv import cv2

    return cv2.LUT(mask, np.pad(values, (0, 256 - len(values)))).astype(np.uint8, copy=False)


@lru_cache(maxsize=2)
def _loaded(name: str, device: str, weights: str, precision: Precision) -> Parser:
    """A parser, kept for the units to come."""
    return load_parser(name, device, weights, precision)


def run(inputs: Inputs, config: ParseConfig, sink: Sink) -> None:
    """Parse the frames of one film. A frame whose bytes are no picture is a flaw of the film; the others are parsed."""
    from mhmd.parsing.engine import Engine
    from mhmd.parsing.pipeline import pipeline

    frames = inputs.rows(Frame, columns=["frame_id", "ref"]).to_pylist()
    named = [(config.parser, config.weights), (config.second, config.second_weights)][: 2 if config.second else 1]
    parsers = [_loaded(name, inputs.device, weights, config.precision) for name, weights in named]
    engines = [Engine(parser, second_look=config.second_look, batch=GPU_BATCH, say=sink.note) for parser in parsers]

    def finish(parsed: Parsed[dict[str, str]]) -> Made:
        if parsed.error is not None:
            error = parsed.error
            return Made(
                error=FrameDamaged(f"frame {parsed.frame['frame_id']}: {error.found}", wanted=error.wanted, do=error.do)
            )
        row = mask_row(inputs.unit, parsed.frame["frame_id"], parsers[0], parsed.parsings[0])
        if config.second:
            row = replace(row, disagreement=disagreement(parsers, [parsing.mask for parsing in parsed.parsings]))
        return Made(row, encode_mask(parsed.parsings[0].mask))

    rows: list[Mask] = []
    made = pipeline(engines, frames, lambda frame: inputs.bytes(frame["ref"]), finish)
    for done, (frame, each) in enumerate(zip(frames, made, strict=True), start=1):
        if each.error is not None:
            sink.flaw(frame["frame_id"], each.error)
        elif each.row is not None:
            rows.append(replace(each.row, ref=sink.put(f"{frame['frame_id']}.png", each.png)))
        sink.progress(done, len(frames))
    sink.rows(Mask, rows)


STAGE = Stage(
    name="parse",
    version=2,
    config=ParseConfig,
    scope="film",
    reads=(Frame,),
    writes=(Mask,),
    run=run,
    bytes_to="masks",
    gpus=1,
    notice=notice,
)

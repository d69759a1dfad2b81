"""parse: Make a human-parsing mask of every stored frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator

from mhmd.config import Config
from mhmd.errors import FrameDamaged
from mhmd.inputs import Inputs
from mhmd.parsing.mask import encode_mask, looked_up
from mhmd.parsing.ontology import kinds
from mhmd.parsing.parser import LICENCES, PARSERS, Parser, Precision, licence_notice, load_parser
from mhmd.parsing.row import mask_row
from mhmd.records import Frame, Mask
from mhmd.sink import Sink
from mhmd.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mhmd.parsing.pipeline import Parsed

GPU_BATCH = 256
"""Frames that a GPU parses at once; it changes the speed, not the masks."""
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

    @field_validator("second_weights")
    @classmethod
    def _is_of_a_second(cls, weights: str, others: ValidationInfo) -> str:
        if weights and not others.data.get("second"):
            raise ValueError("nothing without a second parser: name it as `second`")
        return weights

    def content(self) -> str:
        """The knobs as JSON, files and folders of weights replaced by the hash of what is in them."""
        from mhmd.parsing.weights import content_of

        named = {"weights": content_of(self.weights), "second_weights": content_of(self.second_weights)}
        return self.model_copy(update=named).model_dump_json()


def notice(config: ParseConfig) -> str:
    """What must be said of licences before anything runs."""
    pairs = ((config.parser, config.weights), (config.second, config.second_weights))
    return "; ".join(filter(None, (licence_notice(name, weights) for name, weights in pairs)))


def ready(config: ParseConfig) -> None:
    """Load the parsers whose weights do not come with mhmd. Raises WeightsError, DependencyError."""
    for name, weights in ((config.parser, config.weights), (config.second, config.second_weights)):
        if name and (weights or name in LICENCES):
            load_parser(name, "cpu", weights)


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one frame: its row but for where the mask lies, and the mask's PNG; or the error."""

    row: Mask | None = None
    png: bytes = b""
    error: FrameDamaged | None = None


def disagreement(parsers: Sequence[Parser], masks: Sequence[NDArray[np.uint8]]) -> float:
    """Share of the pixels to which two parsers give another kind of class, see `ontology.kinds`."""
    import numpy as np

    kind = kinds(parsers[0].common, parsers[1].common)
    one, other = (
        looked_up(np.array([kind[common] for common in parser.common], np.uint8), mask)
        for parser, mask in zip(parsers, masks, strict=True)
    )
    return float((one != other).mean())


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
        first = parsed.parsings[0]
        row = mask_row(inputs.unit, parsed.frame["frame_id"], parsers[0], first.mask, first.confidence, first.looks)
        if config.second:
            row = replace(row, disagreement=disagreement(parsers, [parsing.mask for parsing in parsed.parsings]))
        return Made(row, encode_mask(first.mask))

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
    version=4,
    config=ParseConfig,
    scope="film",
    reads=(Frame,),
    writes=(Mask,),
    run=run,
    bytes_to="masks",
    ready=ready,
    gpus=1,
    notice=notice,
)

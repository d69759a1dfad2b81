"""screen: Decide from its measures alone whether a frame is worth keeping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mhmd.config import Config
from mhmd.records import Film, Frame, Screening
from mhmd.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mhmd.inputs import Inputs
    from mhmd.sink import Sink

    Measures = Mapping[str, NDArray[np.float64]]
    Rule = Callable[["Measures", "ScreenConfig"], NDArray[np.bool_]]


class ScreenConfig(Config):
    """Knobs of `screen`."""

    min_luma: float = Field(16.0, ge=0, le=255, description="Darker than this on average is black (mean luma, 0-255)")
    min_contrast: float = Field(
        8.0, ge=0, le=128, description="Less contrast is black or flat (standard deviation of luma)"
    )
    max_blend: float = Field(
        0.35, ge=0, le=1, description="More is a transition (how much of the frame is mixed from others); 1 = off"
    )
    max_text: float = Field(
        0.8, ge=0, le=1, description="More is text (share of the picture that is text on a plain ground); 1 = off"
    )
    min_chroma: float = Field(
        4.0, ge=0, le=128, description="Less is gray (CIELAB chroma that a twentieth of the picture exceeds); 0 = off"
    )
    min_off_tint: float = Field(
        1.3, ge=0, le=128, description="Less is tinted (distance in ab from one tint that a tenth exceeds); 0 = off"
    )
    min_sharpness: float = Field(
        10.0, ge=0, description="Less is blurred (variance of the Laplacian at 256 px); 0 = off"
    )
    monochrome_share: float = Field(
        0.98,
        ge=0.5,
        le=1,
        description="A film of which so much is gray or tinted is monochrome (share of its pictures)",
    )
    repeat_radius: int = Field(
        2, ge=-1, le=64, description="As near as this to the last passing frame is a repeat (bits of 64); -1 = off"
    )


def _black(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return (measures["luma_mean"] < config.min_luma) | (measures["luma_std"] < config.min_contrast)


def _transition(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return measures["blend"] > config.max_blend


def _text(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return measures["text"] > config.max_text


def _gray(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return measures["chroma_p95"] < config.min_chroma


def _tinted(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return measures["off_tint"] < config.min_off_tint


def _blurred(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return measures["sharpness"] < config.min_sharpness


RULES: tuple[tuple[str, Rule], ...] = (
    ("text", _text),  # before black, as most cards are dark
    ("black", _black),
    ("transition", _transition),
    ("gray", _gray),
    ("tinted", _tinted),
    ("blurred", _blurred),
)
"""Reasons to reject that lie in the frame itself, in the order in which the first that holds is recorded."""

MONOCHROME, REPEAT = "monochrome", "repeat"
"""Reasons that lie in the film: gray, because all of it is; and like the frame before."""

NOISY = 2.0
"""Where no keyframe of a film shows a colour, so many times as much chroma is still gray: tapes have such noise."""

NO_PICTURE = ("black", "transition", "text")
"""Frames rejected for these do not tell whether their film is in colour."""

MEASURES = ("luma_mean", "luma_std", "blend", "text", "chroma_p95", "off_tint", "sharpness")


def rejections(
    measures: Measures, hashes: Sequence[int | None], config: ScreenConfig, *, monochrome: bool = False
) -> NDArray[np.object_]:
    """For each frame of a film, in order of time, the name of the rule that rejects it, or None.

    `measures` and `hashes`, the frames' phashes, have one entry a frame. `monochrome`: no keyframe that was looked at
    shows a colour.
    """
    import numpy as np

    if monochrome:
        config = config.model_copy(update={"min_chroma": NOISY * config.min_chroma})
    rejected_by: NDArray[Any] = np.full(len(hashes), None, dtype=object)  # Any: names and None
    for name, rule in reversed(RULES):
        rejected_by[rule(measures, config)] = name
    pictures = ~np.isin(rejected_by, NO_PICTURE)
    colourless = np.isin(rejected_by, ("gray", "tinted"))
    if colourless.any() and colourless.sum() >= config.monochrome_share * pictures.sum():
        rejected_by[colourless] = MONOCHROME
    rejected_by[repeats(hashes, rejected_by == None, config.repeat_radius)] = REPEAT  # noqa: E711  # of each entry
    return rejected_by


def repeats(hashes: Sequence[int | None], passing: NDArray[np.bool_], radius: int) -> list[int]:
    """Positions of the passing frames whose hash is at most `radius` from that of the last one that passes and stays.

    A frame without a hash repeats none, and none repeats it.
    """
    import numpy as np

    found = []
    last: int | None = None
    for position in np.flatnonzero(passing).tolist():
        value = hashes[position]
        if last is not None and value is not None and (last ^ value).bit_count() <= radius:
            found.append(position)
        else:
            last = value
    return found


def run(inputs: Inputs, config: ScreenConfig, sink: Sink) -> None:
    """Screen the frames of one film."""
    import pyarrow as pa

    (monochrome,) = inputs.rows(Film, columns=("monochrome",))["monochrome"].to_pylist()
    frames = inputs.rows(Frame, columns=("film_id", "frame_id", "phash", *MEASURES))
    measures = {name: frames[name].to_numpy() for name in MEASURES}
    rejected = rejections(measures, frames["phash"].to_pylist(), config, monochrome=monochrome)
    rejected_by = pa.array(rejected, pa.string())
    sink.rows(Screening, frames.select(["film_id", "frame_id"]).append_column("rejected_by", rejected_by))


STAGE = Stage(
    name="screen", version=4, config=ScreenConfig, scope="film", reads=(Frame, Film), writes=(Screening,), run=run
)

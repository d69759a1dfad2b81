"""screen: Decide from its measures alone whether a frame is worth keeping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mhmd.config import Config
from mhmd.records import Frame, Screening
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
    min_sharpness: float = Field(
        20.0, ge=0, description="Less is blurred (variance of the Laplacian at 256 px); 0 = off"
    )
    min_chroma: float = Field(3.0, ge=0, le=128, description="Less is gray (mean CIELAB chroma); 0 = off")


def _black(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return (measures["luma_mean"] < config.min_luma) | (measures["luma_std"] < config.min_contrast)


def _blurred(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return measures["sharpness"] < config.min_sharpness


def _gray(measures: Measures, config: ScreenConfig) -> NDArray[np.bool_]:
    return measures["chroma_mean"] < config.min_chroma


RULES: tuple[tuple[str, Rule], ...] = (("black", _black), ("gray", _gray), ("blurred", _blurred))
"""Reasons to reject, in the order in which the first that holds is recorded."""

MEASURES = ("luma_mean", "luma_std", "sharpness", "chroma_mean")


def rejections(measures: Measures, config: ScreenConfig) -> NDArray[np.object_]:
    """For each frame the name of the first rule that rejects it, or None. All arrays have one entry a frame."""
    import numpy as np

    rejected_by: NDArray[Any] = np.full(len(measures[MEASURES[0]]), None, dtype=object)  # Any: names and None
    for name, rule in reversed(RULES):
        rejected_by[rule(measures, config)] = name
    return rejected_by


def run(inputs: Inputs, config: ScreenConfig, sink: Sink) -> None:
    """Screen the frames of one film."""
    import pyarrow as pa

    frames = inputs.rows(Frame, columns=("film_id", "frame_id", *MEASURES))
    measures = {name: frames[name].to_numpy() for name in MEASURES}
    rejected_by = pa.array(rejections(measures, config), pa.string())
    sink.rows(Screening, frames.select(["film_id", "frame_id"]).append_column("rejected_by", rejected_by))


STAGE = Stage(name="screen", version=1, config=ScreenConfig, scope="film", reads=(Frame,), writes=(Screening,), run=run)

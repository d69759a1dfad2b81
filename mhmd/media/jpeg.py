"""Pictures: to and from JPEG, and scaled down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhmd.errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


MAX_SIDE_PX = 65_500
"""Of a JPEG, as libjpeg writes them."""


def encode_jpeg(rgb: NDArray[np.uint8], quality: int = 95) -> bytes:
    """The JPEG of an RGB picture H×W×3. Chroma is kept at full size (4:4:4), because colour is what is learned."""
    from mhmd.media.opencv import cv2

    done, data = cv2.imencode(
        ".jpg",
        cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR),
        [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
    )
    assert done, f"OpenCV cannot encode a picture of shape {rgb.shape}"
    return data.tobytes()


def decode_jpeg(data: bytes, shrunk: int = 1) -> NDArray[np.uint8]:
    """The RGB picture H×W×3 of a JPEG, or at a half, a quarter or an eighth (2, 4, 8), which is faster.

    Raises PictureError when it is none.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    reduced = {
        1: 0,
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
        8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    }  # of these flags RGB leaves the scale alone
    try:
        flags = reduced[shrunk] | cv2.IMREAD_COLOR_RGB
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:  # a size beyond all bounds
        rgb = None
    if rgb is None:
        raise PictureError(f"{len(data)} bytes that are no JPEG", wanted="a JPEG", do="extract its film again")
    return rgb.astype(np.uint8, copy=False)


def decode_whole_jpeg(data: bytes) -> NDArray[np.uint8]:
    """The RGB picture H×W×3 of a JPEG that libjpeg has nothing to say about; the same as `decode_jpeg` gives.

    Raises PictureError where it is none, and where damage inside makes libjpeg guess: such a picture has stripes.
    """
    import simplejpeg  # type: ignore[import-untyped]  # its types lie beside it, unmarked

    try:
        rgb: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, strict=True)
    except ValueError as error:
        raise PictureError(
            f"{len(data)} bytes that are no whole JPEG: {error}", wanted="a JPEG", do="extract its film again"
        ) from None
    return rgb


def shrink(picture: NDArray[np.uint8], short_side_px: int, *, roughly: bool = False) -> NDArray[np.uint8]:
    """The picture (H×W×3 or H×W) with this short side, averaged over areas; as it is when that is no smaller.

    `roughly` interpolates instead, in a quarter of the time: down to a half that takes every pixel in, too, but leaves
    more of the grain.
    """
    from mhmd.media.opencv import cv2

    height, width = picture.shape[:2]
    scale = short_side_px / min(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_LINEAR if roughly else cv2.INTER_AREA
    return cv2.resize(picture, size, interpolation=how).astype("uint8", copy=False)

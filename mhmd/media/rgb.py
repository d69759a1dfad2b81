"""Frames as RGB, their matrix and range forced.

FFmpeg and OpenCV decode an untagged BT.709 film as BT.601, which shifts every colour. Nothing is left to them here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhmd.media.planes import planes_of

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter
    from numpy.typing import NDArray

    from mhmd.media.colour import Colour


class ToRgb:
    """Turns frames of one film into pictures. Holds FFmpeg's scalers between frames."""

    def __init__(self, colour: Colour) -> None:
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        exact = Interpolation.ACCURATE_RND | Interpolation.BITEXACT  # the same bytes on every processor
        self._how = int(Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | exact)
        self._same_size, self._smaller = int(Interpolation.BICUBIC), int(Interpolation.AREA)
        self._matrix = {
            "bt601": Colorspace.ITU601,
            "bt709": Colorspace.ITU709,
            "bt2020": Colorspace.BT2020,
            "smpte240m": Colorspace.SMPTE240M,
            "rgb": Colorspace.DEFAULT,
        }[colour.matrix]
        self._range = ColorRange.JPEG if colour.range == "full" else ColorRange.MPEG
        self._scalers: dict[tuple[str, int, int], VideoReformatter] = {}

    def picture(self, frame: VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The frame as RGB, H×W×3, 0 to 255, in its own size or scaled down by area to this width and height.

        Exact to the rounding: the error against the matrix in real numbers is that of 8 bits.
        """
        from mhmd.media.opencv import cv2

        width, height = size or (frame.width, frame.height)
        green, blue, red = self._planes(frame, "gbrp", width, height)  # planar is three times as fast as packed
        return cv2.merge((red, green, blue)).astype("uint8", copy=False)

    def luma(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The frame's luma in its own size, H×W, black at 0 and white at 255 whatever the film's range."""
        return self._planes(frame, "gray", frame.width, frame.height)[0]

    def _planes(self, frame: VideoFrame, form: str, width: int, height: int) -> list[NDArray[np.uint8]]:
        from av.video.reformatter import ColorRange, VideoReformatter

        if self._range == ColorRange.MPEG and frame.format.name.startswith("yuvj"):
            frame = _without_range(frame)
        scaler = self._scalers.setdefault((form, width, height), VideoReformatter())
        smaller = width < frame.width or height < frame.height
        done = scaler.reformat(
            frame,
            width=width,
            height=height,
            format=form,
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=self._range,
            dst_color_range=ColorRange.JPEG,
            interpolation=self._how | (self._smaller if smaller else self._same_size),
            threads=1,
        )
        return planes_of(done)


def _without_range(frame: VideoFrame) -> VideoFrame:
    """A copy whose format is not one of full range; FFmpeg keeps such a one where a stream goes over to limited."""
    from av import VideoFrame

    plain = VideoFrame(frame.width, frame.height, frame.format.name.replace("yuvj", "yuv"))
    for to, plane in zip(planes_of(plain), planes_of(frame), strict=True):
        to[:] = plane
    return plain

"""Dolby Vision whose picture is of a kind of its own, and no ordinary film without its metadata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import FilmUnreadable
from mhmd.media.colour import UNTAGGED

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext

ALONE = ("dvh1", "dvhe", "dav1", "dva1", "dvav")
"""Names of such a stream in MP4: a player that does not know Dolby Vision is not to play it."""

BESIDE = ("DOVI_RPU_BUFFER", "DOVI_METADATA")
"""What FFmpeg's decoders put beside a frame with such metadata."""


def refuse_ipt(first: VideoFrame, context: VideoCodecContext, path: Path) -> None:
    """Raises FilmUnreadable for a film in IPT (profile 5 and its like), of which this is the first frame.

    They are those of Dolby Vision that do not say in what light they are coded; the others are HDR10, HLG or BT.709
    for everyone else, and say so.
    """
    if int(first.color_trc) in UNTAGGED and (context.codec_tag in ALONE or _has_metadata(first)):
        raise FilmUnreadable(
            f"{path} is Dolby Vision that does not say how it is coded, as where colours are IPT (profile 5)",
            wanted="a film that others than Dolby's players show: SDR, HDR10 or HLG",
            do="convert it with an FFmpeg that has libplacebo; or, if it looks right elsewhere, give its color_matrix",
        )


def _has_metadata(frame: VideoFrame) -> bool:
    try:
        return any(name in frame.side_data for name in BESIDE)
    except ValueError:  # PyAV does not know all kinds of what frames may have beside them
        return False

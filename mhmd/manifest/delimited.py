"""CSV as spreadsheets write it, into Arrow columns of text.

Separator and encoding are found out: comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252. What could be read in two
ways is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import ManifestError
from mhmd.manifest.headings import known_names

if TYPE_CHECKING:
    import pyarrow as pa

SEPARATORS = (",", ";", "\t")
_NAMES = {";": "semicolons", "\t": "tabs"}
"""What is told when it was guessed."""

HEADER_ROW = 1
"""Rows are numbered as a spreadsheet shows them: the header is row 1, the first row of values row 2."""

_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_HINT = re.compile(r'"?sep=([,;\t])"?[,;\t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
"""A first line that tells Excel the separator; it shows the header as row 1 then."""

_FOREIGN = re.compile("[\x80-\uffff]{3}")
"""Western words have no three such letters in a row; Cyrillic or Chinese that is taken for Windows-1252 has."""


@dataclass(frozen=True, slots=True)
class Delimited:
    """The cells of a CSV file: columns of text, empty cells null; the number of each row; the separator.

    `note` tells what was guessed, empty for commas in UTF-8 and where the file says so itself.
    """

    table: pa.Table
    rows: Sequence[int]
    separator: str
    note: str


def read_delimited(path: Path, known: Collection[str]) -> Delimited:
    """The cells of a CSV file with a header; `known` are the names of columns by which the separator is found.

    Rows without any value are left out, cells that a row lacks at its end are empty. Raises ManifestError for what is
    no CSV, FileNotFoundError.
    """
    import pyarrow as pa

    text, encoding = _decoded(path)
    hint = _HINT.match(text)
    text = text[hint.end() :] if hint else text
    separator = hint.group(1) if hint else _separator(text, known)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise _refused(path, f"its quotes do not fit: {error}") from None
    if not lines:
        raise _refused(path, "it is empty")
    if not _says(lines[0]):
        raise _refused(path, "its first line is empty, and no header")
    header = lines[0]
    numbered = [(number, line) for number, line in enumerate(lines[1:], HEADER_ROW + 1) if _says(line)]
    width = len(header)
    uneven = [f"row {number} has {len(line)} cells" for number, line in numbered if _says(line[width:])]
    if uneven:
        raise _refused(path, f"the header has {width} cells, but {', '.join(uneven[:50])}")
    even = [[*line[:width], *[""] * (width - len(line))] for _, line in numbered]
    columns = [*zip(*even, strict=True)] if even else [()] * width
    nameless = [place for place, name in enumerate(header) if not name.strip()]
    counting = [str(number) for number in range(len(even))]  # what pandas writes before the first column
    told = [place for place in nameless if _says(columns[place]) and [*columns[place]] != counting]
    full = [f"column {place + 1} has values, but no name" for place in told]
    if full:
        raise _refused(path, ", ".join(full))
    named = {place: name for place, name in enumerate(header) if name.strip()}
    arrays = [pa.array([cell or None for cell in columns[place]], pa.string()) for place in named]
    table = pa.Table.from_arrays(arrays, names=[*named.values()])
    note = _note(path, encoding, "" if hint else separator)
    return Delimited(table, [number for number, _ in numbered], separator, note)


def _note(path: Path, encoding: str, separator: str) -> str:
    """What was guessed, in a line; empty where nothing was."""
    read = f"read with {_NAMES[separator]} between cells" if separator in _NAMES else ""
    taken = f"not UTF-8, taken for {encoding}: look whether its letters are right" if encoding else ""
    return f"{path}: {'; '.join(filter(None, [read, taken]))}" if read or taken else ""


def _says(cells: Iterable[str]) -> bool:
    """Whether any cell has more than blanks."""
    return any(cell.strip() for cell in cells)


def encode_delimited(table: pa.Table) -> bytes:
    """A table as CSV with commas in UTF-8; with a byte-order mark where spreadsheets need one to read its letters."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    cells = [["" if cell is None else cell for cell in column.to_pylist()] for column in table.columns]
    writer.writerows(zip(*cells, strict=True))
    text = out.getvalue()
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def _decoded(path: Path) -> tuple[str, str]:
    """The text of a file, and its encoding where that had to be guessed."""
    data = path.read_bytes()
    coding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), "")
    guessed = ""
    if not coding and b"\0" in data[:2]:
        coding, guessed = ("utf-16-be" if data.startswith(b"\0") else "utf-16-le"), "UTF-16"
    try:
        text = data.decode(coding or "utf-8")
    except UnicodeDecodeError as error:
        if coding:
            raise _refused(path, f"it is no {coding}: {error.reason}") from None
        text, guessed = _western(path, data), "Windows-1252"
    if "\0" in text:
        raise _refused(path, "it has zero bytes where text belongs; its encoding cannot be told")
    return text, guessed


def _western(path: Path, data: bytes) -> str:
    """Text in Windows-1252. Raises ManifestError when it does not look like it."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if not text or (foreign := _FOREIGN.search(text)):
        row = text[: foreign.start()].count("\n") + 1 if text and foreign else 1
        raise _refused(path, f"line {row} is neither UTF-8 nor Windows-1252; its encoding cannot be told")
    return text


def _separator(text: str, known: Collection[str]) -> str:
    """The separator under which the header has most of the known columns; a comma where none has any."""
    header = re.split("[\r\n]", text, maxsplit=1)[0]
    own = set(known)
    return max(
        SEPARATORS, key=lambda each: len(own & {*known_names(next(csv.reader([header], delimiter=each), []), own)})
    )


def _refused(path: Path, why: str) -> ManifestError:
    return ManifestError(
        f"{path}: {why}",
        wanted="CSV with a header, commas, semicolons or tabs, best in UTF-8",
        do="save it again as CSV UTF-8",
    )

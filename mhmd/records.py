"""The nouns: every table of a workspace and of a dataset, its columns, their types and units.

A table is a frozen dataclass; each field is a column. Types are Arrow's names, so that this module stays light;
`mhmd.storage` turns rows into Arrow tables and back.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar


def column(
    arrow: str, doc: str, *, null: bool = False, default: Any = MISSING
) -> Any:  # Any: a field of the type annotated beside it, and its value
    """A column of Arrow type `arrow`; `doc` gives its unit and range; `null` says that it may be empty."""
    return field(default=default, metadata={"arrow": arrow, "doc": doc, "null": null})


@dataclass(frozen=True, slots=True)
class Column:
    """What a record says of one of its columns."""

    field: str
    name: str
    arrow: str
    doc: str
    null: bool


class Record:
    """A row of the table named `TABLE`, which the stage named `STAGE` makes (empty: people or the machinery do).

    `CORPUS` says that one unit makes it for all films at once.
    """

    __slots__ = ()
    TABLE: ClassVar[str]
    STAGE: ClassVar[str] = ""
    CORPUS: ClassVar[bool] = False


def columns_of(record: type[Record]) -> tuple[Column, ...]:
    """The columns of a record, in order. A field named after a keyword ends in an underscore, its column does not."""
    return tuple(
        Column(f.name, f.name.rstrip("_"), f.metadata["arrow"], f.metadata["doc"], f.metadata["null"])
        for f in fields(record)  # type: ignore[arg-type]  # every Record is a dataclass
    )


@dataclass(frozen=True, slots=True)
class Film(Record):
    """One film as probing and decoding found it."""

    TABLE: ClassVar[str] = "films"
    STAGE: ClassVar[str] = "extract"
    film_id: str = column("string", "unique in the corpus, `[a-z0-9_-]+`")
    sha256: str = column("string", "content hash of the file")
    duration_s: float = column("float64", "seconds from the first to the end of the last decoded frame")
    frames: int = column("int64", "frames decoded")
    codec: str = column("string", "FFmpeg's name of the video codec")
    width: int = column("int32", "decoded width, px")
    height: int = column("int32", "decoded height, px")
    rate_num: int = column("int32", "mean frame rate, numerator; 0 when the container does not tell")
    rate_den: int = column("int32", "mean frame rate, denominator")
    pixel_format: str = column("string", "FFmpeg's name of the pixel format")
    color_matrix: str = column("string", "YUV matrix used: bt601, bt709, bt2020 or smpte240m; rgb when there is none")
    color_range: str = column("string", "limited or full")
    color_primaries: str = column("string", "tag of the stream, or unspecified")
    color_transfer: str = column("string", "tag of the stream, or unspecified")
    matrix_source: str = column("string", "tagged, guessed or manifest")
    bar_left: int = column("int32", "black bar at the left, px")
    bar_top: int = column("int32", "black bar at the top, px")
    bar_right: int = column("int32", "black bar at the right, px")
    bar_bottom: int = column("int32", "black bar at the bottom, px")
    pixel_aspect_num: int = column("int32", "width of a pixel by its height, numerator; 1 when the film does not tell")
    pixel_aspect_den: int = column("int32", "width of a pixel by its height, denominator")
    rotation_deg: int = column("int32", "turn clockwise that shows decoded frames upright: 0, 90, 180 or 270")
    mirrored: bool = column("bool", "whether left and right of decoded frames are exchanged before that turn")
    monochrome: bool = column("bool", "whether no keyframe looked at has colour in a twentieth of it; toned films have")
    interlaced: bool = column("bool", "whether frames as coded are woven of two fields; telecined films count, too")
    telecined: bool = column("bool", "whether they are film of 24 frames a second, stretched to 30 by repeated fields")
    decoder: str = column("string", "what decoded it: pyav or ffmpeg")
    filters: str = column("string", "FFmpeg's filters between decoding and measuring; empty when none")
    decode_errors: int = column("int32", "packets that could not be decoded")


@dataclass(frozen=True, slots=True)
class Shot(Record):
    """The frames between two transitions, half-open `[start, end)`."""

    TABLE: ClassVar[str] = "shots"
    STAGE: ClassVar[str] = "extract"
    film_id: str = column("string", "the film")
    shot: int = column("int32", "number of the shot in its film, from 0")
    start_frame: int = column("int64", "first frame of the shot, counted in decoded frames")
    end_frame: int = column("int64", "first frame after the shot")
    start_s: float = column("float64", "time of start_frame from the film's first frame, s")
    end_s: float = column("float64", "time of end_frame from the film's first frame, s")
    transition: str = column("string", "what the shot begins with: start, cut, dissolve or fade")
    score: float = column("float64", "the detector's score of that transition; 0 at the start")


@dataclass(frozen=True, slots=True)
class Frame(Record):
    """One sampled frame: where it is in the film, how it was cut out, and every measure of it."""

    TABLE: ClassVar[str] = "frames"
    STAGE: ClassVar[str] = "extract"
    film_id: str = column("string", "the film")
    frame_id: str = column("string", "`<film_id>_<pts, 10 digits at least>`: unique in the corpus, the sample's key")
    shot: int = column("int32", "the shot it lies in")
    frame_index: int = column("int64", "its number among the decoded frames, from 0")
    pts: int = column("int64", "presentation time stamp in units of the time base")
    time_base_num: int = column("int32", "time base, numerator")
    time_base_den: int = column("int32", "time base, denominator")
    time_s: float = column("float64", "time from the film's first frame, s; for reading, pts is exact")
    width: int = column("int32", "width of the stored picture, px")
    height: int = column("int32", "height of the stored picture, px")
    crop_x: int = column("int32", "left edge of what was kept of the decoded frame, px")
    crop_y: int = column("int32", "top edge of it, px")
    crop_w: int = column("int32", "width of it, px")
    crop_h: int = column("int32", "height of it, px")
    color_matrix: str = column("string", "YUV matrix used: bt601, bt709, bt2020 or smpte240m; rgb when there is none")
    color_range: str = column("string", "limited or full")
    matrix_source: str = column("string", "tagged, guessed or manifest")
    phash: int | None = column("uint64", "imagehash.phash of the stored picture; null without structure", null=True)
    signature: bytes = column(
        "binary[96]", "means of CIELAB: L of 8×8 cells, a byte each in steps of 0.4; a, b of 4×4, signed, of 0.5"
    )
    blend: float = column("float64", "how much it is a mix of the frames around it, as in a dissolve, 0 to 1")
    sharpness: float = column("float64", "variance of the Laplacian of luma at 256 px short side, (levels of 255)²")
    luma_mean: float = column("float64", "mean luma, 0 to 255")
    luma_std: float = column("float64", "standard deviation of luma, 0 to 127.5")
    colorfulness: float = column("float64", "Hasler and Süsstrunk's M3 on signed opponent channels, from 0")
    chroma_mean: float = column("float64", "mean CIELAB chroma at a short side of 128 px, from 0")
    chroma_p95: float = column("float64", "95th percentile of CIELAB chroma at 64 px short side, from 0")
    off_tint: float = column(
        "float64", "distance in ab from the tint that would fit best, which a tenth of the picture exceeds, from 0"
    )
    text: float = column("float64", "how much it is text on a plain ground, 0 to 1")
    subtitle_band: tuple[int, int] | None = column(
        "list<int32>", "rows [top, bottom) of the stored picture that burnt-in subtitles take, px", null=True
    )
    ref: str = column("string", "where the JPEG lies: `frames/<hash>.tar:offset:size`")


@dataclass(frozen=True, slots=True)
class Screening(Record):
    """Whether a frame is worth keeping, from its measures alone."""

    TABLE: ClassVar[str] = "screenings"
    STAGE: ClassVar[str] = "screen"
    film_id: str = column("string", "the film")
    frame_id: str = column("string", "the frame")
    rejected_by: str | None = column("string", "the first rule that rejects it; null when it passes", null=True)


@dataclass(frozen=True, slots=True)
class Verdict(Record):
    """Whether a frame that passed screening is kept, or of which frame it is a duplicate."""

    TABLE: ClassVar[str] = "verdicts"
    STAGE: ClassVar[str] = "dedup"
    CORPUS: ClassVar[bool] = True
    film_id: str = column("string", "the film")
    frame_id: str = column("string", "the frame")
    kept: bool = column("bool", "true for the one that is kept of its like")
    duplicate_of: str | None = column("string", "frame_id of the kept frame it repeats", null=True)
    distance: int | None = column("int32", "Hamming distance of the two phashes, 0 to 64", null=True)
    rule: str | None = column(
        "string",
        "of a duplicate `phash+signature`, which agree; of a kept frame what alone tells it from a better one that is "
        "kept: `colour` or `light`; null when no such phash is near",
        null=True,
    )


@dataclass(frozen=True, slots=True)
class Overlap(Record):
    """How many frames two films share."""

    TABLE: ClassVar[str] = "overlaps"
    STAGE: ClassVar[str] = "dedup"
    CORPUS: ClassVar[bool] = True
    film_id: str = column("string", "the film; the first of the two by name")
    other_film_id: str = column("string", "the other film")
    frames: int = column("int64", "frames of both that are a kept frame and its duplicates, or duplicates of one frame")


@dataclass(frozen=True, slots=True)
class Label(Record):
    """Era, nationality and garment of a frame."""

    TABLE: ClassVar[str] = "labels"
    STAGE: ClassVar[str] = "label"
    film_id: str = column("string", "the film")
    frame_id: str = column("string", "the frame")
    label_id: int = column("int32", "index in the taxonomy, -1 = none")
    era: str | None = column("string", "name; null when not known", null=True)
    nationality: str | None = column("string", "name; null when not known", null=True)
    garment: str | None = column("string", "name; null when not known", null=True)
    source: str | None = column("string", "film, range or frame: the most precise row it came from", null=True)
    confidence: float | None = column("float64", "the annotator's, 0 to 1; null when not given", null=True)


@dataclass(frozen=True, slots=True)
class Mask(Record):
    """The human parsing of a frame: an 8-bit gray PNG whose values are class indices."""

    TABLE: ClassVar[str] = "masks"
    STAGE: ClassVar[str] = "parse"
    film_id: str = column("string", "the film")
    frame_id: str = column("string", "the frame")
    ref: str = column("string", "where the PNG lies: `masks/<hash>.tar:offset:size`")
    parser: str = column("string", "name of the parser")
    classes: tuple[str, ...] = column("list<string>", "the parser's class names; a pixel's value indexes them")
    person_share: float = column("float64", "share of pixels that are a person or worn by one, 0 to 1")
    clothes_share: float = column("float64", "share of pixels that are clothes, 0 to 1")
    confidence: float = column("float64", "mean over the picture of the highest class probability, 0 to 1")
    class_shares: tuple[float, ...] = column("list<float64>", "share of pixels of each of `classes`, 0 to 1")
    common_shares: tuple[float, ...] = column(
        "list<float64>", "the same of the classes common to all parsers, in the order of `mhmd.parsing.ontology.COMMON`"
    )
    persons: int = column("int32", "persons counted: connected figures, by their faces where several touch")
    looks: int = column("int32", "parts of the picture that were parsed again at full resolution")
    disagreement: float | None = column(
        "float64", "share of pixels that a second parser takes for another kind of thing; null without one", null=True
    )


@dataclass(frozen=True, slots=True)
class Failure(Record):
    """A unit of a stage that failed, or a frame of one that was made."""

    TABLE: ClassVar[str] = "errors"
    stage: str = column("string", "the stage")
    unit: str = column("string", "the film, or `corpus`")
    class_: str = column("string", "class of the error, see `mhmd.errors`")
    message: str = column("string", "what was found, what was wanted, what to do")
    attempt: int = column("int32", "how many times it has failed in a row")
    frame_id: str | None = column("string", "the frame that has nothing; null when the whole unit failed", null=True)


@dataclass(frozen=True, slots=True)
class FilmHash(Record):
    """A cache: the content hash of a film's file, valid while the file's size and times stay as they are."""

    TABLE: ClassVar[str] = "hashes"
    film_id: str = column("string", "the film")
    size_bytes: int = column("int64", "size of the file, bytes")
    mtime_ns: int = column("int64", "time of its last change of content, ns since 1970")
    ctime_ns: int = column("int64", "time of its last change of any kind, ns since 1970")
    inode: int = column("uint64", "number of the file in its file system")
    sha256: str = column("string", "content hash of the file")


@dataclass(frozen=True, slots=True)
class SampleInfo(Record):
    """What a sample's JSON says, and its row in `samples.parquet`. Constant schema, nothing null."""

    TABLE: ClassVar[str] = "samples"
    STAGE: ClassVar[str] = "shard"
    key: str = column("string", "the sample's `__key__`: its frame_id")
    film_id: str = column("string", "the film")
    title: str = column("string", "the movie or series; never in two splits")
    frame_id: str = column("string", "the frame")
    split: str = column("string", "train, val or test")
    label_id: int = column("int32", "index in the taxonomy, -1 = none")
    era_id: int = column("int32", "index of the era, -1 = not known")
    nationality_id: int = column("int32", "index of the nationality, -1 = not known")
    garment_id: int = column("int32", "index of the garment, -1 = not known")
    era: str = column("string", "name, empty = not known")
    nationality: str = column("string", "name, empty = not known")
    garment: str = column("string", "name, empty = not known")
    shot: int = column("int32", "number of the shot in its film")
    time_s: float = column("float64", "time from the film's first frame, s")
    width: int = column("int32", "width of the picture, px")
    height: int = column("int32", "height of the picture, px")
    crop_x: int = column("int32", "left edge of the picture in the decoded frame, px")
    crop_y: int = column("int32", "top edge of it, px")
    crop_w: int = column("int32", "width of it, px")
    crop_h: int = column("int32", "height of it, px")
    parser: str = column("string", "name of the parser that made the mask")
    person_share: float = column("float64", "share of pixels that are a person or worn by one, 0 to 1")
    clothes_share: float = column("float64", "share of pixels that are clothes, 0 to 1")


@dataclass(frozen=True, slots=True)
class SampleRow(SampleInfo):
    """A sample's row in `samples.parquet`: what its JSON says, and where it lies."""

    shard: str = column("string", "file name of the shard")
    offset: int = column("int64", "where the sample's first header begins in the shard, bytes")
    size_bytes: int = column("int64", "length of its members there, headers and padding counted")


STORED: tuple[type[Record], ...] = (Film, Shot, Frame, Screening, Verdict, Overlap, Label, Mask, Failure, FilmHash)
DATASET: tuple[type[Record], ...] = (SampleRow,)
"""Tables of a workspace, and of a dataset."""

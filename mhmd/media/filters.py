"""FFmpeg's filters that make a film's frames whole and show them in the light of an ordinary screen."""

from __future__ import annotations

from dataclasses import dataclass, field

from mhmd.media.interlace import Scanning
from mhmd.media.probe import Probe

WHITE_NITS = 203
"""Luminance of a white page in HDR, cd/m² (BT.2408): it becomes the white of an ordinary screen."""

PEAK = 1000 / WHITE_NITS
"""What is brighter than 1000 cd/m², the peak of HLG and of most mastering of PQ, is cut off."""

ZSCALE_MATRIX = {"bt601": "170m", "bt709": "709", "bt2020": "2020_ncl", "smpte240m": "240m", "rgb": "gbr"}
ZSCALE_TRANSFER = {"smpte2084": "smpte2084", "arib_std_b67": "arib-std-b67"}
ZSCALE_PRIMARIES = {"bt709": "709", "smpte431": "smpte431", "smpte432": "smpte432"}
"""Others than these, unspecified ones too, are taken for BT.2020's, to which HDR belongs."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of FFmpeg's, with its options."""

    name: str
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """As FFmpeg writes it."""
        options = ":".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}={options}" if options else self.name


_WHOLE = [Filter("format", {"pix_fmts": "yuv444p16le"})]
"""Of odd sizes with halved chroma zscale would cut the last line off."""

_ENDED = Filter("format", {"pix_fmts": "gbrp16le"})
"""Light from which what is below 0 or above 1 is cut off: of that, some versions of zscale make other colours."""


def filters_of(probe: Probe) -> list[Filter]:
    """What a film's frames have to go through; nothing for a progressive film of ordinary light and colours."""
    shown = _to_ordinary_light(probe) if probe.hdr else _to_ordinary_colours(probe) if probe.wide else []
    return [
        *_to_progressive(probe.scanning),
        *(_WHOLE if shown and (probe.width % 2 or probe.height % 2) else []),
        *shown,
    ]


def _to_progressive(scanning: Scanning) -> list[Filter]:
    parity = {"mode": "send_frame", "parity": scanning.order}
    if scanning.scan == "interlaced" and scanning.in_part:
        return [Filter("idet"), Filter("bwdif", {**parity, "deint": "interlaced"})]
    if scanning.scan == "interlaced":
        return [Filter("bwdif", {**parity, "deint": "all"})]
    if scanning.scan == "telecined":
        return [
            Filter("fieldmatch", {"order": scanning.order, "combmatch": "full"}),
            Filter("bwdif", {**parity, "deint": "interlaced"}),  # what fieldmatch found no match for
            Filter("decimate"),
        ]
    return []


def _to_ordinary_light(probe: Probe) -> list[Filter]:
    """Linear light in which 1 is white, BT.709's primaries, highlights compressed (mobius leaves what is below .3)."""
    coded = probe.coded
    primaries = ZSCALE_PRIMARIES.get(coded.primaries, "2020")
    return [
        Filter(
            "zscale",
            {
                "matrixin": ZSCALE_MATRIX[coded.matrix],
                "rangein": coded.range,
                "transferin": ZSCALE_TRANSFER[coded.transfer],
                "primariesin": primaries,
                "primaries": primaries,
                "transfer": "linear",
                "npl": str(WHITE_NITS),
                "agamma": str(coded.transfer == "smpte2084").lower(),  # for HLG, too coarse: colours are off by 30
            },
        ),
        Filter("format", {"pix_fmts": "gbrpf32le"}),
        Filter("zscale", {"primaries": "709"}),
        Filter("tonemap", {"tonemap": "mobius", "desat": "0", "peak": f"{PEAK:.3f}"}),
        Filter("zscale", {"range": "full"}),
        _ENDED,
        Filter("zscale", {"matrix": "709", "range": "limited", "transfer": "709"}),
        Filter("format", {"pix_fmts": probe.frame_format}),
    ]


def _to_ordinary_colours(probe: Probe) -> list[Filter]:
    """BT.709's primaries; what lies beyond them ends at them. Grays stay as they are."""
    coded = probe.coded
    transfer = "iec61966-2-1" if coded.transfer == "iec61966_2_1" else "709"
    return [
        Filter(
            "zscale",
            {
                "matrixin": ZSCALE_MATRIX[coded.matrix],
                "rangein": coded.range,
                "transferin": transfer,
                "primariesin": ZSCALE_PRIMARIES.get(coded.primaries, "2020"),
                "primaries": "709",
                "transfer": "linear",
                "matrix": "gbr",
                "range": "full",
            },
        ),
        _ENDED,
        Filter("zscale", {"matrix": "709", "range": "limited", "transfer": transfer}),
        Filter("format", {"pix_fmts": probe.frame_format}),
    ]

"""What is understood of ffmpeg's log."""

import pytest

from mhmd.media.child import Heard, Said


def said(*lines: str) -> Said:
    found = Said()
    for line in lines:
        found.hear(line)
    return found


DECODER = "[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2]"


def test_frames() -> None:
    found = said(
        f"{DECODER} [warning] corrupt decoded frame",
        f"{DECODER} [info] decoder -> pts:512 pts_time:0.04 pkt_dts:512 pkt_dts_time:0.04 "
        "duration:512 duration_time:0.04 keyframe:1 frame_type:1 time_base:1/12288",
        f"{DECODER} [error] Error submitting packet to decoder: Invalid data",
        f"{DECODER} [info] decoder -> pts:-1024 pts_time:-0.08 keyframe:0 frame_type:2 time_base:1/12288",
        f"{DECODER} [info] decoder -> pts:NOPTS pts_time:NOPTS keyframe:0 frame_type:2 time_base:1/12288",
    )
    assert list(found.frames) == [
        Heard(512, True, True, 0, doubt=""),
        Heard(-1024, False, False, 1, doubt=""),
        Heard(None, False, False, 0, doubt=""),
    ]
    assert found.latest == 512
    assert found.complaints == ["Error submitting packet to decoder: Invalid data"]


def test_parts_of_lines_that_others_come_between() -> None:
    found = said(
        f"[info]   Stream #0:0{DECODER} [info] decoder -> pts:0 pts_time:0 keyframe:1 frame_type:1",
        ": Video: rawvideo, 1 reference frame (I420 / 0x30), yuv420p(tv, bt709, top first, left), 64x64"
        "[vf#0:0 @ 0x3] [info] filter -> pts:0 pts_time:0 time_base:1/24",
    )
    assert (found.chroma, len(found.frames)) == ("left", 1)
    assert said(": Video: rawvideo, 1 reference frame (Y800 / 0x30), gray, 64x64, q=2-31").chroma == "unspecified"


def test_counts_and_sizes() -> None:
    found = said(
        "[verbose]   Input stream #0:0 (video): 240 packets read (658525 bytes); 239 frames decoded; 1 decode errors; ",
        "[graph] [info] Reconfiguring filter graph because video parameters changed to yuv420p(tv, bt709), 96x64",
    )
    assert (found.packets, found.size) == (240, (96, 64))


MAPPED = "[info]   Stream #0:0 (hevc) -> select:default"
FRAME = f"{DECODER} [info] decoder -> pts:512 pts_time:0.04 keyframe:1 frame_type:1"


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        ([MAPPED, "[hevc @ 0x1] [error] Could not find ref with POC 29"], "Could not find ref with POC 29"),
        (
            [MAPPED, "[hevc @ 0x1] [warning] Skipping invalid undecodable NALU: 1"],
            "Skipping invalid undecodable NALU: 1",
        ),
        ([MAPPED, "[hevc @ 0x1] [warning] something else"], ""),
        ([MAPPED, "[hevc @ 0x1] [error] Invalid SEI message"], ""),
        ([MAPPED, "[NULL @ 0x1] [error] what the container's parser says"], ""),
        (["[hevc @ 0x1] [error] what was said before decoding began"], ""),
        ([MAPPED, "[hevc @ 0x1] [error] lost", f"{DECODER} [error] Error submitting packet: lost"], ""),
    ],
)
def test_what_a_decoder_says_of_a_frame(lines: list[str], doubt: str) -> None:
    assert [each.doubt for each in said(*lines, FRAME, FRAME).frames] == [doubt, ""]


TITLE = "[info]     title           : "


def test_a_film_cannot_speak_for_ffmpeg() -> None:
    assert said(f"{TITLE}Input stream #0:0 (video): 9 packets read").packets == 0
    assert said(f"{TITLE}Stream #0:0 (h264) -> select").decoder == ""
    assert not said(f"{TITLE}decoder -> pts:99 pts_time:0.04 keyframe:1 frame_type:1").frames
    spoken = said(f"{TITLE}Decoding error", f"{TITLE}corrupt decoded frame", f"{TITLE}Decoder returned EOF")
    assert (spoken.lost, spoken.corrupt, spoken.latest) == (0, False, Said().latest)

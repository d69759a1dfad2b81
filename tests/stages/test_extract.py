"""Stage extract: which frames of made films are stored, and what their rows say."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.errors import FilmDamaged, RecipeError
from mhmd.execute import Job
from mhmd.hashing import phash
from mhmd.inputs import table_path
from mhmd.make import make_unit
from mhmd.measures import measure
from mhmd.media.decode import Decoder
from mhmd.media.jpeg import decode_jpeg
from mhmd.media.pictures import Pictures
from mhmd.media.probe import probe_film
from mhmd.records import Film, Frame, Record, Shot
from mhmd.shots import Transition
from mhmd.stage import Where
from mhmd.stages.extract import STAGE, Candidate, ExtractConfig, Grid, Waiting, exact
from mhmd.storage import Storage
from tests.films import Coding, MadeFilm, Picture, Scene, make_film

OFTEN = ExtractConfig(interval_s=0.05, guard_s=0.2)


@dataclass(frozen=True)
class Extracted:
    """What extract made of one film."""

    storage: Storage
    reports: tuple[tuple[int, int], ...]

    def rows(self, record: type[Record]) -> pd.DataFrame:
        return pd.DataFrame(self.storage.table(table_path(record, "alpha")).to_pylist())

    @property
    def film(self) -> Mapping[str, object]:
        return self.rows(Film).to_dict("records")[0]

    def picture(self, ref: str) -> Picture:
        name, offset, size = ref.rsplit(":", 2)
        return decode_jpeg(self.storage.read(name, int(offset), int(size)))


def extract(path: Path, config: ExtractConfig, color_matrix: str | None = None) -> Extracted:
    """Run the stage as `make` does, in this process, into a new workspace beside the film."""
    root = path.parent
    data = root / f"data{len(list(root.glob('data*')))}"
    row = {"film_id": "alpha", "title": "Alpha", "path": path.name, "color_matrix": color_matrix}
    pd.DataFrame([row]).to_csv(root / "films.csv", index=False)
    where = Where(str(data), films=str(root / "films.csv"))
    reports: list[tuple[int, int]] = []
    job = Job(STAGE.module, config.model_dump_json(), where, ("alpha",))
    make_unit(job, "alpha", lambda done, total: reports.append((done, total)))
    return Extracted(Storage(str(data)), tuple(reports))


def expected_frames(made: MadeFilm, interval: Fraction, guard: Fraction) -> list[int]:
    """The frames that belong in the table, by the definition: exact numbers, the whole film at once."""
    ends = [0, *made.cuts, made.frames]
    picked, point = [], Fraction(0)
    for frame, time in enumerate(made.times[:-1]):
        if time >= point:
            picked.append(frame)
            point = (time // interval + 1) * interval
    shots = [(made.times[start], made.times[end]) for start, end in pairwise(ends)]
    return [
        frame
        for frame in picked
        if any(
            s <= made.times[frame] < e and min(made.times[frame] - s, e - made.times[frame]) >= guard for s, e in shots
        )
    ]


@pytest.mark.parametrize("vfr", [False, True])
def test_frames_are_those_of_the_definition(vfr: bool, tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [24, 16, 40, 20], rate=Fraction(25), vfr=vfr)
    result = extract(made.path, OFTEN)
    frames = result.rows(Frame)
    assert frames.frame_index.tolist() == expected_frames(made, Fraction(1, 20), Fraction(1, 5))
    base = Fraction(int(frames.time_base_num[0]), int(frames.time_base_den[0]))
    assert [base * pts for pts in frames.pts] == [made.times[frame] for frame in frames.frame_index]
    assert frames.time_s.tolist() == [float(made.times[frame]) for frame in frames.frame_index]
    assert frames.frame_id.tolist() == [f"alpha_{pts:010d}" for pts in frames.pts]


def test_shots(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [24, Scene(16, "gray"), 40])
    result = extract(made.path, OFTEN)
    shots, frames = result.rows(Shot), result.rows(Frame)
    assert shots.start_frame.tolist() == [0, 24, 40]
    assert shots.end_frame.tolist() == [24, 40, 80]
    assert shots.start_s.tolist() == [0.0, 1.0, 40 / 24]
    assert shots.end_s.tolist() == [1.0, 40 / 24, 80 / 24]
    assert shots.transition.tolist() == ["start", "cut", "cut"]
    shot_of = np.searchsorted(shots.start_frame, frames.frame_index, side="right") - 1
    assert frames["shot"].tolist() == shot_of.tolist()
    assert set(shot_of) == {0, 1, 2}


def test_nothing_is_stored_of_the_neighbouring_shot(tmp_path: Path) -> None:
    looks = [Scene(24), Scene(24, "black"), Scene(24, "gray"), Scene(24)]
    result = extract(make_film(tmp_path / "film.mp4", looks).path, ExtractConfig(interval_s=0.01, guard_s=0))
    frames = result.rows(Frame)
    assert len(frames) == 96
    assert frames.groupby("shot").luma_mean.agg(lambda values: values.max() - values.min()).max() < 10
    assert (frames[frames["shot"] == 1].luma_mean < 1).all()
    assert frames[frames["shot"] == 1].phash.isna().all()
    assert frames[frames["shot"] != 1].phash.notna().all()
    assert (frames[frames["shot"] == 2].chroma_mean < 1).all()
    assert (frames[frames["shot"].isin([0, 3])].chroma_mean > 10).all()


def test_rows_speak_of_the_stored_picture(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 30], size=(320, 180), bars=20)
    result = extract(made.path, ExtractConfig(interval_s=0.5, short_side_px=100))
    probe = probe_film(made.path)
    decoded = {each.index: each.frame for each in Decoder(made.path, 0)}
    for row in result.rows(Frame).itertuples():
        picture = result.picture(row.ref)
        assert (row.crop_x, row.crop_y, row.crop_w, row.crop_h) == (0, 20, 320, 140)
        assert picture.shape == (row.height, row.width, 3) == (100, 229, 3)
        assert int(row.phash) == phash(picture)
        assert row.sharpness == measure(picture).sharpness
        assert row.colorfulness == measure(picture).colorfulness
        meant = Pictures(probe, 100).stored(decoded[row.frame_index])
        assert np.abs(picture.astype(int) - meant).mean() < 3


def test_the_row_of_the_film(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 30], bars=14, coding=Coding(matrix="bt709", tagged=True))
    film = extract(made.path, OFTEN).film
    expected = {
        "film_id": "alpha", "duration_s": 2.5, "frames": 60, "codec": "h264", "width": 192, "height": 108,
        "rate_num": 24, "rate_den": 1, "pixel_format": "yuv420p", "color_matrix": "bt709", "color_range": "limited",
        "color_primaries": "unspecified", "color_transfer": "unspecified", "matrix_source": "tagged", "bar_left": 0,
        "bar_top": 14, "bar_right": 0, "bar_bottom": 14, "interlaced": False, "decode_errors": 0,
    }  # fmt: skip
    assert {name: film[name] for name in expected} == expected
    assert extract(made.path, OFTEN, "bt601").film["matrix_source"] == "manifest"


def test_short_side_0_keeps_the_size(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30])
    for config in (ExtractConfig(interval_s=0.3, short_side_px=0), ExtractConfig(interval_s=0.3, short_side_px=8192)):
        assert extract(made.path, config).rows(Frame)[["width", "height"]].to_numpy().tolist() == [[192, 108]] * 3


def test_a_shot_too_short_for_the_guard_has_no_frames(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 16, 30])
    frames = extract(made.path, ExtractConfig(interval_s=0.01, guard_s=0.4)).rows(Frame)
    assert set(frames["shot"]) == {0, 2}
    assert frames.frame_index.between(10, 20).sum() + frames.frame_index.between(56, 66).sum() == len(frames)


def test_the_same_film_gives_the_same_bytes(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 30])
    first, second = extract(made.path, OFTEN), extract(made.path, OFTEN)
    for record in STAGE.writes:
        assert first.rows(record).equals(second.rows(record)), "refs hold the hash of the JPEGs' tar"


def test_damaged_stretches_are_not_stored(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [60, 60])
    content = bytearray(made.path.read_bytes())
    content[len(content) // 4 : len(content) // 4 + 60] = bytes(60)
    made.path.write_bytes(content)
    every = ExtractConfig(interval_s=0.01, guard_s=0, max_damage=0.5)
    result = extract(made.path, every)
    assert result.film["decode_errors"] > 0
    suspects = [decoded.index for decoded in Decoder(made.path, 1) if decoded.suspect]
    assert suspects
    assert set(result.rows(Frame).frame_index) == set(range(result.film["frames"])) - set(suspects)
    with pytest.raises(FilmDamaged):
        extract(made.path, every.model_copy(update={"max_damage": 0.0}))


def test_progress_goes_to_the_end(tmp_path: Path) -> None:
    reports = extract(make_film(tmp_path / "film.mp4", [60, 60]).path, ExtractConfig()).reports
    reports = [(done, total) for done, total in reports if total < 1000]  # before it the file's bytes were hashed
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert reports[-1] == (120, 120)
    assert len(reports) > 10


def test_an_unknown_detector_is_named() -> None:
    with pytest.raises(RecipeError, match="one of adaptive"):
        ExtractConfig.checked({"detector": "magic"}, "recipe")


@given(st.integers(1, 400), st.lists(st.integers(1, 90), max_size=60))
def test_the_grid_takes_the_first_frame_after_each_point(step: int, lengths: list[int]) -> None:
    grid = Grid(Fraction(step, 7))
    times = np.cumsum([0, *lengths]).tolist()
    taken = [time for time in times if grid.takes(time)]
    intervals = [time * 7 // step for time in times]
    assert taken == [time for k, time in enumerate(times) if intervals[k] not in intervals[:k]]


class Scripted:
    """A detector that reports given transitions `lag` frames late, or at the end."""

    def __init__(self, lag: int, transitions: list[Transition]) -> None:
        self.lag = lag
        self._left = list(transitions)

    def feed(self, index: int, time_s: float, bgr: Picture) -> list[Transition]:
        del time_s, bgr
        due = [each for each in self._left if max(each.start_frame + self.lag, each.end_frame) <= index]
        self._left = [each for each in self._left if each not in due]
        return due

    def finish(self) -> list[Transition]:
        return self._left


@given(
    lag=st.integers(0, 12),
    guard=st.integers(0, 6),
    gaps=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), max_size=6),
    tail=st.integers(1, 9),
)
def test_waiting_keeps_what_lies_inside_shots(lag: int, guard: int, gaps: list[tuple[int, int]], tail: int) -> None:
    transitions, frame = [], 0
    for shot, between in gaps:
        start = frame + shot
        transitions.append(Transition(start, start + between, "dissolve" if between else "cut", 1.0))
        frame = start + between
    frames = frame + tail
    lag = max([lag, *(each.end_frame - each.start_frame for each in transitions)])
    waiting = Waiting(Scripted(lag, transitions), Fraction(guard * 10))
    picture = np.zeros((1, 1, 3), np.uint8)
    kept = []
    for index in range(frames):
        waiting.add(Candidate(index, index * 10 + 5, index * 10, picture))
        kept += waiting.feed(index, index * 10, 0.0, picture)
        assert len(waiting) <= lag + guard + 1
    kept += waiting.finish(frames, frames * 10)
    starts = [0, *(each.end_frame for each in transitions)]
    ends = [*(each.start_frame for each in transitions), frames]
    assert [(candidate.index, shot) for candidate, shot in kept] == [
        (index, shot)
        for shot, (start, end) in enumerate(zip(starts, ends, strict=True))
        for index in range(start + guard, end - max(guard, 1) + 1)
    ]


def test_decimal_knobs_are_exact() -> None:
    assert exact(0.2) == Fraction(1, 5)
    assert exact(1e-3) == Fraction(1, 1000)

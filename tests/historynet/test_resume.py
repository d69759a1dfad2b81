import json
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mhmd.errors import DatasetError, RecipeError, StorageError, WeightsError
from mhmd.historynet import checkpoint, state
from mhmd.historynet.checkpoint import read_about
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.device import fabric_on
from mhmd.historynet.events import Event, TrainResult
from mhmd.historynet.interrupt import stop_requests
from mhmd.historynet.learners import new_learners
from mhmd.historynet.train import train

Config = Callable[..., TrainConfig]


def run_of(shards: str, run: Path, config: TrainConfig, events: list[Event] | None = None) -> TrainResult:
    return train(shards, run, config, device="cpu", report=(events if events is not None else []).append)


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_an_interrupted_run_goes_on_to_the_same_bits(shards: str, tmp_path: Path, tiny: Config) -> None:
    config = tiny(steps=9, log_every=2, validate_every=4, checkpoint_every=5)
    run_of(shards, tmp_path / "whole", config)

    def interrupt(event: Event) -> None:
        if event.kind == "step" and event.step in (3, 7):
            os.kill(os.getpid(), signal.SIGTERM if event.step == 3 else signal.SIGINT)

    before = signal.getsignal(signal.SIGTERM)
    stops = [train(shards, tmp_path / "parts", config, device="cpu", report=interrupt) for _ in range(3)]
    assert [(stop.step, stop.stopped_by) for stop in stops] == [(3, "SIGTERM"), (7, "SIGINT"), (9, None)]
    assert signal.getsignal(signal.SIGTERM) is before
    for name in (checkpoint.LAST, checkpoint.MODEL, "metrics.jsonl", "samples/step-000008.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_every_option_goes_on_in_the_middle_of_an_epoch_to_the_same_bits(
    shards: str, tmp_path: Path, tiny: Config
) -> None:
    """20 samples, 8 a step: step 2 ends within the first epoch, step 3 lies over its end."""
    knobs = {"batch": 8, "accumulate": 2, "ema": 0.9, "balance": 0.5, "archive": 0.5, "warmup_steps": 2}
    config = tiny(
        variant="ours", steps=5, log_every=1, validate_every=2, checkpoint_every=2, schedule="cosine", **knobs
    )
    run_of(shards, tmp_path / "whole", config)

    def fall(event: Event) -> None:
        if event.kind == "step" and event.step == 3:
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="power"):
        train(shards, tmp_path / "parts", config, device="cpu", workers=1, report=fall)
    train(shards, tmp_path / "parts", config, device="cpu", workers=3, report=lambda _: None)
    for name in (checkpoint.LAST, checkpoint.MODEL, "metrics.jsonl", "samples/step-000004.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_lines_after_the_last_checkpoint_are_forgotten(shards: str, tmp_path: Path, tiny: Config) -> None:
    config = tiny(steps=6, log_every=1, checkpoint_every=4)

    def fall(event: Event) -> None:
        if event.step == 6:
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="power"):
        train(shards, tmp_path, config, device="cpu", report=fall)
    assert read_about(tmp_path / checkpoint.LAST).step == 4
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('\0\0\0\n"text"\n{"split": 3}\n{"step": 6, "split"')  # as a power failure may leave it
    run_of(shards, tmp_path, config)
    assert [line["step"] for line in lines(tmp_path) if line["split"] == "train"] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_is_fresh(shards: str, tmp_path: Path, tiny: Config) -> None:
    first = run_of(shards, tmp_path, tiny())
    written = (tmp_path / checkpoint.LAST).stat().st_mtime_ns
    again = run_of(shards, tmp_path, tiny())
    assert (again.fresh, again.step, again.checkpoint) == (True, 6, first.checkpoint)
    assert (tmp_path / checkpoint.LAST).stat().st_mtime_ns == written


def test_another_config_in_the_same_folder_is_named(shards: str, tmp_path: Path, tiny: Config) -> None:
    run_of(shards, tmp_path, tiny(steps=1))
    with pytest.raises(WeightsError, match=r"learning_rate = 0\.001; wanted 0\.002"):
        run_of(shards, tmp_path, tiny(steps=1, learning_rate=2e-3))


def test_a_second_signal_acts_as_if_nobody_caught_it() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have it ignored in the background
    try:
        with stop_requests() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.signal == "SIGINT"
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_losses_that_are_not_finite_stop_training(shards: str, tmp_path: Path, tiny: Config) -> None:
    with pytest.raises(RecipeError, match="loss generator is inf at step 1; wanted finite losses; lower learning_rate"):
        run_of(shards, tmp_path, tiny(weight_ab=1e39, checkpoint_every=1))
    assert not (tmp_path / checkpoint.LAST).exists()


def test_weights_that_are_not_finite_are_not_written(shards: str, tmp_path: Path, tiny: Config) -> None:
    run_of(shards, tmp_path, tiny(steps=1))
    good = {name: (tmp_path / name).read_bytes() for name in (checkpoint.LAST, checkpoint.MODEL)}
    about = read_about(tmp_path / checkpoint.LAST)
    learners = new_learners(fabric_on("cpu", "float32"), tiny(), about.classes)
    state.restore(tmp_path, learners)
    next(learners.critic.module.parameters()).data[0] = float("nan")
    with pytest.raises(RecipeError, match=r"critic\.layers\.0\.\S+ is not finite at step 2"):
        state.save(tmp_path, learners, replace(about, step=2))
    assert {name: (tmp_path / name).read_bytes() for name in good} == good


def test_a_run_that_breaks_keeps_its_last_good_checkpoint(shards: str, tmp_path: Path, tiny: Config) -> None:
    config, last = tiny(checkpoint_every=1, validate_every=99), tmp_path / checkpoint.LAST

    def interrupt(event: Event) -> None:
        if event.kind == "step" and event.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    train(shards, tmp_path, config, device="cpu", report=interrupt)
    about, tensors = checkpoint.read(last, "")
    tensors["generator.trunk.features.0.weight"] *= 1e38  # finite still, and nothing after it
    checkpoint.write(last, tensors, about)
    before = last.read_bytes()
    with pytest.raises(RecipeError, match=r"loss \w+ is (nan|inf|-inf) at step 4; .*the last good checkpoint is kept"):
        run_of(shards, tmp_path, config)
    assert last.read_bytes() == before


def test_an_update_that_breaks_the_weights_is_told_before_they_are_validated(
    shards: str, tmp_path: Path, tiny: Config
) -> None:
    config, last = tiny(checkpoint_every=3, validate_every=4), tmp_path / checkpoint.LAST

    def interrupt(event: Event) -> None:
        if event.kind == "step" and event.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    train(shards, tmp_path, config, device="cpu", report=interrupt)
    about, tensors = checkpoint.read(last, "")
    tensors["optimizer.generator.colour.ab.convolution.bias.exp_avg"][0] = float("nan")  # the next losses are finite
    checkpoint.write(last, tensors, about)
    before = last.read_bytes()
    with pytest.raises(RecipeError, match=r"colour\.ab\.convolution\.bias is not finite at step 4"):
        run_of(shards, tmp_path, config)
    assert last.read_bytes() == before


def test_a_run_that_says_it_is_done_has_its_model(
    make_shards: Callable[..., str], tmp_path: Path, tiny: Config
) -> None:
    """Without validations the model is that of the last step: it is there before `last` says so."""
    folder, run = make_shards(val=0), tmp_path / "run"
    (in_the_way := run / f".{checkpoint.LAST}.tmp").mkdir(parents=True)
    with pytest.raises((StorageError, OSError)):
        run_of(folder, run, tiny(steps=2))
    assert not (run / checkpoint.LAST).exists()
    assert read_about(run / checkpoint.MODEL).step == 2
    in_the_way.rmdir()
    assert not run_of(folder, run, tiny(steps=2)).fresh


def test_knobs_that_teach_nothing_may_change_on_the_way(shards: str, tmp_path: Path, tiny: Config) -> None:
    def interrupt(event: Event) -> None:
        if event.kind == "step" and event.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    train(shards, tmp_path, tiny(), device="cpu", report=interrupt)
    others = tiny(max_damaged=0.5, log_every=1, checkpoint_every=2)
    assert (run_of(shards, tmp_path, others).step, lines(tmp_path)[0]["step"]) == (6, 3)


def test_no_room_for_a_checkpoint_is_told_and_the_one_before_kept(shards: str, tmp_path: Path, tiny: Config) -> None:
    run_of(shards, tmp_path, tiny(steps=6, checkpoint_every=99))
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    about = read_about(tmp_path / checkpoint.LAST)
    learners = new_learners(fabric_on("cpu", "float32"), tiny(), about.classes)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before[checkpoint.LAST]) // 9, hard))
        with pytest.raises(StorageError, match=r"last\.safetensors cannot be written.*wanted room for [\d,]+ bytes"):
            state.save(tmp_path, learners, about)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")} == before
    assert not list(tmp_path.glob(".*safetensors*"))


def test_damaged_samples_are_told_and_training_goes_on(
    make_shards: Callable[..., str], tmp_path: Path, tiny: Config
) -> None:
    shard = Path(folder := make_shards()) / "train-000002.tar"
    shard.write_bytes(shard.read_bytes()[:-40_000])
    events: list[Event] = []
    assert run_of(folder, tmp_path / "run", tiny(steps=5, max_damaged=0.5), events).step == 5
    warnings = [event.text for event in events if event.kind == "warning"]
    assert any("passed over: " in text and "train-000002.tar at byte " in text for text in warnings)
    assert any("damaged samples were passed over" in text for text in warnings)
    with pytest.raises(DatasetError, match=r"1 damaged samples, the last: .*wanted at most 1\.00%"):
        run_of(folder, tmp_path / "strict", tiny(steps=5))


def test_another_variant_or_taxonomy_in_the_same_folder_is_named(
    shards: str, make_shards: Callable[..., str], tmp_path: Path, tiny: Config
) -> None:
    run_of(shards, tmp_path / "run", tiny(steps=1))
    with pytest.raises(WeightsError, match="variant = 'full'; wanted 'ours'"):
        run_of(shards, tmp_path / "run", tiny(steps=1, variant="ours"))
    other = Path(make_shards())
    stats = json.loads((other / "stats.json").read_text())
    (other / "stats.json").write_text(json.dumps(stats | {"labels": [*stats["labels"], ["after", "peru", "formal"]]}))
    with pytest.raises(WeightsError, match="knows 3 labels, and the dataset's 4 are not the same"):
        run_of(str(other), tmp_path / "run", tiny(steps=1))


def test_records_that_cannot_be_written_are_told(shards: str, tmp_path: Path, tiny: Config) -> None:
    (tmp_path / "samples").write_text("in the way")
    with pytest.raises(StorageError, match=r"step-000002\.png cannot be written: .*; it goes on from the last"):
        run_of(shards, tmp_path, tiny(steps=2))

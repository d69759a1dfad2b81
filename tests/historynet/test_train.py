import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import pytest
import torch
from safetensors.torch import load_file

from mhmd.errors import DatasetError, RecipeError, UsageError, WeightsError
from mhmd.historynet import checkpoint, state
from mhmd.historynet.checkpoint import read_about
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import train_batches
from mhmd.historynet.dataset import open_dataset
from mhmd.historynet.device import fabric_on
from mhmd.historynet.events import Event, TrainResult
from mhmd.historynet.interrupt import stop_requests
from mhmd.historynet.lab import scale_ab
from mhmd.historynet.learners import new_learners
from mhmd.historynet.losses import gradient_penalty, keras_kld
from mhmd.historynet.metrics import evaluate
from mhmd.historynet.model import Classes
from mhmd.historynet.steps import gradients
from mhmd.historynet.train import train

Config = Callable[..., TrainConfig]


def run_of(shards: str, run: Path, config: TrainConfig, events: list[Event] | None = None) -> TrainResult:
    return train(shards, run, config, device="cpu", report=(events if events is not None else []).append)


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_colours_that_follow_from_lightness_are_learnt(shards: str, tmp_path: Path, tiny: Config) -> None:
    config = tiny(steps=60, learning_rate=3e-3, weight_critic=1e-3, weight_info=0, validate_every=30, log_every=20)
    events: list[Event] = []
    result = run_of(shards, tmp_path, config, events)
    assert (result.step, result.fresh, result.stopped_by) == (60, False, None)
    assert result.scores is not None
    assert result.scores.ab_mae < 0.6 * result.scores.neutral_ab_mae
    assert result.scores.ab_rmse < 0.6 * result.scores.neutral_ab_rmse
    loaded = evaluate(result.checkpoint, shards, "val", device="cpu", batch=4)
    assert asdict(loaded) == pytest.approx(asdict(result.scores), rel=1e-5)

    assert [(line["step"], line["split"]) for line in lines(tmp_path)] == [
        (20, "train"),
        (30, "val"),
        (40, "train"),
        (60, "train"),
        (60, "val"),
    ]
    assert lines(tmp_path)[-1]["ab_mae"] == result.scores.ab_mae
    panel = cv2.imread(str(tmp_path / "samples" / "step-000060.png"))
    assert panel.shape == (5 * 32, 5 * 53, 3)
    assert list((tmp_path / "tensorboard").iterdir())
    assert [event.step for event in events if event.kind == "step"] == list(range(1, 61))
    assert any("random weights" in event.text for event in events if event.kind == "warning")


def test_an_interrupted_run_goes_on_to_the_same_bits(shards: str, tmp_path: Path, tiny: Config) -> None:
    config = tiny(steps=9, log_every=1, validate_every=4, checkpoint_every=5)
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


def test_the_model_is_that_of_the_best_validation(shards: str, tmp_path: Path, tiny: Config) -> None:
    config = tiny(steps=12, learning_rate=0.05, validate_every=1, checkpoint_every=5)
    model = run_of(shards, tmp_path, config).checkpoint
    errors = {line["step"]: line["ab_rmse"] for line in lines(tmp_path) if line["split"] == "val"}
    best = min(errors, key=errors.__getitem__)
    assert best < 12  # such a rate overshoots
    about = read_about(model)
    assert (about.step, about.val_ab_rmse) == (best, errors[best])
    assert evaluate(model, shards, "val", device="cpu", batch=4).ab_rmse == pytest.approx(errors[best], rel=1e-5)
    assert model.stat().st_mode & 0o777 == 0o644


def test_the_rate_falls_as_a_cosine(tiny: Config) -> None:
    config = tiny(learning_rate=1e-3, schedule="cosine")
    assert [config.rate_at(step, 8) for step in (0, 2, 4, 8)] == pytest.approx([1e-3, 0.8535534e-3, 0.5e-3, 0])
    assert tiny(learning_rate=1e-3).rate_at(7, 8) == 1e-3


def test_lines_after_the_last_checkpoint_are_forgotten(shards: str, tmp_path: Path, tiny: Config) -> None:
    config = tiny(steps=6, log_every=1, checkpoint_every=4)

    def fall(event: Event) -> None:
        if event.step == 6:
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="power"):
        train(shards, tmp_path, config, device="cpu", report=fall)
    assert read_about(tmp_path / checkpoint.LAST).step == 4
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "split"')
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


def test_losses_follow_from_the_seed(shards: str, tmp_path: Path, tiny: Config) -> None:
    told = []
    for run, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_of(shards, tmp_path / run, tiny(steps=2, seed=seed, log_every=1))
        told.append((tmp_path / run / "metrics.jsonl").read_text())
    assert told[0] == told[1] != told[2]


def test_a_term_of_weight_0_is_off(shards: str, tmp_path: Path, tiny: Config) -> None:
    run_of(shards, tmp_path / "none", tiny(steps=1, weight_critic=0, weight_info=0, weight_class=0, weight_parsing=0))
    assert lines(tmp_path / "none")[0].keys() == {"step", "split", "ab", "generator", "learning_rate"}
    stored = load_file(tmp_path / "none" / checkpoint.LAST)
    assert not [name for name in stored if "critic" in name or "ab_classifier" in name]
    assert "optimizer.generator.colour.ab.convolution.weight.exp_avg" in stored
    assert "optimizer.generator.whole.heads.0.weight.exp_avg" not in stored
    run_of(shards, tmp_path / "all", tiny(steps=1))
    assert lines(tmp_path / "all")[0].keys() > {"class", "critic", "parsing", "info", "critic_own", "ab_classifier_own"}


def test_each_network_gets_the_gradients_of_its_own_loss_alone(shards: str, tiny: Config) -> None:
    config, dataset = tiny(framing="crop"), open_dataset(shards)
    fabric = fabric_on("cpu", "float32")
    classes = Classes.of(dataset.labels, dataset.mask_classes)
    ours, judged = (new_learners(fabric, config, classes) for _ in range(2))
    assert ours.critic
    assert judged.critic
    assert ours.ab_classifier
    assert judged.ab_classifier
    batch = next(train_batches(dataset, config, 0, fabric.device))
    painting = judged.generator.module(batch.seen)
    gradients(fabric, ours, batch, config, 3)

    made, true, info = scale_ab(painting.ab.detach(), "sigmoid"), scale_ab(batch.ab, "sigmoid"), painting.info.detach()
    judged.ab_classifier.module(made)  # the generator's losses looked at it before its own
    keras_kld(info, judged.ab_classifier.module(made)).backward()
    for mine, theirs in zip(
        ours.ab_classifier.module.parameters(), judged.ab_classifier.module.parameters(), strict=True
    ):
        torch.testing.assert_close(mine.grad, theirs.grad)
    critic = judged.critic.module
    mix = torch.rand(4, generator=torch.Generator().manual_seed(random.Random("mix 0 0").getrandbits(62)))
    penalty = gradient_penalty(critic, batch.lightness, true, made, mix)
    (critic(batch.lightness, made).mean() - critic(batch.lightness, true).mean() + 10 * penalty).backward()
    for mine, theirs in zip(ours.critic.module.parameters(), critic.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-6, rtol=1e-4)


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


def test_an_empty_val_split_means_no_validation(make_shards: Callable[..., str], tmp_path: Path, tiny: Config) -> None:
    events: list[Event] = []
    result = run_of(make_shards(val=0, train=4), tmp_path / "run", tiny(steps=2), events)
    assert result.scores is None
    assert any("no validation" in event.text for event in events)
    assert cv2.imread(str(tmp_path / "run" / "samples" / "step-000002.png")).shape == (4 * 32, 5 * 53, 3)


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


def test_what_cannot_be_trained_on_is_told(shards: str, tmp_path: Path, tiny: Config) -> None:
    with pytest.raises(DatasetError, match="mhmd shard"):
        run_of(str(tmp_path), tmp_path / "run", tiny())
    with pytest.raises(DatasetError, match="at least a batch, 64"):
        run_of(shards, tmp_path / "run", tiny(batch=64))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        run_of(shards, tmp_path / "file", tiny())


def test_bfloat16_trains(shards: str, tmp_path: Path, tiny: Config) -> None:
    result = run_of(shards, tmp_path, tiny(precision="bfloat16", steps=2))
    stored = load_file(result.checkpoint)
    assert {str(tensor.dtype) for tensor in stored.values()} == {"torch.float32", "torch.int64"}

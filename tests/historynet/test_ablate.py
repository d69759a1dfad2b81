from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
from typer.testing import CliRunner

from mhmd.cli import app
from mhmd.errors import DatasetError, RecipeError, UsageError
from mhmd.historynet.ablate import COLUMNS, MEASURES, ablate, parse_arm
from mhmd.historynet.events import Event
from mhmd.historynet.metrics import evaluate
from mhmd.historynet.variants import VARIANTS

COMMON = {"width": 0.01, "size_px": 32, "batch": 4, "steps": 2, "validate_every": 9, "batchnorm_momentum": 0.1}


def test_arms_are_variants_with_knobs() -> None:
    arm = parse_arm("ours:weight_parsing=0.0,framing=squash")
    config = arm.config(COMMON, seed=3)
    assert (config.variant, config.weight_parsing, config.framing, config.seed) == ("ours", 0, "squash", 3)
    assert (config.width, config.class_head) == (0.01, "attributes")
    for text in ("theirs", "ours:weight_parsing", "", "ours,full"):
        with pytest.raises(UsageError, match=r"wanted one of baseline"):
            parse_arm(text)
    with pytest.raises(RecipeError, match="arm ours:weight=1: unknown knob 'weight'"):
        parse_arm("ours:weight=1").config(COMMON, 0)


def test_a_table_has_mean_and_spread_over_seeds(shards: str, tmp_path: Path) -> None:
    begun: list[str] = []

    def begin(name: str) -> Callable[[Event], None]:
        begun.append(name)
        return lambda _: None

    arms = [parse_arm("baseline"), parse_arm("ours:weight_critic=0.0")]
    rows = ablate(shards, tmp_path, COMMON, arms, [0, 1], split="val", device="cpu", begin=begin)
    assert begun == [f"{arm} seed {seed}" for arm in ("baseline", "ours:weight_critic=0.0") for seed in (0, 1)]
    assert [row[:2] for row in rows] == [("(gray)", "–"), ("baseline", "2"), ("ours:weight_critic=0.0", "2")]
    runs = [tmp_path / "ours-weight_critic=0.0" / f"seed-{seed}" for seed in (0, 1)]
    found = [evaluate(run, shards, "val", device="cpu", batch=4) for run in runs]
    errors = [scores.ab_rmse for scores in found]
    assert rows[2][2 + MEASURES.index("ab_rmse")] == f"{mean(errors):.4g} ± {stdev(errors):.2g}"
    assert rows[0][2] == f"{found[0].neutral_ab_rmse:.4g}"
    assert rows[1][2 + MEASURES.index("top1")] == "–"  # its head names other classes
    text = (tmp_path / "ablation.md").read_text().splitlines()
    assert text[0] == f"| {' | '.join(COLUMNS)} |"
    assert len(text) == 2 + len(rows)
    assert ablate(shards, tmp_path, COMMON, arms, [0, 1], split="val", device="cpu", begin=begin) == rows


def test_the_command_trains_all_variants(shards: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[train]\n" + "".join(f"{name} = {value}\n" for name, value in COMMON.items()))
    run = ["ablate", str(recipe), "--shards", shards, "--run", str(tmp_path / "out"), "--seed", "0", "--split", "val"]
    result = CliRunner().invoke(app, [*run, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert all(f"{variant} seed 0 step 2" in result.output for variant in VARIANTS)
    assert len((tmp_path / "out" / "ablation.md").read_text().splitlines()) == 3 + len(VARIANTS)


def test_what_would_fail_in_the_end_is_told_at_once(
    shards: str, make_shards: Callable[..., str], tmp_path: Path
) -> None:
    def nothing(_: str) -> Callable[[Event], None]:
        raise AssertionError("nothing is to be trained")

    def tried(names: list[str], seeds: list[int], folder: str = shards, **knobs: Any) -> None:
        arms = [parse_arm(name) for name in names]
        ablate(folder, tmp_path, COMMON | knobs, arms, seeds, split="val", device="cpu", begin=nothing)

    for names, seeds, message in ((["full"], [1, 0, 1], "--seed 1 is named twice"), (["full"] * 2, [0], "--arm full")):
        with pytest.raises(UsageError, match=message):
            tried(names, seeds)
    with pytest.raises(DatasetError, match=r"val split of .* is empty"):
        tried(["full"], [0], make_shards(val=0))
    with pytest.raises(DatasetError, match="at least a batch, 64"):
        tried(["full", "full:batch=64"], [0])


def test_an_arm_whose_losses_break_does_not_end_the_others(shards: str, tmp_path: Path) -> None:
    told: list[Event] = []
    arms = [parse_arm("full:weight_ab=1e39"), parse_arm("full")]
    rows = ablate(shards, tmp_path, COMMON, arms, [0], split="val", device="cpu", begin=lambda _: told.append)
    assert [row[:3] for row in rows[1:2]] == [("full:weight_ab=1e39", "0", "–")]
    assert rows[2][1] == "1"
    assert any("left out: loss generator is inf" in event.text for event in told if event.kind == "warning")
    with pytest.raises(RecipeError, match="losses of all runs broke"):
        ablate(shards, tmp_path, COMMON, arms[:1], [0], split="val", device="cpu", begin=lambda _: told.append)

"""Training several variants on the same data and seeds, and one table of what came of it."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mhmd.errors import RecipeError, UsageError
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.dataset import open_dataset
from mhmd.historynet.events import Event
from mhmd.historynet.journal import told
from mhmd.historynet.metrics import Scores, evaluate
from mhmd.historynet.train import train
from mhmd.historynet.variants import VARIANTS
from mhmd.splits import Split

TABLE = "ablation.md"
MEASURES = ("ab_rmse", "ab_mae", "psnr", "ssim", "colorfulness", "top1")
COLUMNS = ("arm", "seeds", *MEASURES)
GRAY = {"ab_rmse": "neutral_ab_rmse", "ab_mae": "neutral_ab_mae", "psnr": "neutral_psnr", "ssim": "neutral_ssim"}


@dataclass(frozen=True, slots=True)
class Arm:
    """One row: a variant, and knobs that are other than it starts from."""

    name: str
    values: Mapping[str, Any]  # Any: values of knobs

    def config(self, common: Mapping[str, Any], seed: int) -> TrainConfig:
        """Its knobs on top of those that all arms have. Raises RecipeError."""
        return TrainConfig.checked({**common, **self.values, "seed": seed}, f"arm {self.name}")


def parse_arm(text: str) -> Arm:
    """The arm of `VARIANT` or `VARIANT:knob=value,knob=value`. Raises UsageError."""
    variant, _, rest = text.partition(":")
    values: dict[str, Any] = {"variant": variant}  # Any: values of knobs
    for part in filter(None, rest.split(",")):
        knob, equals, value = part.partition("=")
        if not equals or variant not in VARIANTS:
            break
        values[knob.strip()] = _value(value.strip())
    else:
        if variant in VARIANTS:
            return Arm(text, values)
    raise UsageError(
        f"arm {text!r}", wanted=f"one of {', '.join(VARIANTS)}, with :knob=value,… or without", do="mend it"
    )


def ablate(
    shards: str,
    folder: Path,
    common: Mapping[str, Any],  # Any: values of knobs
    arms: Sequence[Arm],
    seeds: Sequence[int],
    *,
    split: Split = "test",
    device: str = "auto",
    workers: int | None = None,
    begin: Callable[[str], Callable[[Event], None]],
) -> list[tuple[str, ...]]:
    """Train every arm with every seed in `<folder>/<arm>/seed-<n>`, and give the rows of a table under `COLUMNS`.

    The table is also written to `<folder>/ablation.md`. Each run's model is scored on a split; a cell is the mean over
    the seeds ± their standard deviation (n − 1), and the first row is what no colour at all scores. `begin` gives what
    the events of a run go to. Runs that are done are not made again. A run whose losses are no longer finite is told,
    and its arm has a seed less; the others go on.

    Before anything is trained: UsageError for an arm or a seed that is named twice, RecipeError for an arm's knobs,
    DatasetError for shards that lack what an arm needs, or the split. Raises what else `train` raises, and RecipeError
    when no run came through; a run that is stopped ends it all, without a table.
    """
    configs = _checked(shards, common, arms, seeds, split)
    scores: dict[str, list[Scores]] = {arm.name: [] for arm in arms}
    for arm, seed, config in configs:
        run = folder / arm.name.replace(":", "-").replace("/", "-") / f"seed-{seed}"
        report = begin(f"{arm.name} seed {seed}")
        try:
            result = train(shards, run, config, device=device, workers=workers, report=report)
        except RecipeError as error:  # knobs were checked before: these losses are not finite
            report(Event("warning", 0, 0, f"left out: {error}"))
            continue
        if result.stopped_by is not None:
            return []
        scores[arm.name].append(evaluate(result.checkpoint, shards, split, device=device, batch=config.batch))
    some = next(filter(None, scores.values()), None)
    if some is None:
        raise RecipeError("the losses of all runs broke", wanted="finite losses", do="lower learning_rate")
    rows = [_gray(some[0]), *(_row(name, found) for name, found in scores.items())]
    with told(folder / TABLE):
        (folder / TABLE).write_text(_markdown(rows))
    return rows


def _checked(
    shards: str,
    common: Mapping[str, Any],  # Any: values of knobs
    arms: Sequence[Arm],
    seeds: Sequence[int],
    split: Split,
) -> list[tuple[Arm, int, TrainConfig]]:
    """Every run's config, once it is sure that all of them can be trained and scored."""
    for kind, named in (("--arm", [arm.name for arm in arms]), ("--seed", list(map(str, seeds)))):
        twice = [name for name, times in Counter(named).items() if times > 1]
        if twice:
            raise UsageError(f"{kind} {twice[0]} is named twice", wanted="each once", do="leave one out")
    configs = [(arm, seed, arm.config(common, seed)) for arm in arms for seed in seeds]
    dataset = open_dataset(shards)
    dataset.split(split)
    for _, _, config in configs:
        dataset.require(config)
    return configs


def _gray(scores: Scores) -> tuple[str, ...]:
    cells = [f"{getattr(scores, GRAY[measure]):.4g}" if measure in GRAY else "–" for measure in MEASURES]
    return ("(gray)", "–", *cells)


def _row(name: str, found: Sequence[Scores]) -> tuple[str, ...]:
    return (name, str(len(found)), *(_cell([getattr(scores, measure) for scores in found]) for measure in MEASURES))


def _cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    return f"{mean(known):.4g} ± {stdev(known):.2g}" if len(known) > 1 else f"{known[0]:.4g}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _value(text: str) -> Any:  # Any: what TOML has
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

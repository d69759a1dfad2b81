"""The whole way on three small films: every stage, training, and two coloured pictures."""

from __future__ import annotations

from pathlib import Path

from mhmd.build import How, build
from mhmd.demo.prepare import FILMS, prepare
from mhmd.demo.summary import summarize
from mhmd.historynet.config import TrainConfig
from mhmd.recipe import load_recipe
from mhmd.report import Reporter
from mhmd.resources import resource
from mhmd.stage import Where


def run_demo(folder: Path, how: How, shown: Reporter) -> bool:
    """Make everything in `folder`, show it as it goes, and end with a table of what was made and where to look.

    Run again it takes up what is there. Gives whether it came to its end: a signal makes training save and leave.
    Raises DependencyError without the packages of `mhmd[demo]`.
    """
    from mhmd.historynet.checkpoint import LAST
    from mhmd.historynet.colorize import colorize
    from mhmd.historynet.metrics import evaluate
    from mhmd.historynet.train import train

    shown.say("prepare: rendering a film out of photographs")
    inputs = prepare(folder)
    data, out, run, colored = (folder / name for name in ("data", "out", "run", "colored"))
    recipe = load_recipe(resource("pipelines/demo.toml"))
    where = Where(str(data), str(out), str(inputs.films), str(inputs.labels), taxonomy=recipe.taxonomy)
    for made in build(recipe, where, how, begin=lambda verb: shown.begin(verb.name)):
        shown.summary(made)
    result = train(str(out), run, recipe.knobs("train", TrainConfig), report=shown.training("train"))
    if result.stopped_by is not None:
        return False
    scores = evaluate(result.checkpoint, str(out), "val")
    # the validation film shares no scene with these pictures, and chose a model that hardly dares to colour
    pictures = colorize(run / LAST, list(inputs.pictures), colored)
    rows = summarize(data, [film.film_id for film in FILMS], out, run, scores)
    shown.table("What each stage made", ("stage", "what", "how much"), rows)
    places = [
        ("the dataset and its card", f"{out}/README.md"),
        ("gray, truth, ours and mask side by side", f"{run}/samples"),
        *(("a picture coloured with the last weights", str(path)) for path in pictures),
        ("curves", f"tensorboard --logdir {run}"),
        ("where the films stand", f"mhmd status --data {data}"),
    ]
    shown.table("Where to look", ("what", "where"), places)
    return True

"""What a run of all stages made, read back from the tables that it left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.historynet.metrics import Scores
from mhmd.inputs import table_path
from mhmd.records import Frame, Label, Mask, Record, Screening, Shot, Verdict

if TYPE_CHECKING:
    import pyarrow as pa


def summarize(data: Path, films: Sequence[str], out: Path, run: Path, scores: Scores) -> list[tuple[str, str, str]]:
    """Rows of stage, what it made, how much: of the films' tables, the dataset, the run and the scores of its model."""
    frames, screenings, verdicts = (_all(data, record, films) for record in (Frame, Screening, Verdict))
    labels, masks = _all(data, Label, films), _all(data, Mask, films)
    rejected: dict[str, int] = {}
    for rule in screenings["rejected_by"].drop_null().to_pylist():
        rejected[rule] = rejected.get(rule, 0) + 1
    dropped = verdicts["kept"].to_pylist().count(False)
    labelled = sum(label >= 0 for label in labels["label_id"].to_pylist())
    samples = json.loads((out / "stats.json").read_text("utf-8"))["samples"]
    first, last = _losses(run)
    return [
        ("extract", "films, shots, frames", _join(len(films), _all(data, Shot, films).num_rows, frames.num_rows)),
        ("screen", "frames that pass", str(frames.num_rows - sum(rejected.values()))),
        *(("screen", f"rejected as {rule}", str(count)) for rule, count in sorted(rejected.items())),
        ("dedup", "frames kept, duplicates", _join(verdicts.num_rows - dropped, dropped)),
        ("label", "frames labelled, of", _join(labelled, labels.num_rows)),
        ("parse", "masks, mean person share", f"{masks.num_rows}, {_mean(masks['person_share']):.3f}"),
        ("shard", "samples in train, val, test", _join(*samples.values())),
        *(("train", f"loss {name}, first → last", f"{first[name]:.4g} → {last[name]:.4g}") for name in first),
        ("evaluate", "val PSNR, of gray", f"{scores.psnr:.2f} dB, {scores.neutral_psnr:.2f} dB"),
        ("evaluate", "val ab error (RMSE), of gray", f"{scores.ab_rmse:.2f}, {scores.neutral_ab_rmse:.2f}"),
    ]


def _all(data: Path, record: type[Record], films: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    from mhmd.storage import Storage

    return pa.concat_tables([Storage(str(data)).table(table_path(record, film)) for film in films])


def _losses(run: Path) -> tuple[dict[str, float], dict[str, float]]:
    """The losses of the first and of the last line of a run's metrics."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    steps = [line for line in lines if line["split"] == "train"]
    beside = ("step", "split", "learning_rate")
    first, last = ({name: line[name] for name in line if name not in beside} for line in (steps[0], steps[-1]))
    return first, last


def _mean(values: pa.ChunkedArray) -> float:
    import pyarrow.compute as pc

    return float(pc.mean(values).as_py() or 0)


def _join(*counts: int) -> str:
    return ", ".join(str(count) for count in counts)

"""The command line as a user meets it: in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "av", "cv2", "ray", "pandas", "pyarrow", "numpy")


def mhmd(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `mhmd` and return what it said."""
    command = [str(Path(sys.executable).with_name("mhmd")), *words]
    wide = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, env=wide)


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from mhmd.cli import app
try:
    app(["--help"])
except SystemExit:
    pass
print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "HEAVY: []" in said
    others = ("split", "check", "manifest", "clean", "import-mhmd")
    for verb in ("extract", "screen", "dedup", "label", "parse", "shard", "train", "evaluate", "colorize", *others):
        assert re.search(rf"│ {verb} ", said), verb


def test_pandas_is_loaded_only_for_data_frames() -> None:
    code = """
import sys
from mhmd.sparing import spare_pandas
spare_pandas()
import pyarrow as pa
table = pa.Table.from_pylist([{"a": 1.0}, {"a": None}])
print("pandas" in sys.modules, pa.array(["a", None]).null_count)
frame = table.to_pandas()
print("pandas" in sys.modules, frame.a.isna().tolist(), pa.array(frame.a).null_count)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["False 1", "True [False, True] 1"]


def test_help_shows_brackets() -> None:
    assert "whose [split] counts" in mhmd("check", "--help").stdout


def test_knobs_are_options_with_their_range() -> None:
    said = re.sub(r"[\s│]+", " ", mhmd("dedup", "--help").stdout)
    assert "--radius" in said
    assert "[at least 0, at most 12] (default: 8)" in said


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["extract", "--data", "w"], 2, "no films manifest; wanted its path; name it with --films FILE"),
        (["extract", "--films", "none.parquet", "--data", "w"], 1, "none.parquet"),
        (["screen", "--data", "w"], 1, "run `mhmd extract` first"),
        (["dedup", "--data", "w", "--radius", "13"], 2, "radius = 13"),
        (["dedup", "none.toml", "--data", "w"], 1, "none.toml"),
        (["screen", "--data", "w", "--on", "cluster"], 2, "wanted one of serial, processes, ray"),
        (["check"], 2, "wanted OUT, or --splits"),
        (["check", "w", "--splits"], 1, "w has no samples.parquet"),
        (["check", "--splits", "--data", "w"], 2, "no films manifest"),
        (["manifest", "none.csv", "films.parquet"], 1, "no file none.csv"),
        (["label", "--template", "t.csv", "--data", "w"], 1, "run `mhmd extract` first"),
        (["import-mhmd", "none", "--data", "w"], 1, "none has no <set>/sign.txt"),
        (["split", "--films", "none.csv", "--splits", "s.csv"], 1, "no file"),
        (["check", "w"], 1, "wanted a dataset that `mhmd shard` made"),
        (["show", "x_1", "--data", "w"], 1, "no frame 'x_1'"),
        (["show", "x", "--data", "w", "--sheet", "x.jpg"], 1, "no frames of 'x'"),
        (["dedup", "--radius", "many"], 2, "Invalid value for '--radius'"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(tmp_path: Path, words: list[str], code: int, message: str) -> None:
    done = mhmd(*words, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "w").exists()

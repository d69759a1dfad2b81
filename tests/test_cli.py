"""The command line as a user meets it: in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "av", "cv2", "ray", "pandas", "pyarrow", "numpy")


MHMD = str(Path(sys.executable).with_name("mhmd"))


def mhmd(*words: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `mhmd` and return what it said."""
    wide = os.environ | {"COLUMNS": "200"} | environ
    return subprocess.run([MHMD, *words], capture_output=True, text=True, cwd=cwd, check=False, env=wide)


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
        (["show", "x", "--data", "w", "--sheet", "x.png"], 2, "wanted the name of a JPEG"),
        (["show", "x", "--data", "w", "--sheet", "none/x.jpg"], 2, "no such folder"),
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


def test_a_terminal_that_lacks_a_letter_is_shown_another(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("film_id,title,path\nfilm,Film,käse×.mp4\n")
    words = ("extract", "--films", "films.csv", "--data", "w")
    done = mhmd(*words, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, "k?se?.mp4" in done.stdout, "Traceback" in done.stderr) == (1, True, False)


def test_a_run_that_is_interrupted_says_how_to_go_on(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    os.mkfifo(recipe)
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from mhmd.cli import main; main()"
    command = [sys.executable, "-c", code, "screen", str(recipe), "--data", str(tmp_path / "w")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, recipe.open("w"):  # it is being read
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 130
    assert said.startswith("interrupted; what is done stays done")

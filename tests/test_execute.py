"""Units run in children under a watchdog; what they do cannot take the run with it."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from mhmd.children import Child
from mhmd.execute import Job, StageBug, Watchdog
from mhmd.make import Made, make
from mhmd.records import Failure, Frame
from mhmd.stage import AnyStage, Where
from mhmd.storage import Stamp, Storage, schema_of
from tests.fakes import bugs, dies, eats, feeds, hangs, killed, starves
from tests.fakes.common import NoKnobs


@pytest.fixture
def workspace(tmp_path: Path) -> Where:
    """Three films with frames tables that have no rows."""
    for film in ("a", "bad", "c"):
        Storage(str(tmp_path)).write_table(f"frames/{film}.parquet", schema_of(Frame).empty_table(), Stamp("x"))
        for table in ("films", "shots"):
            Storage(str(tmp_path)).write_table(f"{table}/{film}.parquet", schema_of(Frame).empty_table(), Stamp("x"))
    return Where(str(tmp_path))


def fates(made: Made) -> dict[str, str]:
    return {outcome.unit: outcome.error or outcome.status for outcome in made.outcomes}


@pytest.mark.parametrize("on", ["serial", "processes"])
def test_a_unit_that_hangs_is_ended_and_the_others_go_on(workspace: Where, on: str) -> None:
    made = make(hangs.STAGE, NoKnobs(), workspace, on=on, workers=2, watchdog=Watchdog(stall_s=3))
    assert fates(made) == {"a": "made", "bad": "Stalled", "c": "made"}


@pytest.mark.parametrize("stage", [eats.STAGE, feeds.STAGE], ids=["itself", "its program"])
def test_a_unit_that_eats_memory_is_ended_and_the_others_go_on(workspace: Where, stage: AnyStage) -> None:
    made = make(stage, NoKnobs(), workspace, workers=2, watchdog=Watchdog(memory_bytes=400_000_000))
    assert fates(made) == {"a": "made", "bad": "TooMuchMemory", "c": "made"}


@pytest.mark.parametrize(("stage", "error"), [(starves.STAGE, "TooMuchMemory"), (killed.STAGE, "WorkerDied")])
def test_a_unit_that_the_system_gives_no_memory_says_so_and_the_others_go_on(
    workspace: Where, stage: AnyStage, error: str
) -> None:
    made = make(stage, NoKnobs(), workspace, workers=1)
    assert fates(made) == {"a": "made", "bad": error, "c": "made"}
    assert "memory" in made.failed[0].message
    assert "--workers" in made.failed[0].message


def test_a_unit_whose_process_dies_is_named_and_counted(workspace: Where) -> None:
    for attempt in (1, 2):
        made = make(dies.STAGE, NoKnobs(), workspace, workers=1)
        assert fates(made) == {"a": "made" if attempt == 1 else "fresh", "bad": "WorkerDied", "c": fates(made)["a"]}
        rows = Storage(workspace.data).table(f"{Failure.TABLE}/fake/bad.parquet").to_pylist()
        assert [(row["class"], row["attempt"]) for row in rows] == [("WorkerDied", attempt)]


def test_an_error_that_was_cut_off_is_told_anew(workspace: Where) -> None:
    make(dies.STAGE, NoKnobs(), workspace, only=["bad"])
    path = Path(workspace.data) / Failure.TABLE / "fake" / "bad.parquet"
    path.write_bytes(b"")
    make(dies.STAGE, NoKnobs(), workspace, only=["bad"])
    assert Storage(workspace.data).table(f"{Failure.TABLE}/fake/bad.parquet")["attempt"].to_pylist() == [1]


def test_a_process_that_died_in_between_can_be_given_a_unit_and_ended(workspace: Where) -> None:
    child = Child(Job("tests.fakes.hangs", "{}", workspace, ("a",)), queue.Queue(), 1, 0)
    child.process.kill()
    child.process.wait()
    child.give("a")
    child.kill()


@pytest.mark.parametrize("on", ["serial", "processes"])
def test_a_bug_is_a_traceback_and_the_others_go_on(workspace: Where, on: str) -> None:
    with pytest.raises(StageBug, match=r"(?s)tests/fakes/bugs\.py.*ZeroDivisionError"):
        make(bugs.STAGE, NoKnobs(), workspace, workers=2, on=on)
    assert not Storage(workspace.data).exists(f"{Failure.TABLE}/fake/bad.parquet")
    again = make(bugs.STAGE, NoKnobs(), workspace, only=["a", "c"])
    assert fates(again) == {"a": "fresh", "c": "fresh"}

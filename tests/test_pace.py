"""How far a stage is, with a clock that the test moves."""

from mhmd.execute import Outcome, Progress
from mhmd.pace import Pace


def test_two_films_of_four() -> None:
    now = [100.0]
    pace = Pace(4, lambda: now[0])
    assert pace.text().startswith("0/4, 0/s")
    now[0] = 110.0
    pace.take(Progress("a", 500, 1000, 20))
    pace.take(Progress("a", 1000, 1000, 40))
    pace.take(Progress("b", 500, 1000, 25))
    pace.take(Outcome("a", "made"))
    pace.take(Outcome("c", "fresh"))
    assert pace.share == 1.5 / 4
    assert pace.text() == "1/4, 150/s, 65 stored, 0:00:17 left"
    now[0] = 10_000.0
    assert pace.text().endswith(" 4:35:00 left")


def test_a_film_that_fails_counts_as_ended() -> None:
    pace = Pace(1)
    pace.take(Progress("a", 5, 0))
    pace.take(Outcome("a", "failed"))
    assert (pace.share, pace.ended, pace.stored) == (1.0, 1, 0)

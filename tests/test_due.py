"""Judging when something comes due shows what judging at every moment shows: over months, with dates everywhere."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from exporter.checks.registry import CHECKS
from exporter.judging.check import Outcome, failed, passed
from exporter.metrics import render_reports
from exporter.model import Report
from exporter.moments import Now
from exporter.summaries import judged_of
from tests.support.dated_fleet import DAY, HOUR, MONTHS, Dated, dated
from tests.support.targets import NOW

MINUTE, TICK = timedelta(minutes=1), timedelta.resolution


@dataclass
class Shown:
    """What is shown of a target: the reports with their remedies, all lines, and what lists say.

    Attributes:
        next_change: when it may be something else.
    """

    reports: Sequence[Report]
    lines: object
    summary: object
    next_change: datetime | None

    def is_same_as(self, other: "Shown") -> bool:
        return (self.reports, self.lines, self.summary) == (other.reports, other.lines, other.summary)


def shown(one: Dated, at: datetime) -> Shown:
    """What the publisher shows of the target when it is judged at this time."""
    now = Now(at)
    reports = one.judge.reports(one.seen, one.target, now)
    lines = render_reports(reports, one.judge.policies_of(one.target), full=True)
    summary = judged_of(reports)
    return Shown(reports, lines, summary, now.next_change)


@dataclass
class Life:
    """The life of a target that is judged when something comes due.

    Attributes:
        judged: how often it was judged.
        late: times at which judging would have shown something else.
        changes: how often something else was shown than before.
    """

    judged: int
    late: list[datetime]
    changes: int


def live(one: Dated, looked_at: Iterable[datetime]) -> Life:
    latest = shown(one, NOW)
    life = Life(1, [], 0)
    for at in sorted(looked_at):
        while latest.next_change is not None and latest.next_change <= at:
            before, due = latest, latest.next_change
            latest = shown(one, due)
            life.judged += 1
            life.changes += not latest.is_same_as(before)
            assert latest.next_change is None or latest.next_change > due
        if not latest.is_same_as(shown(one, at)):
            life.late.append(at)
    return life


def interesting(one: Dated, seed: int, most: int) -> list[datetime]:
    """Some of the moments around all dates, and some random ones."""
    random = Random(seed)  # noqa: S311 - no secret
    around = [at + tick for at in one.moments() for tick in (-TICK, timedelta(0), TICK)]
    around += [NOW.replace(hour=0) + days * DAY for days in range(1, MONTHS.days)]
    within = sorted(at for at in around if NOW < at < NOW + MONTHS)
    return [*random.sample(within, min(most, len(within))), *(NOW + random.random() * MONTHS for _ in range(most // 4))]


@pytest.mark.parametrize("seed", range(7))
def test_nothing_that_is_shown_is_ever_late_over_months(tmp_path: Path, seed: int) -> None:
    one = dated(tmp_path, seed)
    life = live(one, interesting(one, seed, 60))
    assert life.late == []
    assert life.changes > 20, "there was something to be late with"
    # Every day for the days that certificates have left, every hour at their ends, and at each date.
    assert life.judged < 3 * MONTHS.days, "a minute would be 172,800 times"


@pytest.mark.parametrize("seed", [1, 4])
def test_nothing_is_late_in_any_minute_of_some_hours(tmp_path: Path, seed: int) -> None:
    one = dated(tmp_path, seed)
    ends = min(at for at in one.moments() if at > NOW + DAY)
    life = live(one, [ends - 2 * HOUR + minute * MINUTE for minute in range(4 * 60)])
    assert life.late == []


def forgetting(compare: Callable[[datetime, datetime], bool]) -> Callable[[Now, datetime], bool]:
    return lambda now, moment: compare(now._time, moment)  # noqa: SLF001 - to break it


BROKEN = {
    "at or after": ("__ge__", forgetting(lambda now, moment: now >= moment)),
    "after": ("__gt__", forgetting(lambda now, moment: now > moment)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_comparison_that_notes_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(Now, *BROKEN[what])
    assert any(live(one, interesting(one, seed, 60)).late for seed in (1, 4) for one in [dated(tmp_path, seed)])


def test_a_check_that_reads_the_time_itself_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def verdict(case: Any, _demand: object) -> Outcome:  # noqa: ANN401 - a Case
        even = case.now._time.hour % 2 == 0  # noqa: SLF001 - to break it
        return passed("even") if even else failed("odd")

    changed = tuple(replace(one, verdict=verdict) if one.name == "hsts" else one for one in CHECKS)
    monkeypatch.setattr("exporter.judge.CHECKS", changed)
    assert any(live(one, interesting(one, seed, 60)).late for seed in (1, 4) for one in [dated(tmp_path, seed)])

"""The same message again and again."""

import logging
import threading
from typing import Any

import pytest

from exporter.logs import repeats
from exporter.logs.repeats import PASS, WITHIN_SECONDS, Kind, Repeats, _Window


class Clock:
    """A clock that only the test moves."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def record(
    template: str, *args: object, level: int = logging.WARNING, name: str = "exporter", **fields: str
) -> logging.LogRecord:
    made = logging.LogRecord(name, level, "", 0, template, args, None)
    made.fields = fields
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> Repeats:
    return Repeats(clock)


def admitted(limit: Repeats, count: int, one: logging.LogRecord) -> int:
    return sum(limit.admits(one) for _ in range(count))


def said(limit: Repeats, **arguments: bool) -> list[str]:
    return [summary.getMessage() for summary in limit.summaries(**arguments)]


def test_the_first_few_pass_and_the_rest_is_one_line(limit: Repeats, clock: Clock) -> None:
    assert admitted(limit, 1000, record("no %s", "files")) == PASS
    assert said(limit) == []
    clock.seconds += WITHIN_SECONDS
    assert said(limit) == [f"repeated {1000 - PASS} more times: no files"]
    assert said(limit) == []
    assert admitted(limit, 1, record("no %s", "files")) == 1, "the next minute begins again"


def test_a_summary_has_what_the_record_had(limit: Repeats) -> None:
    admitted(limit, PASS + 1, record("no answer", level=logging.ERROR, name="exporter.app", target="a"))
    (summary,) = limit.summaries(of_all=True)
    assert summary.getMessage() == "repeated 1 more time: no answer"
    assert (summary.name, summary.levelname) == ("exporter.app", "ERROR")
    assert summary.fields == {"target": "a"}  # type: ignore[attr-defined]


def test_what_did_not_repeat_needs_no_summary(limit: Repeats, clock: Clock) -> None:
    assert admitted(limit, PASS, record("no files")) == PASS
    clock.seconds += WITHIN_SECONDS
    assert said(limit) == []
    assert limit.seconds_left() is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (record("a"), record("b")),
        (record("no %s", "files"), record("no %s", "sockets")),
        (record("a", target="one"), record("a", target="two")),
        (record("a", name="asyncio"), record("a", name="uvicorn")),
        (record("a"), record("a", level=logging.ERROR)),
    ],
)
def test_another_kind_of_error_is_not_lost_among_many(
    limit: Repeats, one: logging.LogRecord, other: logging.LogRecord
) -> None:
    assert admitted(limit, 100, one) == PASS
    assert limit.admits(other)


def test_another_exception_is_another_kind(limit: Repeats) -> None:
    for error in (ValueError("a"), OSError("b")):
        one = record("probe failed")
        one.exc_info = (type(error), error, None)
        assert admitted(limit, 100, one) == PASS


def test_addresses_of_objects_do_not_make_another_kind(limit: Repeats) -> None:
    assert sum(limit.admits(record(f"<Task at {hex(number)}> was destroyed")) for number in range(100)) == PASS


def test_what_is_no_warning_is_not_limited(limit: Repeats) -> None:
    assert admitted(limit, 100, record("scanned", level=logging.INFO)) == 100


def test_a_warning_of_a_library_comes_once_a_day_for_each_target(limit: Repeats, clock: Clock) -> None:
    for target in ("a", "b"):
        assert admitted(limit, 3, record("%s", "a negative serial number", name=repeats.WARNINGS, target=target)) == 1
    clock.seconds += repeats.WARNINGS_WITHIN_SECONDS
    assert said(limit) == ["repeated 2 more times: a negative serial number"] * 2


def test_kinds_without_end_take_no_memory_without_end(limit: Repeats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST_KINDS", 10)
    told: list[str] = []
    for number in range(100):
        admitted(limit, PASS + 1, record("%s", f"kind {number}"))
        told += said(limit)
    assert told == [f"repeated 1 more time: kind {number}" for number in range(90)], "the first to come goes first"
    assert len(said(limit, of_all=True)) == 10


def test_the_time_left_is_that_of_the_first_to_end(limit: Repeats, clock: Clock) -> None:
    assert limit.seconds_left() is None
    admitted(limit, 1, record("a", name=repeats.WARNINGS))
    admitted(limit, 1, record("a"))
    clock.seconds += 10
    assert limit.seconds_left() == WITHIN_SECONDS - 10


class Looked(dict[Kind, _Window]):
    """Has another thread's look happen at the step after a kind was added."""

    def __init__(self, limit: Repeats) -> None:
        super().__init__()
        self.limit = limit
        self.seen: list[float | None] = []

    def setdefault(self, kind: Kind, default: Any = None) -> Any:  # noqa: ANN401 - as dict has it
        window = super().setdefault(kind, default)
        self.seen.append(self.limit.seconds_left())
        return window


def test_the_thread_that_writes_may_look_while_a_kind_is_added(limit: Repeats) -> None:
    limit._windows = looked = Looked(limit)  # noqa: SLF001 - that step lasts microseconds
    limit.admits(record("no %s", "files"))
    assert len(looked.seen) == 1
    for seconds in looked.seen:
        assert seconds is not None
        assert seconds <= threading.TIMEOUT_MAX

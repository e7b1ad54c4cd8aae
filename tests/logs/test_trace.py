"""The log of one scan, for whoever asked for it."""

import asyncio
import logging

import pytest

from exporter.logs import about, fields
from exporter.logs.trace import Trace, detail, tracing

log = logging.getLogger("exporter.traced")


def test_a_trace_has_the_lines_of_its_own_task_and_of_those_that_it_starts() -> None:
    async def one(trace: Trace, name: str) -> None:
        with tracing(trace), about(target=name):
            log.warning("seen", extra=fields(number=1))
            await asyncio.sleep(0)
            await asyncio.create_task(other())

    async def other() -> None:
        detail(log, "in detail", reason=None, seconds=0.5)

    async def run() -> None:
        await asyncio.gather(one(first, "a"), one(second, "b"))
        log.warning("outside")

    first, second = Trace(), Trace()
    asyncio.run(run())
    lines = [line.partition(" ")[2] for line in first.text().splitlines()]
    assert lines == [
        "level=warning logger=exporter.traced msg=seen target=a number=1",
        'level=debug logger=exporter.traced msg="in detail" target=a seconds=0.5',
    ]
    assert first.text().count("\n") == 2
    assert "target=b" in second.text()


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
def test_details_are_traced_once_at_every_level_of_the_log(level: int, caplog: pytest.LogCaptureFixture) -> None:
    trace = Trace()
    with caplog.at_level(level, "exporter"), tracing(trace):
        detail(log, "once")
    assert trace.text().count("msg=once") == 1
    assert ("once" in caplog.text) == (level == logging.DEBUG)


def test_a_trace_is_limited_and_says_so() -> None:
    trace = Trace(most_characters=200)
    with tracing(trace):
        for _ in range(5):
            log.warning("x" * 80)
        log.warning("short")
    assert len(trace.text()) < 300
    assert trace.text().endswith("\n5 more lines\n")


def test_text_of_servers_is_escaped_in_a_trace() -> None:
    trace = Trace()
    with tracing(trace):
        log.warning("said %s", "\x1b[31m\nlevel=error\u202e")
    assert trace.text().count("\n") == 1
    assert "\x1b" not in trace.text()
    assert "\u202e" not in trace.text()

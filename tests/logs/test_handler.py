"""A log that nobody reads, or that cannot be written, and what comes of its lines."""

import asyncio
import fcntl
import gc
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EIO, ENOSPC, EPIPE

import pytest

from exporter.logs import LineHandler, LogfmtFormatter, _write_all, about, dropped_lines, fields, logging_to_stderr
from exporter.logs.handler import MOST_BYTES
from exporter.logs.repeats import PASS

SOON = 30.0


class Gate:
    """A writer that waits until the test opens it, as for a full pipe."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.open = threading.Event()
        self.reached = threading.Event()
        self.error: OSError | None = None

    def __call__(self, data: bytes) -> None:
        self.reached.set()
        self.open.wait(SOON)
        if self.error is not None:
            raise self.error
        self.lines.append(data.decode().removesuffix("\n"))


@contextmanager
def handled(write: Callable[[bytes], None], now: Callable[[], float] = time.monotonic) -> Iterator[logging.Logger]:
    """A logger with a handler of its own; at the end all is written."""
    handler = LineHandler(write, LogfmtFormatter(), now)
    logger = logging.Logger("test", logging.DEBUG)  # noqa: LOG001 - of this test only
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.finish(SOON)
        handler.close()


def handler_of(logger: logging.Logger) -> LineHandler:
    (handler,) = logger.handlers
    assert isinstance(handler, LineHandler)
    return handler


def test_nobody_who_logs_waits_for_a_writer_that_waits() -> None:
    gate = Gate()
    with handled(gate) as logger:
        for number in range(3_000):
            logger.info("line %d %s", number, "x" * 1000)
        handler = handler_of(logger)
        assert handler.dropped > 2_000
        before = handler.dropped
        logger.error("the last one")
        assert handler.dropped == before, "lines at info leave space for errors"
        gate.open.set()
    written = [line for line in gate.lines if "msg=" in line]
    assert sum(map(len, written)) < MOST_BYTES // 2 + 5000
    assert len(gate.lines) == 3_001 - handler.dropped + 1
    assert gate.lines[-1].endswith(
        f'level=warning logger=exporter.logs.handler msg="{handler.dropped} log lines dropped"'
    )


@pytest.mark.parametrize("number", [EPIPE, EIO, ENOSPC])
def test_a_line_that_cannot_be_written_counts_as_dropped(number: int) -> None:
    gate = Gate()
    gate.open.set()
    gate.error = OSError(number, os.strerror(number))
    with handled(gate) as logger:
        logger.info("lost")
        logger.info("lost too")
        handler = handler_of(logger)
        while handler.dropped < 2:
            time.sleep(0.001)
        gate.error = None
        logger.info("there is space again")
    assert [line.split(" ", 1)[1] for line in gate.lines] == [
        'level=info logger=test msg="there is space again"',
        'level=warning logger=exporter.logs.handler msg="2 log lines dropped"',
    ]


def test_the_end_waits_for_a_full_pipe_for_a_short_time_only() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    handler = LineHandler(lambda data: _write_all(writing, data), LogfmtFormatter(), time.monotonic)
    logger = logging.Logger("test")  # noqa: LOG001 - of this test only
    logger.addHandler(handler)
    for _ in range(100):
        logger.info("x" * 1000)
    handler.finish(0.01)
    assert handler.dropped == 0, "all of it waits"
    os.close(reading)  # which ends the thread's write
    handler.finish(SOON)
    assert handler.dropped > 0
    os.close(writing)


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = b"x" * (1 << 20)
    thread = threading.Thread(target=_write_all, args=(writing, data))
    thread.start()
    read = 0
    while read < len(data):
        read += len(os.read(reading, 1 << 16))
    thread.join(SOON)
    assert not thread.is_alive()
    os.close(reading)
    os.close(writing)


def test_repetitions_are_one_line_when_their_time_is_over_even_if_nothing_else_is_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exporter.logs.repeats.WITHIN_SECONDS", 0.5)
    gate = Gate()
    gate.open.set()
    with handled(gate) as logger:
        for _ in range(100):
            logger.error("no files")
        while not any("repeated" in line for line in gate.lines):
            time.sleep(0.001)
    shown = sum('msg="no files"' in line for line in gate.lines)
    assert PASS <= shown < 100


def test_a_finalizer_that_logs_while_a_line_is_logged_does_no_harm() -> None:
    class Finalized:
        def __init__(self, logger: logging.Logger) -> None:
            self.logger, self.circle = logger, self

        def __del__(self) -> None:
            self.logger.error("finalized")

    gate = Gate()
    gate.open.set()
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        with handled(gate) as logger:
            for number in range(300):
                Finalized(logger)
                logger.info("line %d", number)
            gc.collect()
    finally:
        gc.set_threshold(*before)
    assert sum('msg="line' in line for line in gate.lines) == 300
    assert sum("msg=finalized" in line for line in gate.lines) == PASS


def test_a_mistake_in_a_log_call_is_a_line_and_no_exception() -> None:
    gate = Gate()
    gate.open.set()
    with handled(gate) as logger:
        logger.error("%d", "no number")
    (line,) = gate.lines
    assert "test_handler.py" in line
    assert line.endswith('cannot be formatted"')


def test_lines_have_the_fields_of_their_task_also_in_threads() -> None:
    gate = Gate()
    gate.open.set()

    async def scan(logger: logging.Logger, target: str) -> None:
        with about(target=target):
            await asyncio.sleep(0)
            with about(address="192.0.2.1"):
                await asyncio.to_thread(logger.warning, "odd", extra=fields(probe="x", missing=None))
            logger.warning("even")

    async def scans(logger: logging.Logger) -> None:
        await asyncio.gather(scan(logger, "a"), scan(logger, "b c"))
        logger.warning("outside")

    with handled(gate) as logger:
        asyncio.run(scans(logger))
    shown = sorted(line.split("msg=")[1] for line in gate.lines)
    assert shown == [
        'even target="b c"',
        "even target=a",
        'odd target="b c" address=192.0.2.1 probe=x',
        "odd target=a address=192.0.2.1 probe=x",
        "outside",
    ]


@pytest.mark.usefixtures("_logging_restored")
def test_what_python_writes_itself_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    class Bad:
        def __del__(self) -> None:
            raise ValueError("in a finalizer")

    def fail() -> None:
        raise ValueError("in a thread")

    before = sys.unraisablehook, threading.excepthook
    with logging_to_stderr("info", "logfmt"):
        Bad()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert (sys.unraisablehook, threading.excepthook) == before
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "ValueError: in a finalizer" in lines[0]
    assert "ValueError: in a thread" in lines[1]


@pytest.mark.usefixtures("_logging_restored")
def test_dropped_lines_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        with logging_to_stderr("info", "logfmt"):
            before = dropped_lines()
            logging.getLogger("exporter").info("lost")
            while dropped_lines() == before:
                time.sleep(0.001)
            assert dropped_lines() == before + 1
    with suppress(OSError):
        os.close(writing)


@pytest.mark.usefixtures("_logging_restored")
def test_a_warning_of_a_library_names_each_target_once(capsys: pytest.CaptureFixture[str]) -> None:
    def parse() -> None:
        warnings.warn("a negative serial number", stacklevel=1)  # Python itself shows it once for this line

    async def scan(target: str) -> None:
        with about(target=target):
            for _ in range(3):
                await asyncio.to_thread(parse)

    with warnings.catch_warnings():
        warnings.resetwarnings()
        with logging_to_stderr("info", "json"):
            asyncio.run(scan("a"))
            asyncio.run(scan("b"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    shown = [(line["target"], line["msg"].startswith("repeated 2 more times")) for line in lines]
    assert shown == [("a", False), ("b", False), ("a", True), ("b", True)]
    assert all("a negative serial number" in line["msg"] for line in lines)

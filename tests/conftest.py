"""What every test shares: no traffic outside loopback, and a place for what real servers need."""

import gc
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import groupby
from typing import Any

import pytest
from hypothesis import settings

from tests.support.demonstration import demo_address, prometheus
from tests.support.leftovers import end_with_parent
from tests.support.marker import pytest_runtest_protocol, watch_processes
from tests.support.order import long_ones_first

__all__ = ["demo_address", "prometheus", "pytest_runtest_protocol"]  # fixtures that several modules share, and a hook

# `make fuzz` runs the property tests long, `make test` short.
settings.register_profile("short", max_examples=50, deadline=None)
settings.register_profile("long", max_examples=3000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def _loopback(address: Any) -> bool:  # noqa: ANN401 - whatever socket.connect takes
    if not isinstance(address, tuple):
        return True  # a Unix socket
    try:
        return ip_address(str(address[0]).split("%", 1)[0]).is_loopback
    except ValueError:
        return address[0] in {"localhost", ""}


def _only_loopback(name: str) -> None:
    """A test that would leave the machine by this method of sockets fails."""
    original = getattr(socket.socket, name)

    def call(self: socket.socket, *args: Any) -> Any:  # noqa: ANN401 - wraps the socket module's own methods
        address = args[-1]
        assert _loopback(address), f"a test reaches for {address}"
        return original(self, *args)

    setattr(socket.socket, name, call)


for _name in ("connect", "connect_ex", "sendto"):
    _only_loopback(_name)
watch_processes()
if "PYTEST_XDIST_WORKER" in os.environ:
    end_with_parent()


LONG_SECONDS = 200
"""A limit for a test above this says that it takes long."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order tests for the workers. A module with a test that says it needs minutes is long."""
    workers = int(getattr(config, "workerinput", {"workercount": 1})["workercount"])
    modules = [list(tests) for _, tests in groupby(items, lambda item: item.path)]
    items[:] = long_ones_first([(tests, any(map(_is_long, tests))) for tests in modules], workers)


def _is_long(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("timeout")
    return marker is not None and marker.args[0] > LONG_SECONDS


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Without searches for garbage, a quarter of the time. Later ones leave out what was collected."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A test that runs the command line sets up logging for the process; the next test must not see that."""
    loggers = [logging.getLogger(name) for name in (None, "exporter", "apscheduler", "uvicorn")]
    levels, handlers = [logger.level for logger in loggers], list(loggers[0].handlers)
    show = warnings.showwarning
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    if warnings.showwarning is not show:
        logging.captureWarnings(False)
    added = [handler for handler in loggers[0].handlers if handler not in handlers]
    for handler in added:
        loggers[0].removeHandler(handler)

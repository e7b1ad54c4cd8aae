"""Holds that a test which starts a server or a tool of the system has the marker `real`.

Without it `make quick` would start the program, or miss it where it is not installed.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

_EVERYWHERE = {"sh", "bash"}
_SYSTEM = ("/usr/", "/bin/", "/sbin/")

_item: pytest.Item | None = None
"""The test that is set up, runs or is torn down in this process."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note which test it is."""
    global _item  # noqa: PLW0603 - pytest runs one test at a time in a process
    _item = item
    try:
        return (yield)
    finally:
        _item = None


def needs_marker(what: str) -> None:
    """Fail the running test unless it is marked; `what` is what it is about to start."""
    if _item is not None and _item.get_closest_marker("real") is None:
        pytest.fail(f"{_item.nodeid} starts {what}: mark it with pytest.mark.real")


def _is_tool(program: str) -> bool:
    """Whether it is installed by a package; what a test wrote itself, or a shell, or this Python is not."""
    place = shutil.which(program) or ""
    return program not in {sys.executable, *_EVERYWHERE} and place.startswith(_SYSTEM)


def _watched(start: Any) -> Any:  # noqa: ANN401 - a method of Popen
    def init(self: Any, args: Any, *more: Any, **options: Any) -> None:  # noqa: ANN401 - as Popen takes them
        program = str(args if isinstance(args, str) else next(iter(args)))
        if _is_tool(program):
            needs_marker(program)
        start(self, args, *more, **options)

    return init


def watch_processes() -> None:
    """Look at every program that is started from now on, by asyncio too; servers on Python say so themselves."""
    subprocess.Popen.__init__ = _watched(subprocess.Popen.__init__)  # type: ignore[method-assign]

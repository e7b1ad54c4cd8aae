"""Calls that block have threads by kind of work, and nobody waits for a call that hangs."""

import ast
import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter.threads import POOLS, Pool

PACKAGE = Path(__file__).parent.parent / "exporter"
SECONDS = 30.0
"""Limit for what happens at once, on a machine that is busy."""


class Hung:
    """A call that hangs until the end of the test."""

    def __init__(self) -> None:
        self.started, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.started.set()
        self.go_on.wait(SECONDS)
        return "done"


@pytest.fixture
def hung() -> Iterator[Hung]:
    """A call that hangs; it ends with the test."""
    call = Hung()
    yield call
    call.go_on.set()


async def start(pool: Pool, call: Hung, owner: str) -> asyncio.Task[str]:
    """A task that waits for the call, which runs by now."""
    task = asyncio.create_task(pool.run(call, owner))
    await until(call.started.is_set)
    return task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what threads do."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0)


async def cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_result_and_the_error_are_those_of_the_call() -> None:
    pool, where = Pool("test", 2), ContextVar[str]("where")

    async def run() -> None:
        where.set("the caller's context")
        assert await pool.run(where.get, "one") == "the caller's context"
        assert await pool.run(lambda: threading.current_thread().daemon, "one") is True
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0, "one")

    asyncio.run(run())
    asyncio.run(run())  # another event loop may use it later
    assert (pool.busy, pool.queue) == (0, 0)


def test_calls_run_in_the_order_of_their_arrival() -> None:
    pool, seen = Pool("test", 1), list[int]()

    async def run() -> None:
        await asyncio.gather(*(pool.run(partial(seen.append, number), number) for number in range(50)))

    asyncio.run(run())
    assert seen == list(range(50))


def test_one_owner_has_one_thread_and_the_others_the_rest(hung: Hung) -> None:
    pool = Pool("test", 2)

    async def run() -> None:
        first = await start(pool, hung, "hostile")
        more = [asyncio.create_task(pool.run(lambda: "later", "hostile")) for _ in range(20)]
        assert [await pool.run(lambda: "at once", "healthy") for _ in range(20)] == ["at once"] * 20
        assert not any(task.done() for task in (first, *more))
        assert (pool.busy, pool.queue) == (1, 20)
        hung.go_on.set()
        assert await asyncio.gather(first, *more) == ["done", *["later"] * 20]

    asyncio.run(run())


def test_a_call_keeps_its_thread_when_nobody_waits_any_more(hung: Hung) -> None:
    pool = Pool("test", 2)

    async def run() -> None:
        await cancel(await start(pool, hung, "hostile"))
        assert (pool.busy, pool.queue) == (1, 0)
        next_one = asyncio.create_task(pool.run(lambda: "next", "hostile"))
        assert await pool.run(lambda: "other", "healthy") == "other"
        assert not next_one.done(), "two calls of one owner would run at once"
        hung.go_on.set()
        assert await next_one == "next"

    asyncio.run(run())


def test_an_error_that_nobody_waits_for_any_more_is_not_logged() -> None:
    pool, said = Pool("test", 1), list[object]()

    def fail() -> None:
        raise ValueError

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
        task = asyncio.create_task(pool.run(fail, "a"))
        await asyncio.sleep(0)  # it has begun
        while pool.busy or pool.queue:
            time.sleep(0.001)  # noqa: ASYNC251 - the loop does not get to hear of the error yet
        asyncio.get_running_loop().call_soon(task.cancel)  # between the error and the caller
        with suppress(asyncio.CancelledError, ValueError):
            await task

    asyncio.run(run())
    gc.collect()
    assert said == []


def test_who_stops_waiting_for_a_thread_leaves_the_queue(hung: Hung) -> None:
    pool, called = Pool("test", 1), list[str]()

    async def run() -> None:
        first = await start(pool, hung, "one")
        second = asyncio.create_task(pool.run(partial(called.append, "second"), "two"))
        await asyncio.sleep(0)
        assert pool.queue == 1
        await cancel(second)
        assert pool.queue == 0
        hung.go_on.set()
        await first
        await pool.run(partial(called.append, "third"), "three")

    asyncio.run(run())
    assert called == ["third"]


@pytest.mark.parametrize(("owner", "entered"), [("two", ["in", "out"]), ("one", [])])
def test_it_is_shown_while_a_call_waits_for_those_of_other_owners(hung: Hung, owner: str, entered: list[str]) -> None:
    """A wait for an own call that hangs is not."""
    pool, seen = Pool("test", 1), list[str]()

    @contextmanager
    def waiting() -> Iterator[None]:
        seen.append("in")
        yield
        seen.append("out")

    async def run() -> None:
        first = await start(pool, hung, "one")
        second = asyncio.create_task(pool.run(lambda: list(seen), owner, waiting))
        await asyncio.sleep(0)
        assert seen == entered[:1]
        hung.go_on.set()
        await asyncio.gather(first, second)

    asyncio.run(run())
    assert seen == entered


def test_calls_that_hang_are_bounded_by_the_threads(hung: Hung) -> None:
    pool, before = Pool("test", 3), threading.active_count()

    async def run() -> None:
        tasks = [asyncio.create_task(pool.run(hung, str(owner))) for owner in range(20)]
        await until(lambda: pool.busy == 3)
        assert (pool.busy, pool.queue, threading.active_count()) == (3, 17, before + 3)
        for task in tasks:
            await cancel(task)
        assert (pool.busy, pool.queue) == (3, 0)

    asyncio.run(run())


def test_the_loop_may_end_before_the_call(hung: Hung) -> None:
    pool = Pool("test", 1)

    async def run() -> None:
        task = await start(pool, hung, "one")
        task.cancel()

    asyncio.run(run())
    hung.go_on.set()
    assert asyncio.run(pool.run(lambda: "next", "one")) == "next"


def test_a_call_that_hangs_in_one_pool_delays_no_other(hung: Hung) -> None:
    full, other = Pool("full", 1), Pool("other", 1)

    async def run() -> None:
        task = await start(full, hung, "one")
        assert await other.run(lambda: "other", "one") == "other"
        assert not task.done()

    asyncio.run(run())


PROGRAM = """
import asyncio, threading
from exporter.threads import POOLS

hung = threading.Event()

async def run():
    for pool in POOLS:
        for owner in range(pool.threads + 2):
            asyncio.create_task(pool.run(hung.wait, owner))
    while any(pool.busy < pool.threads for pool in POOLS):
        await asyncio.sleep(0)

asyncio.run(run())
print("all threads hang")
"""


def test_the_program_ends_while_all_threads_hang() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=SECONDS * 2, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "all threads hang\n", "")


def test_pools_have_names_of_their_own() -> None:
    assert len({pool.name for pool in POOLS}) == len(POOLS)


def _calls(file: Path) -> set[str]:
    """Names of methods and functions that a source mentions."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("file", [file.relative_to(PACKAGE) for file in sorted(PACKAGE.rglob("*.py"))], ids=str)
def test_nothing_of_a_scan_uses_the_threads_of_asyncio(file: Path) -> None:
    assert not _calls(PACKAGE / file) & {"to_thread", "run_in_executor", "ThreadPoolExecutor"}

"""Patience: counts the time that a server takes, and not the time that the exporter takes."""

import asyncio
from collections.abc import Awaitable, Callable

from exporter.net.patience import FIRST_ANSWER_SECONDS, SCAN_SECONDS, Patience
from tests.support.clock import run_in_feigned_time


def late_at(scan: Callable[[Patience], Awaitable[None]]) -> list[float]:
    """When it was late, in seconds from the start of the scan."""

    async def run() -> list[float]:
        loop, times = asyncio.get_running_loop(), list[float]()
        with Patience(lambda: times.append(loop.time())) as patience:
            await scan(patience)
        await asyncio.sleep(10 * SCAN_SECONDS)
        return times

    return run_in_feigned_time(run())


def test_a_server_that_does_not_answer_is_late_soon() -> None:
    async def scan(_patience: Patience) -> None:
        await asyncio.sleep(100)

    assert late_at(scan) == [FIRST_ANSWER_SECONDS]


def test_one_that_answers_has_more_time() -> None:
    async def scan(patience: Patience) -> None:
        await asyncio.sleep(1)
        patience.answered()
        patience.answered()
        await asyncio.sleep(100)

    assert late_at(scan) == [SCAN_SECONDS]


def test_a_scan_that_ends_is_not_late_afterwards() -> None:
    async def scan(_patience: Patience) -> None:
        await asyncio.sleep(1)

    assert late_at(scan) == []


def test_time_in_which_all_of_the_scan_waits_for_the_exporter_does_not_count() -> None:
    async def scan(patience: Patience) -> None:
        with patience.waiting():
            await asyncio.sleep(500)
        await asyncio.sleep(100)

    assert late_at(scan) == [500 + FIRST_ANSWER_SECONDS]


def test_time_counts_while_a_connection_is_open_and_others_wait_for_its_place() -> None:
    async def scan(patience: Patience) -> None:
        with patience.waiting(), patience.busy():
            await asyncio.sleep(100)

    assert late_at(scan) == [FIRST_ANSWER_SECONDS]


def test_time_that_counts_is_added_up_between_times_that_do_not() -> None:
    """Each time is shorter than the limit, and the timer of the first one ends while time does not count."""

    async def scan(patience: Patience) -> None:
        for _ in range(3):
            await asyncio.sleep(FIRST_ANSWER_SECONDS / 4)
            with patience.waiting():
                await asyncio.sleep(100)
        await asyncio.sleep(100)

    assert late_at(scan) == [300 + FIRST_ANSWER_SECONDS]


def test_only_the_last_connection_that_ends_stops_the_time() -> None:
    async def scan(patience: Patience) -> None:
        with patience.waiting():
            patience.begin()
            patience.begin()
            await asyncio.sleep(1)
            patience.end()
            await asyncio.sleep(0.5)
            patience.end()
            await asyncio.sleep(100)
        await asyncio.sleep(100)

    assert late_at(scan) == [100 + FIRST_ANSWER_SECONDS]

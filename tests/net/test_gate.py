"""The gate: never more connections to one address than allowed, nor sooner, and no slot is ever lost."""

import asyncio
import contextlib
import itertools
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from exporter.net.gate import HostGate
from tests.support.clock import run_in_feigned_time


def test_lets_in_as_many_as_the_limit_says() -> None:
    async def run() -> int:
        gate, inside, most = HostGate(), 0, 0

        async def visit() -> None:
            nonlocal inside, most
            async with gate.admit("192.0.2.1", 3):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(visit() for _ in range(50)))
        return most

    assert asyncio.run(run()) == 3


def test_addresses_do_not_wait_for_each_other() -> None:
    async def run() -> None:
        gate = HostGate()
        async with asyncio.timeout(1), gate.admit("192.0.2.1", 1), gate.admit("192.0.2.2", 1):
            pass

    asyncio.run(run())


def test_a_cancelled_visitor_gives_its_place_back_whether_it_waited_or_was_inside() -> None:
    async def run() -> None:
        gate = HostGate()
        entered = asyncio.Event()

        async def stay() -> None:
            async with gate.admit("192.0.2.1", 1):
                entered.set()
                await asyncio.Event().wait()

        inside = asyncio.create_task(stay())
        await entered.wait()
        waiting = asyncio.create_task(stay())
        await asyncio.sleep(0)
        for task in (waiting, inside):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        async with asyncio.timeout(1), gate.admit("192.0.2.1", 1):
            pass

    asyncio.run(run())


def test_a_visitor_cancelled_as_it_is_let_in_gives_its_place_back() -> None:
    async def run() -> None:
        gate = HostGate()
        async with gate.admit("192.0.2.1", 1):
            waiting = asyncio.create_task(_enter(gate))
            await asyncio.sleep(0)
        waiting.cancel()  # its turn has come, and it has not run since
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(1), gate.admit("192.0.2.1", 1):
            pass

    async def _enter(gate: HostGate) -> None:
        async with gate.admit("192.0.2.1", 1):
            pass

    asyncio.run(run())


def test_nobody_is_let_in_at_once_before_those_who_wait() -> None:
    async def run() -> None:
        gate = HostGate()
        place = gate.enter_now(ADDRESS, 1)
        assert place is not None
        first = asyncio.create_task(gate.enter(ADDRESS, 1))
        await asyncio.sleep(0)
        assert gate.enter_now(ADDRESS, 5) is None, "the first one wants the address for itself"
        gate.leave(place)
        gate.leave(await first)
        assert gate.enter_now(ADDRESS, 1) is not None

    asyncio.run(run())


def test_nobody_is_let_in_at_once_before_the_gap_has_passed() -> None:
    async def run() -> None:
        gate = HostGate()
        place = gate.enter_now(ADDRESS, 5, 2.0)
        assert place is not None
        gate.leave(place)
        assert gate.enter_now(ADDRESS, 5) is None
        await asyncio.sleep(2.0)
        assert gate.enter_now(ADDRESS, 5) is not None

    run_in_feigned_time(run())


# --- the gap ----------------------------------------------------------------------------------------------------------

ADDRESS = "192.0.2.1"


async def visit(gate: HostGate, starts: list[float], *, limit: int = 1, gap: float = 0, stay: float = 0) -> None:
    async with gate.admit(ADDRESS, limit, gap):
        starts.append(asyncio.get_running_loop().time())
        await asyncio.sleep(stay)


def started(*visits: tuple[float, Mapping[str, int]]) -> list[float]:
    """When visitors who come at these times get in, in the order in which they do."""

    async def run() -> list[float]:
        gate, starts = HostGate(), list[float]()

        async def come(when: float, how: Mapping[str, int]) -> None:
            await asyncio.sleep(when)
            await visit(gate, starts, **how)

        await asyncio.gather(*(come(when, how) for when, how in visits))
        await asyncio.sleep(1000)
        assert not gate._doors  # noqa: SLF001 - what is forgotten cannot be seen otherwise
        return [round(start, 6) for start in starts]

    return run_in_feigned_time(run())


def test_the_gap_lies_between_starts_and_not_after_an_end() -> None:
    usual = {"gap": 2, "stay": 5, "limit": 10}
    assert started((0, usual), (0, usual), (0, usual), (9, usual)) == [0, 2, 4, 9]


def test_a_place_that_is_free_late_is_taken_at_once() -> None:
    assert started((0, {"gap": 2, "stay": 5}), (1, {"gap": 2})) == [0, 5]


def test_the_gap_holds_for_the_next_scan_when_nobody_is_left() -> None:
    assert started((0, {"gap": 10}), (3, {"gap": 10}), (25, {"gap": 10})) == [0, 10, 25]


def test_who_asks_for_no_gap_keeps_that_of_the_one_before() -> None:
    assert started((0, {"gap": 10}), (1, {}), (1, {}), (2, {"gap": 10})) == [0, 10, 10, 10]


def test_places_are_given_first_come_first_served_also_by_those_who_ask_for_less() -> None:
    """Otherwise a scan that needs an address for itself would never get it while others share it."""
    order: list[str] = []

    async def run() -> None:
        gate = HostGate()

        async def named(name: str, limit: int) -> None:
            async with gate.admit(ADDRESS, limit, 1):
                order.append(name)
                await asyncio.sleep(3)

        async with asyncio.TaskGroup() as group:
            for name, limit in (("a", 4), ("b", 4), ("alone", 1), ("c", 4), ("d", 4)):
                group.create_task(named(name, limit))

    run_in_feigned_time(run())
    assert order == ["a", "b", "alone", "c", "d"]


def test_other_addresses_do_not_wait_for_the_gap() -> None:
    async def run() -> float:
        gate = HostGate()
        async with gate.admit("192.0.2.1", 1, 100), gate.admit("192.0.2.2", 1, 100):
            return asyncio.get_running_loop().time()

    assert run_in_feigned_time(run()) == 0


def test_one_who_gives_up_during_the_gap_leaves_the_place_to_the_next() -> None:
    async def run() -> list[float]:
        gate, starts = HostGate(), list[float]()
        await visit(gate, starts, gap=10)
        gives_up = asyncio.create_task(visit(gate, starts, gap=10))
        patient = asyncio.create_task(visit(gate, starts, gap=10))
        await asyncio.sleep(5)
        gives_up.cancel()
        await patient
        return starts

    assert run_in_feigned_time(run()) == [0, 10]


# --- ports of one address ---------------------------------------------------------------------------------------------


def test_a_port_that_holds_each_place_long_does_not_keep_the_others_waiting() -> None:
    """Forty connections of a healthy port wait for one of each silent port, not for one after each of their own."""
    order: list[int] = []

    async def run() -> float:
        gate = HostGate()

        async def scan(port: int, connections: int, stay: float) -> float:
            for _ in range(connections):
                async with gate.admit(ADDRESS, 1, port=port):
                    order.append(port)
                    await asyncio.sleep(stay)
            return asyncio.get_running_loop().time()

        silent = [asyncio.create_task(scan(port, 12, 5)) for port in (1, 2, 3)]
        await asyncio.sleep(0)
        ended = await scan(443, 40, 0.1)
        await asyncio.gather(*silent)
        return ended

    assert run_in_feigned_time(run()) <= 4 * 5 + 40 * 0.1 + 5


def test_a_port_that_comes_later_shares_from_then_on() -> None:
    """It does not get what the other has used before."""
    order: list[int] = []

    async def run() -> None:
        gate = HostGate()

        async def scan(port: int, connections: int) -> None:
            for _ in range(connections):
                async with gate.admit(ADDRESS, 1, port=port):
                    order.append(port)
                    await asyncio.sleep(1)

        first = [asyncio.create_task(scan(1, 20)), asyncio.create_task(scan(1, 20))]
        await asyncio.sleep(9.5)
        await asyncio.gather(scan(2, 5), *first)

    run_in_feigned_time(run())
    came = order.index(2)
    assert order[came : came + 10].count(2) in {5, 4}


def test_all_ports_of_an_address_together_have_its_places() -> None:
    inside = most = 0

    async def run() -> None:
        gate = HostGate()

        async def come(port: int) -> None:
            nonlocal inside, most
            async with gate.admit(ADDRESS, 3, port=port):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(1)
                inside -= 1

        await asyncio.gather(*(come(number % 7) for number in range(40)))
        assert not gate._doors  # noqa: SLF001 - as above

    run_in_feigned_time(run())
    assert most == 3


visits = st.tuples(st.integers(0, 20), st.integers(0, 6), st.none() | st.integers(0, 40))
"""When one comes, how long it stays, and when it gives up."""


@given(st.lists(visits, max_size=12), st.integers(1, 3), st.integers(0, 4))
def test_whoever_comes_and_gives_up_limit_and_gap_hold_and_nothing_stays(
    planned: list[tuple[int, int, int | None]], limit: int, gap: int
) -> None:
    starts: list[float] = []

    async def run() -> None:
        gate, inside = HostGate(), 0

        async def come(when: int, stay: int) -> None:
            nonlocal inside
            await asyncio.sleep(when)
            async with gate.admit(ADDRESS, limit, gap, port=stay % 3):
                starts.append(asyncio.get_running_loop().time())
                inside += 1
                try:
                    assert inside <= limit
                    await asyncio.sleep(stay)
                finally:
                    inside -= 1

        tasks = []
        for when, stay, leaves in planned:
            tasks.append(asyncio.create_task(come(when, stay)))
            if leaves is not None:
                asyncio.get_running_loop().call_later(leaves, tasks[-1].cancel)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
        await asyncio.sleep(gap)
        assert not gate._doors  # noqa: SLF001 - as above

    run_in_feigned_time(run())
    assert all(later - earlier >= gap for earlier, later in itertools.pairwise(starts))

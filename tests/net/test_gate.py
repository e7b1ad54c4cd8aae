"""The gate: never more connections to one address than allowed, and no place is ever lost."""

import asyncio
import contextlib

from exporter.net.gate import HostGate


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

"""The time limit of a dialogue before TLS: long for the first, later as long as this server took before."""

import asyncio
from collections.abc import Iterator

import pytest

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.service import ready_for_tls
from tests.support.plain import Handler, plain_server
from tests.support.targets import make_target

READ_LIMIT_SECONDS = 0.05
LATE_SECONDS = 3 * READ_LIMIT_SECONDS


def smtp(lateness: Iterator[float | None]) -> Handler:
    """A mail server that says nothing for so long on one connection after the other; None is for ever."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late = next(lateness)
        for said in (b"220 mail\r\n", b"250-mail\r\n250 STARTTLS\r\n", b"220 go\r\n"):
            if late is None:
                await reader.read()
                return
            await asyncio.sleep(late)
            writer.write(said)
            await reader.readline()

    return handler


async def _lead(port: int, times: int, seconds_left: float | None = None) -> Dialer:
    dialer = Dialer(make_target(port, starttls="smtp", timeout_seconds=READ_LIMIT_SECONDS), HostGate())
    if seconds_left is not None:
        dialer.until = asyncio.get_running_loop().time() + seconds_left
    for _ in range(times):
        async with ready_for_tls(dialer, max_bytes=65536):
            pass
    return dialer


def _run(lateness: list[float | None], times: int, seconds_left: float | None = None) -> Dialer:
    async def run() -> Dialer:
        async with plain_server(smtp(iter(lateness))) as port:
            return await _lead(port, times, seconds_left)

    return asyncio.run(run())


def test_every_step_of_the_first_dialogue_may_take_longer_than_a_read() -> None:
    dialer = _run([LATE_SECONDS], 1)
    assert dialer.slowest_dialogue_seconds is not None
    assert dialer.slowest_dialogue_seconds >= 3 * LATE_SECONDS


def test_a_server_that_is_slow_each_time_is_waited_for_each_time() -> None:
    assert _run([LATE_SECONDS] * 2, 2).connections == 2


def test_silence_ends_when_the_scan_has_no_time_left_and_says_what_was_missing() -> None:
    with pytest.raises(ProbeError, match="the server did not send its greeting in time") as caught:
        _run([None], 1, seconds_left=0.3)
    assert caught.value.reason is Reason.STARTTLS_TIMEOUT


def test_silence_after_a_quick_dialogue_costs_a_read_limit_and_not_minutes() -> None:
    async def run() -> None:
        async with plain_server(smtp(iter([0.0, None]))) as port, asyncio.timeout(30):
            with pytest.raises(ProbeError) as caught:
                await _lead(port, 2)
            assert caught.value.reason is Reason.STARTTLS_TIMEOUT

    asyncio.run(run())

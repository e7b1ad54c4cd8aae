"""Servers that are silent to everything cost little. Those that are silent to some hellos are read all the same."""

import asyncio
from collections.abc import Callable

import pytest

from exporter.errors import ProbeError
from exporter.model import Protocol, Reason
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.patience import Patience
from exporter.probes.handshake.engine import Engine
from exporter.probes.handshake.life import SHORT_LIST
from tests.support.plain import drip, plain_server
from tests.support.scripted import End, Hello, Reply, Script, Stack, scripted_server
from tests.support.targets import make_target, read_scripted

MOST_HELLOS = 12
GCM = (0xC030, 0xC02F)
CBC = (0xC014, 0x002F)
STACK = Stack({0x0303: GCM, 0x0304: (0x1301,)}, applications=("h2", "http/1.1"), wrong_version=End.SILENCE)
TIMEOUT_SECONDS = 0.5


def silent_unless(tolerated: Callable[[Hello], bool], stack: Stack = STACK) -> Script:
    return lambda hello: stack(hello) if tolerated(hello) else End.SILENCE


def test_a_server_that_never_answers_is_asked_a_dozen_hellos_and_no_more() -> None:
    async def run() -> tuple[ProbeError, int, int]:
        async with scripted_server(lambda _hello: End.SILENCE) as seen:
            dialer = Dialer(make_target(seen.port, timeout_seconds=TIMEOUT_SECONDS), HostGate())
            with pytest.raises(ProbeError) as caught:
                await Engine(dialer).read()
            return caught.value, dialer.connections, len({hello.version for hello in seen.hellos})

    error, connections, versions = asyncio.run(run())
    assert error.reason is Reason.HANDSHAKE_TIMEOUT
    assert connections == MOST_HELLOS
    assert str(MOST_HELLOS) in error.detail
    assert versions == len(Protocol)


def test_one_that_sends_a_byte_now_and_then_costs_no_more() -> None:
    async def run() -> tuple[ProbeError, int]:
        async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await drip(writer, b"\x16\x03\x03\x40\x00\x02" + bytes(1000), 0.05)

        async with plain_server(dripping) as port:
            dialer = Dialer(make_target(port, timeout_seconds=0.2), HostGate())
            with pytest.raises(ProbeError) as caught:
                await Engine(dialer).read()
            return caught.value, dialer.connections

    error, connections = asyncio.run(run())
    assert error.reason is Reason.HANDSHAKE_TIMEOUT
    assert connections == MOST_HELLOS


OLD: dict[int, tuple[int, ...]] = {0x0300: CBC, 0x0301: CBC, 0x0302: CBC}


@pytest.mark.parametrize(
    ("script", "accepted"),
    [
        (silent_unless(lambda hello: len(hello.suites) < 64), {Protocol.TLS1_2, Protocol.TLS1_3}),
        (silent_unless(lambda hello: 16 not in hello.extensions), {Protocol.TLS1_2, Protocol.TLS1_3}),
        (silent_unless(lambda hello: 23 not in hello.extensions), {Protocol.TLS1_2, Protocol.TLS1_3}),
        (
            silent_unless(lambda hello: hello.server_name is None, Stack({0x0303: GCM}, wrong_version=End.SILENCE)),
            {Protocol.TLS1_2},
        ),
        (silent_unless(lambda hello: hello.version == 0x0304), {Protocol.TLS1_3}),
        (silent_unless(lambda hello: bool(hello.key_shares)), {Protocol.TLS1_3}),
        (silent_unless(lambda hello: hello.version == 0x0302, Stack(OLD)), {Protocol.TLS1_1}),
        (silent_unless(lambda hello: hello.version == 0x0301, Stack(OLD)), {Protocol.TLS1_0}),
        (
            silent_unless(lambda hello: hello.version == 0x0301 and len(hello.suites) < 64, Stack(OLD)),
            {Protocol.TLS1_0},
        ),
        (silent_unless(lambda hello: hello.version == 0x0300, Stack(OLD)), {Protocol.SSL3}),
        (silent_unless(lambda hello: hello.version == 2, Stack({2: (0x010080,)})), {Protocol.SSL2}),
    ],
    ids=[
        "long lists",
        "ALPN",
        "extensions",
        "a server name",
        "all but TLS 1.3",
        "all but TLS 1.3 with a key share",
        "all but TLS 1.1",
        "all but TLS 1.0",
        "all but short lists of TLS 1.0",
        "all but SSL 3",
        "all but SSL 2",
    ],
)
def test_a_server_that_is_silent_to_some_hellos_is_read(script: Script, accepted: set[Protocol]) -> None:
    facts, _ = read_scripted(script, timeout_seconds=TIMEOUT_SECONDS)
    assert set(facts.accepted) == accepted
    assert not any(facts.protocols[protocol] is False for protocol in Protocol if protocol not in accepted)


def test_a_server_that_misses_the_first_hello_only_is_read_in_full() -> None:
    left = [End.SILENCE]
    facts, _ = read_scripted(lambda hello: left.pop() if left else STACK(hello), timeout_seconds=TIMEOUT_SECONDS)
    assert set(facts.accepted) == {Protocol.TLS1_2, Protocol.TLS1_3}
    assert not facts.cipher_suites_incomplete


def test_a_server_that_takes_almost_all_of_the_time_limit_for_each_answer_is_not_silent() -> None:
    """It is late for its lane, and read all the same."""
    late: list[int] = []

    async def run() -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            answered.append(1)
            await asyncio.sleep(2.5 if len(answered) == 1 else 0)
            writer.write(b"\x15\x03\x03\x00\x02\x02\x28")

        answered: list[int] = []
        async with plain_server(slow) as port:
            with Patience(lambda: late.append(1)) as patience:
                dialer = Dialer(make_target(port, timeout_seconds=30.0), HostGate(), patience=patience)
                with pytest.raises(ProbeError) as caught:
                    await Engine(dialer).read()
        assert caught.value.reason is Reason.HANDSHAKE_ERROR

    asyncio.run(run())
    assert late == [1]


def test_the_first_hello_has_two_more_tries_after_a_sign_of_life() -> None:
    """A server that serves one connection after the other is busy with those that were just given up."""
    stack, silences = Stack({0x0303: (0xC030, 0xC02F)}), iter(range(2))

    def script(hello: Hello) -> Reply:
        return End.SILENCE if len(hello.suites) > SHORT_LIST and next(silences, None) is not None else stack(hello)

    facts, _ = read_scripted(script, timeout_seconds=1.0)
    assert facts.protocols[Protocol.TLS1_2] is True
    assert not [note for note in facts.notes if "in time" in note]

"""Which of a host's addresses a scan connects to."""

import asyncio
from collections.abc import Sequence

import pytest

from exporter.errors import ProbeError
from exporter.model import IpProtocol, Reason
from exporter.net.dial import MOST_TRIES, Dialer
from exporter.net.gate import HostGate
from tests.support.addresses import Names, shared_port
from tests.support.plain import plain_server
from tests.support.targets import make_target

NOBODY = ["127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14", "127.0.0.15"]
"""Loopback addresses that nobody listens at."""


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def tried(names: Names, *, connections: int = 1, listening: Sequence[str] = ("127.0.0.2", "::1")) -> Dialer:
    """Connect this often, all at once, to a host of these names; gives the dialer."""

    async def run() -> Dialer:
        async with plain_server(_silent) as upstream, shared_port(dict.fromkeys(listening, upstream)) as port:
            dialer = Dialer(make_target(port, host="a.example", connect_address=None), HostGate(), names)

            async def one() -> None:
                async with dialer.connect(max_bytes=10):
                    pass

            await asyncio.gather(*(one() for _ in range(connections)))
            return dialer

    return asyncio.run(run())


def test_the_first_address_that_takes_a_connection_is_that_of_the_whole_scan() -> None:
    names = Names(NOBODY[0], "127.0.0.2", "::1")
    dialer = tried(names, connections=5)
    assert dialer.connections == 1 + 5, "the one that failed was tried once"
    assert names.asked == [("a.example", IpProtocol.ANY)]


def test_the_systems_preference_is_kept_where_it_works() -> None:
    for names in (Names("127.0.0.2", NOBODY[0]), Names("::1", NOBODY[0])):
        assert tried(names).connections == 1


def test_a_protocol_that_leads_nowhere_does_not_use_up_all_tries() -> None:
    assert tried(Names(*NOBODY, "::1")).connections == 2


def test_when_nobody_takes_a_connection_the_first_reason_counts_and_all_are_named() -> None:
    with pytest.raises(ProbeError) as caught:
        tried(Names(*NOBODY, "::1"), listening=["127.0.0.2"])
    assert caught.value.reason is Reason.CONNECT_REFUSED
    assert [part.split(" ")[0] for part in caught.value.detail.split("; ")] == [NOBODY[0], "::1", *NOBODY[1:3]]
    assert len(caught.value.detail.split("; ")) == MOST_TRIES


def test_a_name_that_does_not_resolve_is_told_as_such() -> None:
    names = Names()
    names.answer = Reason.DNS_ERROR
    with pytest.raises(ProbeError) as caught:
        tried(names)
    assert caught.value.reason is Reason.DNS_ERROR


def test_addresses_that_failed_give_their_places_back() -> None:
    async def run() -> None:
        async with plain_server(_silent) as upstream, shared_port({"127.0.0.2": upstream}) as port:
            gate, target = HostGate(), make_target(port, connect_address=None, connections_per_host=1)
            for _ in range(3):
                async with Dialer(target, gate, Names(NOBODY[0], "127.0.0.2")).connect(max_bytes=10):
                    pass
            async with asyncio.timeout(5), gate.admit(NOBODY[0], 1), gate.admit("127.0.0.2", 1):
                pass

    asyncio.run(run())


def test_a_zone_that_an_address_does_not_need_leads_to_the_same_machine() -> None:
    """RFC 4007, 6; the system's own functions refuse such a literal."""

    async def run() -> int:
        async with plain_server(_silent) as upstream, shared_port({"::1": upstream}) as port:
            dialer = Dialer(make_target(port, host="::1%lo", connect_address=None), HostGate())
            async with dialer.connect(max_bytes=10):
                return dialer.connections

    assert asyncio.run(run()) == 1

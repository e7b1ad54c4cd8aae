"""Targets for tests."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from dns.asyncresolver import Resolver

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Facts, Target
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.records import RecordResolver
from exporter.probes.base import Session
from exporter.probes.handshake.engine import Engine
from exporter.scan import Environment
from tests.support.scripted import Script, Seen, scripted_server

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_target(port: int = 443, **changes: Any) -> Target:  # noqa: ANN401 - any field of Target
    """A target on loopback, where a timeout of one second is enough."""
    fields: dict[str, Any] = {
        "name": "test",
        "host": "www.test.example",
        "port": port,
        "policies": ("kopano-checklist",),
        "server_name": "www.test.example",
        "connect_address": "127.0.0.1",
        "timeout_seconds": 1.0,
        "scan_timeout": timedelta(seconds=30),
        "vulnerability_interval": None,
    }
    return Target(**(fields | changes))


def make_environment(dns_port: int = 9, *, validating: bool = False) -> Environment:
    """An environment with the real clock. DNS queries go to this port of 127.0.0.1 (by default an unused one)."""
    resolver = Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = dns_port
    resolver.lifetime = 0.5
    return Environment(now=lambda: datetime.now(UTC), resolver=RecordResolver(resolver, validating=validating))


def make_session(
    target: Target, *, known: Facts | None = None, now: datetime = NOW, environment: Environment | None = None
) -> Session:
    """The session of a probe in a scan of this target. Workers start only if the probe uses them."""
    around = environment or make_environment()
    deadline = asyncio.get_running_loop().time() + target.scan_timeout.total_seconds()
    dialer = Dialer(target, HostGate())
    return Session(target, dialer, around.resolver, now, around.workers, known=known or Facts(), deadline=deadline)


def read_scripted(
    script: Script,
    *,
    before: HandshakeFacts | None = None,
    until_seconds: float | None = None,
    **changes: Any,  # noqa: ANN401 - as above
) -> tuple[HandshakeFacts, Seen]:
    """The facts of the engine about a scripted server, and what the server saw."""

    async def run() -> tuple[HandshakeFacts, Seen]:
        async with scripted_server(script) as seen:
            facts, dialer = await read_handshake(seen.port, before=before, until_seconds=until_seconds, **changes)
            assert dialer.connections == seen.connections
            return facts, seen

    return asyncio.run(run())


async def read_handshake(
    port: int,
    *,
    before: HandshakeFacts | None = None,
    until_seconds: float | None = None,
    **changes: Any,  # noqa: ANN401 - as above
) -> tuple[HandshakeFacts, Dialer]:
    """The facts of the engine about a server on this port, after the scan `before`, within this number of seconds."""
    patient = {"timeout_seconds": 10.0}  # on a busy machine a second may pass in the middle of a flight
    dialer = Dialer(make_target(port, **(patient | changes)), HostGate())
    until = None if until_seconds is None else asyncio.get_running_loop().time() + until_seconds
    return await Engine(dialer, before).read(until), dialer

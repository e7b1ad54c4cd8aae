"""Handshake probe: our own ClientHellos and what servers answer to them. No OpenSSL, no cryptography."""

from dataclasses import replace

from exporter.probes.base import Probe, Session
from exporter.probes.handshake.engine import Engine
from exporter.probes.handshake.facts import FAMILIES, FULL, HandshakeFacts, document, samples


async def _run(session: Session) -> HandshakeFacts:
    facts = await Engine(session.dialer, session.known.get(HandshakeFacts)).read()
    return replace(facts, greeting=session.dialer.greeting)


PROBE = Probe(
    name="handshake",
    kind=HandshakeFacts,
    mandatory=True,
    applies=lambda _target: True,
    run=_run,
    families=FAMILIES,
    samples=samples,
    document=document,
    full=FULL,
)

__all__ = ["PROBE", "HandshakeFacts"]

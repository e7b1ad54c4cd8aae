"""Handshake probe: ClientHellos of our own, and what servers answer to them. No OpenSSL, no cryptography."""

import asyncio
from dataclasses import replace
from random import Random

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.shapes.handshake import SHAPE
from exporter.model import Reason
from exporter.probes.base import Probe, Session
from exporter.probes.handshake.rescan import Occasion, read

_CLOCK_SECONDS = 0.001
"""How much too early a timer may fire, by the clock that it is compared with."""


async def _run(session: Session) -> HandshakeFacts:
    """All that hellos show.

    Raises:
        ProbeError: as `Engine.read`. With facts, when the time ran out before all was asked.
    """
    # Seeded with the time, so that samples differ from scan to scan and a scan can be repeated.
    chance = Random(f"{session.target.name} {session.now}")  # noqa: S311 - no secret depends on it
    occasion = Occasion(session.now, session.target.scan_interval, chance)
    facts = await read(session.dialer, session.known.get(HandshakeFacts), occasion, session.until)
    facts = replace(facts, greeting=session.dialer.greeting)
    if session.until is not None and asyncio.get_running_loop().time() >= session.until - _CLOCK_SECONDS:
        detail = (
            f"the time for hellos was over after {session.dialer.connections} connections; what was not asked is "
            f"unknown; a longer scan_timeout than {session.target.scan_timeout} gets further"
        )
        raise ProbeError(Reason.DEADLINE_EXCEEDED, detail, facts)
    return facts


PROBE = Probe(
    name="handshake",
    shape=SHAPE,
    mandatory=True,
    applies=lambda _target: True,
    run=_run,
)

__all__ = ["PROBE"]

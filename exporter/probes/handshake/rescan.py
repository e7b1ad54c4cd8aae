"""Decides whether a scan asks a server for everything, or confirms in fewer connections what was found before.

A scan asks for everything at least once in `LONGEST`. One in between confirms (`confirmation`): it asks again for all
that was refused, and for samples of what was accepted. An answer that is not the expected one leads to a complete scan
at once. So does an answer that shows anything else than before, such as another certificate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from exporter.facts.handshake import HandshakeFacts, ServedChain
from exporter.net.dial import Dialer
from exporter.probes.handshake.engine import ChangedError, Engine
from exporter.tls.extensions import OCSP_STAPLING

LONGEST = timedelta(days=1)
"""How long something that is no longer accepted can stay in the facts, because no sample asked for it."""

_KEPT = ("protocols", "cipher_suites", "cipher_suites_incomplete", "cipher_order", "compression", "groups", "heartbeat")
_KEPT_TOO = ("alpn", "signature_schemes", "ssl2_certificate", "asked_without", "contradictions")


@dataclass(frozen=True, slots=True)
class Occasion:
    """When a scan takes place: its time, the time to the next one, and the chance that chooses samples."""

    now: datetime
    interval: timedelta
    random: Random


async def read(
    dialer: Dialer, previous: HandshakeFacts | None, occasion: Occasion, until: float | None = None
) -> HandshakeFacts:
    """All facts that hellos show, from a complete scan or a confirmed earlier one.

    Raises:
        ProbeError: as `Engine.read`.
    """
    spent: Mapping[str, int] = {}
    if previous is not None and may_confirm(previous, occasion):
        engine = Engine(dialer, previous, samples=occasion.random)
        try:
            facts = await engine.read(until)
        except ChangedError:
            pass
        else:
            if engine.timed_out:
                return replace(facts, groups={}, signature_schemes=None, alpn=None)  # they may be those of before
            if agrees(facts, previous):
                return _confirmed(facts, previous)
        spent = engine.hellos
    engine = Engine(dialer, previous, spent=spent)
    facts = await engine.read(until)
    return replace(facts, enumerated_at=occasion.now) if engine.confirmable(facts) else facts


def may_confirm(previous: HandshakeFacts, occasion: Occasion) -> bool:
    """Whether the last complete scan is recent enough, also at the time of the next scan."""
    at = previous.enumerated_at
    return at is not None and at <= occasion.now <= at + LONGEST - occasion.interval


def agrees(facts: HandshakeFacts, previous: HandshakeFacts) -> bool:
    """Whether a confirmation shows the same as the scan before. It need not show all that a complete scan shows."""
    return (
        all(getattr(facts, name) == getattr(previous, name) for name in (*_KEPT, *_KEPT_TOO))
        and _without_stapling(facts) == _without_stapling(previous)
        and all(order in {None, previous.group_order.get(protocol)} for protocol, order in facts.group_order.items())
        and set(facts.dh_primes) <= set(previous.dh_primes)
        and facts.ignores_supported_groups in {None, False, previous.ignores_supported_groups}
        and all(any(_is_part(chain, other) for other in previous.plain_chains) for chain in facts.plain_chains)
    )


def _without_stapling(facts: HandshakeFacts) -> dict[str, bool | None]:
    """The extensions without the one that changes by itself: a server staples once it has fetched a response."""
    return {name: has for name, has in facts.extensions.items() if name != OCSP_STAPLING}


def _is_part(chain: ServedChain, other: ServedChain) -> bool:
    """Whether the chains are the same, and the second was served in each protocol of the first."""
    return replace(chain, protocols=other.protocols) == other and set(chain.protocols) <= set(other.protocols)


def _confirmed(facts: HandshakeFacts, previous: HandshakeFacts) -> HandshakeFacts:
    """What was found before, with what this scan says of itself."""
    return replace(previous, extensions=facts.extensions, hellos=facts.hellos)

"""A fleet as it could be: targets that pass, fail, are not known, cannot be reached or were never scanned."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import Listing
from exporter.model import CipherOrder, Facts, Failure, HttpOptions, Protocol, Reason, Target
from exporter.summaries import LatestVerdicts
from tests.support.facts import (
    CBC_RSA,
    GOOD_CAA,
    GOOD_SUITES,
    RC4,
    caa,
    certificate,
    certificates,
    deployment,
    facts,
    handshake,
    http_everywhere,
    issuer,
    showing,
    tried,
    watched,
)
from tests.support.known_fleet import KnownFleet

TEAMS = ("web", "mail", "shop", "platform")
SITES = ("berlin", "delft")
_NEW_HTTP = showing(http_everywhere("max-age=63072000"), ("server", "nginx/1.30.4"))
_OLD_HTTP = showing(http_everywhere(), ("server", "nginx/1.14.0"))


@dataclass(frozen=True, slots=True)
class Kind:
    """What a scan of one kind of target sees; None before the first scan.

    Attributes:
        changes: arguments of `result`.
    """

    name: str
    seen: Facts | None
    changes: dict[str, Any] = field(default_factory=dict)


def _ending(now: datetime, **left: float) -> CertificateFacts:
    years = issuer(not_after=now + timedelta(days=900))
    return certificates(deployment(years, not_before=now - timedelta(days=60), not_after=now + timedelta(**left)))


def _unreached(reason: Reason) -> dict[str, Any]:
    return {"success": False, "failures": (Failure("handshake", reason, "said by the system"),)}


def kinds(now: datetime, days: int = 50) -> tuple[Kind, ...]:
    """Every kind, the usual ones more than once. Certificates of good targets end in so many days."""
    modern = handshake(groups={one: Listing(("x25519", "secp256r1"), complete=True) for one in GOOD_SUITES})
    good = Kind("good", facts(modern, _ending(now, days=days), _NEW_HTTP, GOOD_CAA, tried(at=now), at=now))
    weak = {**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA, RC4), Protocol.TLS1_1: (CBC_RSA,)}
    order = dict.fromkeys(weak, CipherOrder.CLIENT)
    old = facts(handshake(weak, order=order), _ending(now, days=9), _OLD_HTTP, caa(), tried(at=now), at=now)
    no_hsts = facts(modern, _ending(now, days=40), http_everywhere(), GOOD_CAA, tried(at=now), at=now)
    ended = facts(modern, _ending(now, days=-3), _NEW_HTTP, GOOD_CAA, tried(at=now), at=now)
    broken = facts(modern, certificate(), GOOD_CAA, tried(at=now), at=now)
    silent = {"failures": (Failure("http", Reason.HTTP_TIMEOUT, "nothing within 5 s"),)}
    return (
        *(good, good, good, Kind("no HSTS", no_hsts), good, Kind("old", old), good),
        Kind("no HTTP", broken, silent),
        Kind("refused", Facts(), _unreached(Reason.CONNECT_REFUSED)),
        *(good, Kind("ended", ended), Kind("no name", Facts(), _unreached(Reason.DNS_NXDOMAIN)), Kind("new", None)),
    )


def targets(number: int) -> list[Target]:
    """So many targets with labels, every fifth a mail server that the checklist does not judge."""
    return [_target(place) for place in range(number)]


def _target(place: int) -> Target:
    team, site = TEAMS[place % len(TEAMS)], SITES[place // len(TEAMS) % len(SITES)]
    labels = MappingProxyType({"team": team, "site": site})
    host = f"{team}{place:05}.{site}.example.com"
    if place % 5 == 4:
        policies = ("mozilla-intermediate", "mozilla-old")
        service = {"port": 993, "protocol": "imaps", "http": HttpOptions()}
        return watched(name=f"{host}:993", host=host, policies=policies, labels=labels, **service)
    both = ("kopano-checklist", "mozilla-intermediate")
    return watched(name=f"{host}:443", host=host, policies=both if place % 3 else both[:1], labels=labels)


async def stored_fleet(number: int) -> KnownFleet:
    """So many targets with everything that scans find. Each is scanned again after six hours."""
    fleet = KnownFleet(*targets(number))

    def next_due_of(name: str) -> datetime:
        summary = fleet.queries.summary(name)
        return ((summary.scanned_at if summary else None) or fleet.now) + timedelta(hours=6)

    fleet.queries.next_due_of = next_due_of
    for place, name in enumerate(fleet.queries.names()):
        every = kinds(fleet.now, days=20 + place * 7 % 60)
        kind = every[place % len(every)]
        if kind.seen is not None:
            await fleet.saw(name, kind.seen, **kind.changes)
    return fleet


async def varied_fleet(number: int) -> KnownFleet:
    """So many targets. Each kind of target is judged once for each set of policies; others get the same result.

    So ten thousand of them take seconds. Their reports are not known, and only lists show them.
    """
    fleet, known = KnownFleet(*targets(number)), dict[tuple[str, Sequence[str]], LatestVerdicts]()
    every = kinds(fleet.now)
    for place, target in enumerate(sorted(fleet.publisher.setup.targets.values(), key=lambda one: one.name)):
        kind = every[place % len(every)]
        if kind.seen is None:
            continue
        same = kind.name, target.policies
        if same not in known:
            await fleet.saw(target.name, kind.seen, **kind.changes)
            judged = fleet.queries.summary(target.name)
            assert judged is not None
            assert judged.judged is not None
            known[same] = judged.judged
        fleet.knows(target.name, _at(known[same], fleet.now - timedelta(minutes=place % 360)))
    return fleet


def _at(judged: LatestVerdicts, at: datetime) -> LatestVerdicts:
    """The same, of a scan that ended then."""
    return replace(judged, addresses=tuple(replace(one, scanned_at=at) for one in judged.addresses))

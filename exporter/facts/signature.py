"""The signature of a server: shows whether an old answer belongs to the server that is there now."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import HttpFacts
from exporter.model import Facts, Target
from exporter.services import greeting_inside_tls
from exporter.software.fields import read_fields
from exporter.software.greetings import read_greeting
from exporter.software.shown import Shown

Signature = tuple[tuple[str, str], ...]
"""Names of facts and their values in short. Unknown facts are missing."""

_CHANGES_BY_ITSELF = frozenset({"ocsp_stapling"})
"""Servers staple only after they have fetched a response (nginx)."""


def signature(facts: Facts, target: Target) -> Signature:
    """The signature, from what decides on attacks: protocols, suites, extensions, and the software named.

    Certificates are left out: they are renewed while the server stays the same.
    """
    handshake = facts.get(HandshakeFacts)
    tls = _tls(handshake) if handshake else ()
    shown = (
        (f"{one.source} {number}", f"{one.product} {one.version}")
        for number, one in enumerate(_software(facts, target))
    )
    return (*tls, *shown)


def changed(before: Signature, now: Signature) -> bool:
    """Whether a fact that is known of both differs. A fact that is known of one only is not a change."""
    known = dict(before)
    return any(known.get(name, value) != value for name, value in now)


def _tls(facts: HandshakeFacts) -> Iterator[tuple[str, str]]:
    for protocol, accepted in facts.protocols.items():
        if accepted is not None:
            yield protocol, str(accepted)
    for protocol, names in facts.cipher_suites.items():
        if names and protocol not in facts.cipher_suites_incomplete:
            yield f"suites of {protocol}", _digest(names)
    for protocol, answered in facts.heartbeat.items():
        yield f"heartbeat of {protocol}", str(answered)
    for name, supported in {**facts.extensions, "compression": facts.compression}.items():
        if supported is not None and name not in _CHANGES_BY_ITSELF:
            yield name, str(supported)


def _digest(names: Iterable[str]) -> str:
    return sha256(" ".join(sorted(names)).encode()).hexdigest()[:16]


def _software(facts: Facts, target: Target) -> list[Shown]:
    """Products and their versions only: greetings also contain times of day and session numbers."""
    http, handshake, certificate = facts.get(HttpFacts), facts.get(HandshakeFacts), facts.get(CertificateFacts)
    shown = read_fields((name, value) for name, value in http.first.fields if name == "server") if http else []
    for dialogue, seen in (
        (target.starttls, handshake.greeting if handshake else None),
        (greeting_inside_tls(target.protocol), certificate.greeting if certificate else None),
    ):
        if dialogue and seen:
            shown += read_greeting(dialogue, seen)
    return shown

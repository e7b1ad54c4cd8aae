"""What is known of a server, in some rows for people. The complete facts are in reports in JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import HttpFacts
from exporter.model import Facts


@dataclass(frozen=True, slots=True)
class KnownRow:
    """One thing that is known.

    Attributes:
        items: its parts, in the order of the server or of the registries.
        incomplete: there may be others.
    """

    name: str
    items: Sequence[str]
    incomplete: bool = False


def known(facts: Facts) -> list[KnownRow]:
    """The rows. What is not known has none."""
    return [*_of_handshake(facts), *_of_certificates(facts), *_of_http(facts)]


def _of_handshake(facts: Facts) -> Iterator[KnownRow]:
    seen = facts.get(HandshakeFacts)
    if seen is None:
        return
    accepted = [protocol for protocol, takes in seen.protocols.items() if takes]
    unclear = any(takes is None for takes in seen.protocols.values())
    if accepted:
        yield KnownRow("Protocols", accepted, unclear)
    for protocol, suites in seen.cipher_suites.items():
        if suites:
            yield KnownRow(f"Cipher suites of {protocol}", suites, protocol in seen.cipher_suites_incomplete)
    for protocol, groups in seen.groups.items():
        if groups.names:
            yield KnownRow(f"Groups of {protocol}", groups.names, not groups.complete)


def _of_certificates(facts: Facts) -> Iterator[KnownRow]:
    seen = facts.get(CertificateFacts)
    for deployment in seen.deployments if seen else ():
        yield KnownRow("Certificate", list(_certificate(deployment)))


def _certificate(deployment: Deployment) -> Iterator[str]:
    leaf = deployment.leaf
    yield f"subject {leaf.subject}"
    yield f"issuer {leaf.issuer}"
    size = leaf.curve or (f"{leaf.key_size_bits} bits" if leaf.key_size_bits else "")
    yield f"key {leaf.key_algorithm} {size}".rstrip()
    yield f"ends {deployment.valid_until:%Y-%m-%d %H:%M} UTC"
    if deployment.trusted is not None:
        failures = f": {', '.join(deployment.failures)}" if deployment.failures else ""
        yield "trusted" if deployment.trusted else f"not trusted{failures}"


def _of_http(facts: Facts) -> Iterator[KnownRow]:
    seen = facts.get(HttpFacts)
    fields = seen.first.hsts_fields if seen else ()
    if fields:
        yield KnownRow("Strict-Transport-Security", fields)

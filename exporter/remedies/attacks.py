"""Remedies for attacks, by what makes each attack possible on this server."""

from collections.abc import Collection, Iterator, Mapping

from exporter.case import Case
from exporter.derived.attacks import CLASSIC, SHARED_PRIME_BITS
from exporter.derived.verdicts import Attack
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.vulnerabilities import RSA_SUITES
from exporter.model import Protocol, Remedy
from exporter.remedies.parameters import SOUND_PRIME_BITS, compression_change, dh_change
from exporter.remedies.protocols import protocol_change, to_keep
from exporter.remedies.servers import Change, Server, everywhere, listed, remedies
from exporter.remedies.suites import choose, speaks_old, suites_change
from exporter.tls.suites import BY_NAME

_GOES: Mapping[Attack, frozenset[Protocol]] = {
    Attack.DROWN: frozenset({Protocol.SSL2}),
    Attack.POODLE: frozenset({Protocol.SSL2, Protocol.SSL3}),
    Attack.BEAST: frozenset({Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0}),
}
"""Protocols to turn off. Without CBC mode against BEAST, TLS 1.0 would have RC4 only."""
_LOSES_SUITES = frozenset({Attack.FREAK, Attack.LOGJAM, Attack.SWEET32, Attack.RC4})
"""Attacks whose evidence names suites to remove.

The evidence of POODLE and BEAST names suites too, but they are fixed by turning off the protocol.
"""

_NOTES: Mapping[Attack, str] = {
    Attack.HEARTBLEED: "Heartbleed: update OpenSSL to 1.0.1g or newer, start all that use it again, and then replace "
    "key and certificate, revoke the old one, and change passwords: they may have been read.",
    Attack.CCS_INJECTION: "CCS injection: update OpenSSL to 0.9.8za, 1.0.0m, 1.0.1h or newer and start all that use "
    "it again.",
    Attack.ROBOT: "ROBOT: turn the suites off in which the client encrypts to the key of the certificate, and update "
    "the TLS library or the firmware of what terminates TLS.",
    Attack.INSECURE_RENEGOTIATION: "Renegotiation without RFC 5746: update the TLS library (OpenSSL: 0.9.8m).",
    Attack.CLIENT_RENEGOTIATION: "Let clients not renegotiate: OpenSSL 3 refuses it by itself.",
}
_NO_RENEGOTIATION = Change(
    _NOTES[Attack.CLIENT_RENEGOTIATION],
    {
        Server.NGINX: ("ssl_conf_command Options NoRenegotiation;",),
        Server.APACHE: ("SSLInsecureRenegotiation off",),
        Server.POSTFIX: ("tls_ssl_options = NO_RENEGOTIATION",),
        Server.ANY: ("Options = NoRenegotiation",),
    },
    {
        Server.NGINX: "nginx refuses it since 0.8.23; if something else terminates TLS, look at that.",
        Server.APACHE: "Apache httpd refuses it since 2.2.15; if something else terminates TLS, look at that.",
        Server.HAPROXY: "HAProxy refuses it; if something else terminates TLS, look at that.",
        Server.POSTFIX: "Postfix has it since 3.4.",
    },
)


def attack_remedies(case: Case, evidence: Mapping[str, tuple[str, ...]]) -> tuple[Remedy, ...]:
    """What to change against the attacks that the evidence names, all in one remedy."""
    found = [attack for attack in Attack if attack in evidence]
    facts = case.facts.get(HandshakeFacts)
    changes = list(_changes(facts, found, evidence) if facts else map(_noted, found))
    return remedies(case, *changes) or everywhere("Update the TLS library.")


def _noted(attack: Attack) -> Change:
    return Change(_NOTES.get(attack, f"{attack}: turn off what makes it possible."))


def _changes(
    facts: HandshakeFacts, found: Collection[Attack], evidence: Mapping[str, tuple[str, ...]]
) -> Iterator[Change]:
    gone = frozenset(protocol for attack in found for protocol in _GOES.get(attack, ()))
    if gone.intersection(facts.accepted):
        yield protocol_change(facts, to_keep(facts, lambda protocol: protocol not in gone))
    yield from _fewer_suites(facts, found, evidence, old=speaks_old(facts) and Protocol.TLS1_0 not in gone)
    if Attack.DROWN in found and not facts.protocols.get(Protocol.SSL2):
        yield Change(
            f"DROWN: turn SSLv2 off at {listed(evidence[Attack.DROWN]) or 'the others with this key'}, or give this "
            "server a key of its own."
        )
    if Attack.LOGJAM in found and any(prime.bits <= SHARED_PRIME_BITS for prime in facts.dh_primes):
        yield dh_change(SOUND_PRIME_BITS)
    if Attack.CRIME in found:
        yield compression_change()
    if Attack.CLIENT_RENEGOTIATION in found:
        yield _NO_RENEGOTIATION
    yield from (
        Change(_NOTES[attack]) for attack in found if attack in _NOTES and attack is not Attack.CLIENT_RENEGOTIATION
    )


def _fewer_suites(
    facts: HandshakeFacts, found: Collection[Attack], evidence: Mapping[str, tuple[str, ...]], *, old: bool
) -> Iterator[Change]:
    named = {text.rpartition(" ")[2] for attack in found if attack in _LOSES_SUITES for text in evidence[attack]}
    if Attack.ROBOT in found:
        of_rsa = (name for protocol in CLASSIC for name in facts.cipher_suites.get(protocol, ()))
        named |= RSA_SUITES.intersection(of_rsa)
    gone = {name for name in named if name in BY_NAME}
    if gone:
        yield suites_change(choose(facts, lambda _protocol, name: name not in gone), old=old)

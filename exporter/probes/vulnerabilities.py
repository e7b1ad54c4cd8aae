"""Vulnerabilities probe: tries attacks, by sslyze in a worker, each only where it can work.

It runs when an answer is missing, is older than `vulnerability_interval`, or belongs to a server that looked different.
Verdicts that follow from other facts are not made here: `exporter.derived.vulnerabilities` combines both.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from exporter.credentials import read_chain_file
from exporter.errors import ProbeError
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.shapes.vulnerabilities import SHAPE
from exporter.facts.signature import Signature, changed, signature
from exporter.facts.vulnerabilities import (
    POSSIBLE,
    TRIED_PROTOCOLS,
    Tried,
    VulnerabilityFacts,
    lifetime,
    longer,
    rsa_suites,
)
from exporter.model import ClientCertificate, Facts, Protocol, Reason, Target, holds
from exporter.net.service import ready_for_tls
from exporter.pki.parsed import parse
from exporter.probes.base import Probe, Session
from exporter.shortage import raise_shortage
from exporter.threads import FILES
from exporter.tls.suites import BY_NAME
from exporter.workers import NoWorkerError, Turn

MAX_BYTES = 262144
"""Maximum bytes of one connection: enough for a long chain, and for Heartbleed's answer of 64 KiB."""
TRY_SECONDS = 40.0
"""Time limit of one attack. ROBOT takes 25 connections or more, and a server may delay the answer on each."""
_MARGIN_SECONDS, _LEAST_MARGIN_SECONDS = 2.0, 0.5
"""Time left of a scan after the last try, so that its result can be reported; less where it waited for a worker."""
_LEAST_SHARE, _LEAST_SECONDS = 0.25, 10.0
"""The smaller of the two is the part of the remaining time that a try needs. It is not begun with less after a wait for
a worker."""
MOST_KEY_BITS, MOST_EXPONENT_BITS = 16384, 64
"""OPENSSL_RSA_MAX_MODULUS_BITS and OPENSSL_RSA_MAX_PUBEXP_BITS (rsa.h). No client accepts larger ones, and a worker
would take minutes."""

MOST_HURRIED = 3
"""Maximum number of consecutive tries that are made before they are due.

Machines that alternate at one address would cause a try with each scan. After this many, the answer is unknown while
the server looks different, until the next try is due.
"""

MOST_CHAIN_DIGITS = 32768
"""Maximum hexadecimal digits of a client's chain: questions to workers have a limit (`workers.wire`).

Longer chains are sent without their issuers.
"""


def _wanted(target: Target, known: Facts, now: datetime) -> list[str]:
    """The attacks to try now: possible ones without an answer that is recent enough and of this server."""
    handshake = known.get(HandshakeFacts)
    if handshake is None or target.vulnerability_interval is None:
        return []
    tried = (known.get(VulnerabilityFacts) or VulnerabilityFacts()).attacks_tried
    seen = signature(known, target)
    return [
        attack
        for attack, possible in POSSIBLE.items()
        if possible(handshake) and (_is_due(target, tried.get(attack), now) or _is_hurried(tried.get(attack), seen))
    ]


def _is_due(target: Target, before: Tried | None, now: datetime) -> bool:
    """Whether the attack is due.

    The nearest scan tries it: a try that would be due within half an interval is due.
    """
    since = now + target.scan_interval / 2 - (target.vulnerability_interval or timedelta(0))
    # A clock that was set back shows a try in the future, which is no reason to wait for it.
    return before is None or not since <= before.at <= now


def _is_hurried(before: Tried | None, seen: Signature) -> bool:
    return before is not None and before.hurried < MOST_HURRIED and changed(before.signature, seen)


def _due(target: Target, known: Facts, now: datetime) -> bool:
    return known.get(VulnerabilityFacts) is None or bool(_wanted(target, known, now))


async def _run(session: Session) -> VulnerabilityFacts:
    handshake = session.known.get(HandshakeFacts)
    if handshake is None:
        raise ProbeError(Reason.HANDSHAKE_ERROR, "it is not known what the server accepts")
    before = (session.known.get(VulnerabilityFacts) or VulnerabilityFacts()).attacks_tried
    tried = {name: one for name, one in before.items() if holds(one.at, session.now, lifetime(session.target))}
    seen = signature(session.known, session.target)
    failure: ProbeError | None = None
    for attack in _wanted(session.target, session.known, session.now):
        try:
            outcome = await _try(session, handshake, attack)
        except NoWorkerError:  # the others would have to wait too; they stay due, so the next scan tries them
            break
        except ProbeError as error:
            failure = failure or error
            if attack in tried:  # a failed try counts too, or a server that keeps changing is tried each time
                tried[attack] = replace(tried[attack], hurried=tried[attack].hurried + 1)
            if error.reason not in {Reason.WORKER_CRASHED, Reason.DEADLINE_EXCEEDED}:
                break  # the server cannot be reached any more
        else:
            last = before.get(attack)
            hurried = 0 if last is None or _is_due(session.target, last, session.now) else last.hurried + 1
            tried[attack] = _latest(replace(outcome, signature=seen, hurried=hurried), tried.get(attack))
    if failure is not None:
        raise ProbeError(failure.reason, failure.detail, VulnerabilityFacts(tried))
    return VulnerabilityFacts(tried)


def _latest(outcome: Tried, before: Tried | None) -> Tried:
    """The last answer with a result, while it is valid and of this server; the attack stays due."""
    if outcome.vulnerable is not None or before is None or before.vulnerable is None:
        return outcome
    return outcome if changed(before.signature, outcome.signature) else before


async def _try(session: Session, handshake: HandshakeFacts, attack: str) -> Tried:
    left = session.seconds_left()
    seconds = min(TRY_SECONDS, left - _MARGIN_SECONDS)
    if seconds <= 0:
        raise ProbeError(Reason.DEADLINE_EXCEEDED, f"{attack}: no time is left to try it")
    protocol = next(p for p in TRIED_PROTOCOLS if handshake.protocols.get(p) and _fits(handshake, attack, p))
    names = _suites(handshake, attack, protocol)
    arguments: dict[str, object] = {
        "protocol": protocol.value,
        "server_name": session.target.server_name,
        "suites": list(_openssl_names(names)),
    }
    if attack == "robot":
        key = _rsa_key(handshake, protocol)
        if key is None:
            return Tried(None, "the server's RSA key is not known", session.now)
        numbers = key.public_numbers()
        certificates = session.known.get(CertificateFacts)
        asks = certificates.client_authentication if certificates else None
        arguments |= {"modulus": f"{numbers.n:x}", "exponent": numbers.e, "client_certificates": asks}
        arguments["client_chain"] = await FILES.run(
            partial(_client_chain, session.target.client_certificate), session.target.name
        )
    connect = partial(ready_for_tls, session.dialer, max_bytes=MAX_BYTES)
    least = min(_LEAST_SHARE * left, _LEAST_SECONDS)
    start_by = asyncio.get_running_loop().time() + left - least
    turn = Turn(session.target.name, start_by, session.dialer.patience.waiting)
    try:
        async with asyncio.timeout_at(session.deadline - _LEAST_MARGIN_SECONDS):  # it may have waited for a worker
            return _outcome(await session.workers.run(attack, arguments, connect, seconds, turn), session.now)
    except TimeoutError as error:
        raise NoWorkerError from error


def _client_chain(files: ClientCertificate | None) -> list[str]:
    """DER certificates in hexadecimal; none where the file cannot be read, which the certificate probe reports."""
    try:
        chain = read_chain_file(files.cert_file) if files else ()
    except (OSError, ValueError) as error:
        raise_shortage(error, "cannot read the client certificate")
        return []
    encoded = [certificate.public_bytes(Encoding.DER).hex() for certificate in chain]
    return encoded if sum(map(len, encoded)) <= MOST_CHAIN_DIGITS else encoded[:1]


def _suites(handshake: HandshakeFacts, attack: str, protocol: Protocol) -> tuple[str, ...]:
    """The suites to offer. With AEAD a server shows clearly that it accepted an early ChangeCipherSpec."""
    accepted = handshake.cipher_suites.get(protocol, ())
    match attack:
        case "robot":
            return rsa_suites(handshake, protocol)
        case "ccs_injection":
            return tuple(name for name in accepted if "_GCM_" in name) or accepted
        case _:
            return accepted


def _fits(handshake: HandshakeFacts, attack: str, protocol: Protocol) -> bool:
    match attack:
        case "heartbleed":
            return bool(handshake.heartbeat.get(protocol))
        case "robot":
            return bool(rsa_suites(handshake, protocol))
        case _:
            return True


def _openssl_names(names: tuple[str, ...]) -> Iterator[str]:
    """OpenSSL's names, GCM first, because some servers are vulnerable to ROBOT only there."""
    for name in sorted(names, key=lambda name: "_GCM_" not in name):
        suite = BY_NAME.get(name)
        if suite is not None and suite.openssl_name:
            yield suite.openssl_name


def _rsa_key(handshake: HandshakeFacts, protocol: Protocol) -> RSAPublicKey | None:
    """The certificate's RSA key, unless it is too large. A key that cannot be parsed was not recognised as RSA either.

    Machines behind one address can have different keys: keys of this protocol come first.
    """
    for chain in sorted(handshake.plain_chains, key=lambda chain: protocol not in chain.protocols):
        if chain.key == "RSA":
            with suppress(ValueError, UnsupportedAlgorithm):
                key = parse(chain.certificates[0]).read.public_key()
                if isinstance(key, RSAPublicKey) and _usual(key):
                    return key
    return None


def _usual(key: RSAPublicKey) -> bool:
    return key.key_size <= MOST_KEY_BITS and key.public_numbers().e.bit_length() <= MOST_EXPONENT_BITS


def _outcome(answer: object, now: datetime) -> Tried:
    """The result of a worker's answer, of which only the form is trusted."""
    match answer:
        case {"vulnerable": bool() | None as vulnerable, "detail": str() as detail}:
            return Tried(vulnerable, detail, now)
        case _:
            raise ProbeError(Reason.WORKER_CRASHED, "the worker gave no answer")


PROBE = Probe(
    name="vulnerabilities",
    shape=SHAPE,
    mandatory=False,
    applies=lambda target: target.vulnerability_interval is not None,
    run=_run,
    due=_due,
    longer=longer,
)

"""Which chains a server has: one real handshake, chains from our own hellos, and some more handshakes of TLS 1.3.

The chains are verified after the handshakes, so the facts are kept when verification fails.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from exporter.errors import ProbeError
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.shapes.certificate import SHAPE
from exporter.model import ClientAuthentication, Protocol, Reason, TrustFailure
from exporter.net.openssl import ClientOffer
from exporter.net.primes import offers_finite_fields
from exporter.net.tls import tls_session
from exporter.pki.keys import read_key
from exporter.pki.parsed import Certificate, parse
from exporter.probes.base import Probe, Session
from exporter.probes.certificate.greeting import hear
from exporter.probes.certificate.reading import Chain, parse_in_time, read_deployment, read_in_thread
from exporter.services import greeting_inside_tls
from exporter.tls.suites import BY_NAME, for_dss, for_ecdsa, signed

MOST_DEPLOYMENTS = 8
"""Maximum number of chains. A server has one for each kind of key, and a few more if machines behind one address
differ."""

_SHARE_OF_TIME = 0.5
"""Share of this probe's remaining time for further handshakes, once the first chain is there.

What a slow server is not asked makes only the list of chains incomplete.
"""

_PSS = "rsa_pss_{0}_sha256:rsa_pss_{0}_sha384:rsa_pss_{0}_sha512"
_SCHEMES = {
    "ECDSA P-256": "ecdsa_secp256r1_sha256",
    "ECDSA P-384": "ecdsa_secp384r1_sha384",
    "ECDSA P-521": "ecdsa_secp521r1_sha512",
    "Ed25519": "ed25519",
    "Ed448": "ed448",
    "RSA": _PSS.format("rsae"),
    "RSA-PSS": _PSS.format("pss"),
    **{f"MLDSA{size}": f"?mldsa{size}" for size in (44, 65, 87)},
}
"""`PublicKey.kind` -> the schemes with which it signs a handshake of TLS 1.3 (RFC 8446, 4.2.3; draft-ietf-tls-mldsa).

The question mark makes OpenSSL ignore schemes that it does not know.
"""
_OF_THE_LEAF = frozenset({TrustFailure.NAME_MISMATCH, TrustFailure.EXPIRED, TrustFailure.NOT_YET_VALID})
_FOR_CHAINS = "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512"
"""Schemes that TLS 1.3 allows only for certificates, not for handshakes. Most certificates are signed with them."""


@dataclass(frozen=True, slots=True)
class _Served:
    """The result of one handshake.

    Attributes:
        chain: leaf first; empty when there was none.
        failure: why it did not complete.
        declined: the server had nothing that matches the offer.
        greeting: what the server said first inside TLS, where it speaks first.
        cut: only the first certificate, of a chain that was too long to be read.
    """

    chain: Chain
    stapled: bytes | None = None
    client: ClientAuthentication | None = None
    failure: ProbeError | None = None
    declined: bool = False
    greeting: str | None = None
    cut: bool = False


async def _run(session: Session) -> CertificateFacts:
    hellos = _hellos(session)
    first = await _handshake(session)
    seen_plain = [der for one in hellos.plain_chains for der in one.certificates] if hellos else []
    read_plain = partial(_plain_chains, hellos, first.chain)
    plain, complete = await parse_in_time(read_plain, seen_plain, session.target)
    failure = first.failure or ProbeError(Reason.HANDSHAKE_ERROR, "the server sent no certificate")
    if not first.chain and not (plain and failure.reason is Reason.HANDSHAKE_ERROR):
        raise failure
    # No chain: OpenSSL cannot speak with it (SSL 3, RC4), or got an anonymous suite. Our hellos have seen some.
    served = [first] if first.chain else []
    if hellos is not None and hellos.protocols.get(Protocol.TLS1_3) is not False:
        shown = [one.chain for one in plain]
        others, whole = await _hidden(session, hellos, first.chain, shown) if _speaks_tls13(hellos) else ([], False)
        complete = whole and (complete or _speaks_tls13_alone(hellos))
        served += others
    served += plain
    leaves = {one.chain[0] for one in served if not one.cut}
    distinct: dict[Chain, _Served] = {}
    for one in (one for one in served if not (one.cut and one.chain[0] in leaves)):
        distinct.setdefault(one.chain, one)
    chosen = list(distinct.values())[:MOST_DEPLOYMENTS]
    complete = complete and len(chosen) == len(distinct)
    facts = await _read(session, chosen, first.client, complete)
    return replace(facts, greeting=first.greeting)


async def _read(
    session: Session, served: Sequence[_Served], client: ClientAuthentication | None, complete: bool
) -> CertificateFacts:
    """Read the chains, each in a call of its own, so that the chains of other targets are read in between.

    Unreadable chains are left out, except the first: the others are not what a modern client gets.

    Raises:
        ProbeError: the first chain cannot be read.
    """
    name, ca_file = session.target.verified_name, session.target.ca_file
    deployments: list[Deployment] = []
    for one in served:
        read = partial(read_deployment, one.chain, name, ca_file, session.now, one.stapled)
        try:
            deployment = await read_in_thread(read, session.target)
        except ValueError as error:
            if not deployments:
                raise ProbeError(Reason.HANDSHAKE_ERROR, f"the certificate cannot be read: {error}") from error
            complete = False
        else:
            deployments.append(_of_a_cut_chain(deployment) if one.cut else deployment)
    return CertificateFacts(tuple(deployments), complete, client)


def _of_a_cut_chain(leaf: Deployment) -> Deployment:
    """What the first certificate of a chain shows. Whether the chain is trusted depends on the others too."""
    failures = tuple(one for one in leaf.failures if one in _OF_THE_LEAF)
    trusted = False if TrustFailure.EXPIRED in failures else None
    return replace(leaf, trusted=trusted, failures=failures, trust_detail="the chain is too long to be read")


async def _handshake(session: Session, schemes: str | None = None) -> _Served:
    """One handshake, with these signature schemes only.

    Raises:
        ProbeError: the connection failed, or the chain cannot be parsed.
        ValueError: the schemes cannot be restricted.
    """
    failure = None
    offer = ClientOffer(schemes=schemes, finite_fields=offers_finite_fields(session.known))
    async with tls_session(session.dialer, offer) as tls:
        try:
            await tls.handshake()
        except ProbeError as error:
            failure = error
        try:
            served = tls.chain()
            chain = await parse_in_time(partial(_parsed, served), served, session.target)
        except ValueError as error:
            raise ProbeError(Reason.HANDSHAKE_ERROR, f"the chain cannot be parsed: {error}") from error
        client = None if schemes else await tls.client_authentication()
        speaks = failure is None and schemes is None and greeting_inside_tls(session.target.protocol)
        return _Served(chain, tls.stapled, client, failure, tls.declined, await hear(tls) if speaks else None)


def _parsed(served: Sequence[bytes], known: Mapping[bytes, Certificate] = MappingProxyType({})) -> Chain:
    return tuple(known.get(der) or parse(der) for der in served)


# --- several deployments ----------------------------------------------------------------------------------------------


def _hellos(session: Session) -> HandshakeFacts | None:
    """Facts from the hellos of this scan. Chains of an earlier scan may have been replaced since."""
    seen_at = session.known.seen_at(HandshakeFacts)
    return session.known.get(HandshakeFacts) if seen_at is not None and seen_at >= session.now else None


def _plain_chains(hellos: HandshakeFacts | None, first: Chain) -> tuple[list[_Served], bool]:
    """The chains that hellos up to TLS 1.2 saw, and whether the server has no others.

    These hellos ask for each kind of key, so a protocol whose suites are all known has shown all chains. The newest
    protocol decides, because older ones know fewer kinds.
    """
    if hellos is None:
        return [], False
    chains, readable = [], True
    known = {certificate.der: certificate for certificate in first if certificate.original}
    for served in hellos.plain_chains:
        try:
            chains.append(_Served(_parsed(served.certificates, known), cut=served.cut))
        except ValueError:
            readable = False
    newest = next((p for p in reversed(hellos.accepted) if p is not Protocol.TLS1_3), None)
    whole = newest is not None and newest not in hellos.cipher_suites_incomplete and not hellos.contradictions
    return chains, readable and whole and bool(chains)


def _speaks_tls13(hellos: HandshakeFacts) -> bool:
    return bool(hellos.protocols.get(Protocol.TLS1_3))


def _speaks_tls13_alone(hellos: HandshakeFacts) -> bool:
    return hellos.accepted == (Protocol.TLS1_3,) and hellos.protocols.get(Protocol.TLS1_2) is False


def _shown_by_tls12(hellos: HandshakeFacts) -> frozenset[str]:
    """Kinds of keys that TLS 1.2 would have shown: its suites for them are accepted, and the list is complete.

    ML-DSA is for TLS 1.3 only. Servers with ML-DSA have ML-KEM, which came at the same time or earlier.
    """
    schemes, names = hellos.signature_schemes, hellos.cipher_suites.get(Protocol.TLS1_2, ())
    if (
        Protocol.TLS1_2 in hellos.cipher_suites_incomplete
        or hellos.contradictions
        or schemes is None
        or not schemes.complete
    ):
        return frozenset()
    codes = [BY_NAME[name].code for name in names if name in BY_NAME and signed(BY_NAME[name].code)]
    ecdsa = any(for_ecdsa(code) for code in codes)
    rsa = any(not for_ecdsa(code) and not for_dss(code) for code in codes)
    return frozenset(
        kind
        for kind in _SCHEMES
        if (hellos.post_quantum is False if kind.startswith("MLDSA") else rsa if kind.startswith("RSA") else ecdsa)
    )


async def _hidden(
    session: Session, hellos: HandshakeFacts, first: Chain, plain: Sequence[Chain]
) -> tuple[list[_Served], bool]:
    """Chains that a server shows in TLS 1.3 only, where they are encrypted, and whether there are no others.

    Each handshake offers the kinds of keys that have not been seen yet and that TLS 1.2 would not have shown, until the
    server declines. That takes no connection where TLS 1.2 has suites for both RSA and ECDSA, and one for a server with
    one kind.
    """
    found: list[_Served] = []
    until = asyncio.get_running_loop().time() + session.seconds_left() * _SHARE_OF_TIME
    seen = {_kind(chain) for chain in (first, *plain) if chain}
    left = set(_SCHEMES) - seen - _shown_by_tls12(hellos)
    while left and len(left) < len(_SCHEMES):
        try:
            async with asyncio.timeout_at(until):
                served = await _offer(session, left)
        except (ProbeError, ValueError, TimeoutError):
            return found, False
        kind = _kind(served.chain) if served.chain else None
        if kind in left:
            found.append(served)
            left.discard(kind)
        elif served.chain:
            # It ignores the schemes, or has none that matches and shows the certificate it has (RFC 8446, 4.4.2.2).
            return [*found, served], kind in _SCHEMES
        else:
            return found, served.declined or (_broke_off(served) and await _proved(session, left))
    return found, not left


async def _offer(session: Session, kinds: set[str]) -> _Served:
    """A handshake of TLS 1.3 with the schemes of these kinds. Raises the same errors as `_handshake`."""
    schemes = (names for kind, names in _SCHEMES.items() if kind in kinds)
    return await _handshake(session, ":".join((*schemes, _FOR_CHAINS)))


async def _proved(session: Session, left: set[str]) -> bool:
    """Whether a server that closes the connection declines by that.

    It does if it accepts the kinds that it has, and closes again for the others.
    """
    try:
        taken = await _offer(session, set(_SCHEMES) - left)
        again = await _offer(session, left)
    except (ProbeError, ValueError):
        return False
    return bool(taken.chain) and _broke_off(again)


def _broke_off(served: _Served) -> bool:
    """Whether the server closed without an alert.

    Some servers decline that way. Others do so to limit connections.
    """
    return not served.chain and served.failure is not None and served.failure.reason is Reason.HANDSHAKE_ERROR


def _kind(chain: Chain) -> str | None:
    try:
        return read_key(chain[0]).kind
    except ValueError:
        return None


PROBE = Probe(
    name="certificate",
    shape=SHAPE,
    mandatory=True,
    applies=lambda _target: True,
    run=_run,
    later=CertificateFacts.at,
    turns=CertificateFacts.turns,
)

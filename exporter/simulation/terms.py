"""What client and server must agree on in addition to the suite: groups, signature schemes, certificates, limits.

Each answer is a `Term`: met, not met, or unknown according to the facts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from exporter.clients.client import Client
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.facts.handshake import RETRY_REQUEST, HandshakeFacts
from exporter.model import CipherOrder, Protocol
from exporter.pki.keys import CURVES, DSA, EC, ED448, ED25519, PSS, RSA, UNKNOWN
from exporter.tls.parameters import FFDHE, TLS13_GROUPS, for_ecdsa_key, for_rsa_key, group_name, scheme_name
from exporter.tls.suites import KeyExchange, for_dss, for_ecdsa, layout, signed, suite_name


class Obstacle(StrEnum):
    """Why a client cannot connect, or what it depends on if that is unknown."""

    NO_COMMON_PROTOCOL = "no_common_protocol"
    NO_COMMON_SUITE = "no_common_suite"
    NO_COMMON_GROUP = "no_common_group"
    NO_COMMON_SIGNATURE_SCHEME = "no_common_signature_scheme"
    CERTIFICATE_CURVE = "certificate_curve"
    DH_TOO_SMALL = "dh_too_small"
    DH_TOO_LARGE = "dh_too_large"
    RSA_TOO_SMALL = "rsa_too_small"
    SHA1_SIGNATURE = "sha1_signature"
    NO_SECURE_RENEGOTIATION = "no_secure_renegotiation"
    NO_SNI = "no_sni"
    HELLO_NOT_ANSWERED = "hello_not_answered"
    CONTRADICTIONS = "contradictions"


@dataclass(frozen=True, slots=True)
class SimulatedServer:
    """What is known about a server.

    Attributes:
        named: the scan sent the server's name (SNI).
    """

    handshake: HandshakeFacts
    certificate: CertificateFacts | None
    named: bool


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to agree on.

    Attributes:
        met: None if it is unknown.
        obstacle: what it is, if it is not known to be met.
        detail: the reason, as a sentence.
        choice: the group that they agree on, if known.
    """

    met: bool | None
    obstacle: Obstacle | None = None
    detail: str = ""
    choice: str | None = None


MET = Term(met=True)


def together(terms: Iterable[Term]) -> Term:
    """All of these: the first that is not met, otherwise the first that is unknown."""
    several = list(terms)
    return next((term for met in (False, None) for term in several if term.met is met), MET)


def _overlap(wanted: set[str], there: set[str], *, complete: bool) -> bool | None:
    """Whether the sets have a common element; the second set may be incomplete."""
    if wanted & there:
        return True
    return False if complete else None


# --- groups -----------------------------------------------------------------------------------------------------------


def group(client: Client, server: SimulatedServer, protocol: Protocol) -> Term:
    """A group for the key exchange; up to TLS 1.2 an elliptic curve."""
    obstacle = Obstacle.NO_COMMON_GROUP
    listing = server.handshake.groups.get(protocol)
    if listing is None or client.groups is None:
        return Term(None, obstacle, "the groups are not known")
    offered = list(map(group_name, client.groups))
    common = [name for name in offered if name in listing.names]
    if common and protocol is Protocol.TLS1_3 and _needs_another_share(client, server, common):
        return Term(None, obstacle, "the server may not be able to ask for another key share")
    if not common:
        if not listing.complete:
            return Term(None, obstacle, "the server may have groups that are not known")
        return Term(met=False, obstacle=obstacle, detail=f"the server has {', '.join(listing.names)} only")
    if len(common) == 1 and listing.complete:
        return Term(met=True, choice=common[0])
    order = server.handshake.group_order.get(protocol)
    if protocol is Protocol.TLS1_3:
        return Term(met=True, choice=_tls13_choice(client, common, listing.names, order))
    match order:
        case CipherOrder.SERVER if listing.complete:
            return Term(met=True, choice=next(name for name in listing.names if name in common))
        case CipherOrder.CLIENT if offered[0] == common[0] or listing.complete:
            return Term(met=True, choice=common[0])
        case _:
            return MET


def _needs_another_share(client: Client, server: SimulatedServer, common: list[str]) -> bool:
    """Whether the client sends no usable key share, and the server was not seen to send a HelloRetryRequest."""
    if RETRY_REQUEST not in server.handshake.asked_without:
        return False
    return client.shares is None or not set(map(group_name, client.shares)) & set(common)


def _tls13_choice(client: Client, common: list[str], names: tuple[str, ...], order: CipherOrder | None) -> str | None:
    """The group that is surely chosen if several are possible, by key shares or HelloRetryRequest.

    If the server uses its own order, only its first choice is certain. If it accepts a share that is present, it takes
    the first one by the client's order, unless the order in which it was seen to choose groups shows that it has its
    own order.
    """
    if order is CipherOrder.SERVER:
        return names[0] if names[0] in common else None
    if order is not CipherOrder.CLIENT:
        return None
    shares = list(map(group_name, (client.groups or ())[:1] if client.shares is None else client.shares))
    shared = [name for name in common if name in shares]
    if not shared:
        return None
    as_offered = [name for name in map(group_name, TLS13_GROUPS) if name in names]
    if list(names) == as_offered:
        return shared[0]
    own = next(name for name in names if name in (common if client.shares is None else shared))
    return shared[0] if own == shared[0] else None


# --- certificates -----------------------------------------------------------------------------------------------------

_TLS13_SCHEMES: dict[tuple[str, str | None], frozenset[int]] = {
    (RSA, None): frozenset({0x0804, 0x0805, 0x0806}),
    (PSS, None): frozenset({0x0809, 0x080A, 0x080B}),
    (EC, "P-256"): frozenset({0x0403}),
    (EC, "P-384"): frozenset({0x0503}),
    (EC, "P-521"): frozenset({0x0603}),
    (EC, "brainpoolP256r1"): frozenset({0x081A}),
    (EC, "brainpoolP384r1"): frozenset({0x081B}),
    (EC, "brainpoolP512r1"): frozenset({0x081C}),
    (ED25519, None): frozenset({0x0807}),
    (ED448, None): frozenset({0x0808}),
    (DSA, None): frozenset(),
    ("2.16.840.1.101.3.4.3.17", None): frozenset({0x0904}),
    ("2.16.840.1.101.3.4.3.18", None): frozenset({0x0905}),
    ("2.16.840.1.101.3.4.3.19", None): frozenset({0x0906}),
}
"""Kind of key and its curve -> its signature schemes in TLS 1.3 (RFC 8446, 4.2.3; RFC 8734; draft-ietf-tls-mldsa).

Curves that are not listed have none, and DSA has none."""
_SEVERAL = frozenset({RSA, PSS})
"""Keys with several schemes, of which the server may support only some."""
_OLD_KEYS = frozenset({RSA, EC, DSA, ED25519, ED448})
_X500_RSA = "2.5.8.1.1"
"""Another identifier of RSA keys (X.509, 2.5.8.1.1), which some libraries accept."""


def _for_another_key(scheme: int) -> bool:
    """Whether a scheme is for none of the kinds of keys above, but for SM2, GOST, ML-DSA, or an unknown kind."""
    classic = scheme >> 8 <= 0x06 and scheme & 0xFF in {1, 2, 3}  # RFC 5246, 7.4.1.4.1
    return not (classic or 0x0804 <= scheme <= 0x080B or 0x081A <= scheme <= 0x081C)


def tls13_certificate(client: Client, server: SimulatedServer) -> Term:
    """A certificate with a key that can sign for the client and is strong enough."""
    obstacle = Obstacle.NO_COMMON_SIGNATURE_SCHEME
    if server.certificate is None:
        return Term(None, obstacle, "the certificates are not known")
    signing = [(one, _tls13_scheme(client, one)) for one in server.certificate.deployments]
    usable = [one for one, met in signing if met]
    if usable:
        sizes = [_rsa_size(client, [one]) for one in usable]
        weak = next((size for size in sizes if not size.met), MET)
        return sizes[0] if len({size.met for size in sizes}) == 1 else replace(weak, met=None)
    if any(met is None for _, met in signing) or not server.certificate.deployments_complete:
        return Term(None, obstacle, "the server may have a certificate that the client accepts")
    kinds = ", ".join(dict.fromkeys(one.leaf.key_algorithm for one in server.certificate.deployments))
    return Term(
        met=False,
        obstacle=obstacle,
        detail=f"none of the client's signature schemes is for the server's kind of key ({kinds})",
    )


def _tls13_scheme(client: Client, deployment: Deployment) -> bool | None:
    """Whether the client offers a scheme of the key."""
    leaf = deployment.leaf
    kind, curve = PSS if leaf.key_kind == PSS else leaf.key_algorithm, leaf.curve
    offered = set(client.schemes or ())
    wanted = _TLS13_SCHEMES.get((kind, curve))
    if wanted is None and kind == EC and curve is not None:
        return False
    if wanted is None:  # the key cannot be parsed, or its schemes are unrelated to the usual ones
        other = kind not in {*_OLD_KEYS, _X500_RSA, UNKNOWN}
        return False if other and not any(map(_for_another_key, offered)) else None
    if kind in _SEVERAL and wanted & offered and not wanted <= offered:
        return None
    return bool(wanted & offered)


def certificate(client: Client, server: SimulatedServer, protocol: Protocol, suite: int) -> Term:
    """A certificate for a suite up to TLS 1.2 and, if its key signs, a scheme for it."""
    kind = _key_for(suite)
    curve = _certificate_curve(client, server, protocol) if kind == EC else MET
    if protocol is not Protocol.TLS1_2 or not signed(suite):
        return curve
    return together((_scheme(client, server, kind), curve))


def _key_for(suite: int) -> str:
    """Kind of key that a suite up to TLS 1.2 needs in the certificate."""
    return DSA if for_dss(suite) else EC if for_ecdsa(suite) else RSA


def _scheme(client: Client, server: SimulatedServer, kind: str) -> Term:
    obstacle = Obstacle.NO_COMMON_SIGNATURE_SCHEME
    listing = server.handshake.signature_schemes
    if listing is None:
        return Term(None, obstacle, "the server's signature schemes are not known")
    wanted = {scheme_name(code) for code in client.schemes or () if _fits(code, kind)}
    met = _overlap(wanted, set(listing.names), complete=listing.complete)
    return (
        MET
        if met
        else Term(
            met,
            obstacle,
            f"it is not known whether client and server share a signature scheme for a key of kind {kind}",
        )
    )


def _fits(scheme: int, kind: str) -> bool:
    """Whether a scheme is for suites of this kind; EdDSA uses the suites of ECDSA (RFC 8422, 5.10)."""
    if kind == EC:
        return for_ecdsa_key(scheme) or scheme in {0x0807, 0x0808}
    if kind == RSA:
        return for_rsa_key(scheme) or scheme in _TLS13_SCHEMES[PSS, None]
    return scheme & 0xFF == 0x02


_GROUP_OF_CURVE = {curve: name for name, curve in CURVES.items()}


def _certificate_curve(client: Client, server: SimulatedServer, protocol: Protocol) -> Term:
    """Up to TLS 1.2 the curve of an ECDSA key must be among the client's groups (RFC 8422, 5.3).

    Not all servers and clients follow this. So if it is not met, the result is unknown.
    """
    if client.groups is None:
        return MET
    keys = [chain.key or "" for chain in server.handshake.plain_chains if protocol in chain.protocols]
    curves = [key.removeprefix("ECDSA ") for key in keys if key.startswith("ECDSA ")]
    wanted = {_GROUP_OF_CURVE.get(curve, curve) for curve in curves}
    if wanted <= set(map(group_name, client.groups)) and (curves or {ED25519, ED448} & set(keys)):
        return MET
    seen = f"the certificate's key is on {', '.join(curves)}" if curves else "the certificate's curve is not known"
    return Term(None, Obstacle.CERTIFICATE_CURVE, seen)


# --- limits of the client ---------------------------------------------------------------------------------------------


_KINDS = {RSA: {RSA}, DSA: {DSA}, EC: {EC, ED25519, ED448}}
"""Kind of key that a suite up to TLS 1.2 needs -> kinds that can be used; EdDSA uses the suites of ECDSA."""


def limits(client: Client, server: SimulatedServer, protocol: Protocol, suite: int) -> Term:
    """Whether the client accepts what comes with a suite up to TLS 1.2."""
    terms = [_prime(client, server, suite)]
    deployments = server.certificate.deployments if server.certificate else ()
    kinds = _KINDS[_key_for(suite)]
    terms.append(_rsa_size(client, [one for one in deployments if one.leaf.key_algorithm in kinds]))
    if client.limits.refuses_sha1 and signed(suite) and protocol is not Protocol.TLS1_2:
        terms.append(Term(met=False, obstacle=Obstacle.SHA1_SIGNATURE, detail=f"{protocol} signs with SHA-1"))
    return together(terms)


def _prime(client: Client, server: SimulatedServer, suite: int) -> Term:
    """The prime of a finite-field key exchange, which only the server chooses.

    If the client offers groups of RFC 7919, the server may use one of these instead of the primes that were seen.
    """
    least, most = client.limits.min_dh_bits, client.limits.max_dh_bits
    if layout(suite) is not KeyExchange.DH or (least is None and most is None):
        return MET
    named = {int(name.removeprefix("ffdhe")) for code, name in FFDHE.items() if code in (client.groups or ())}
    seen = {one.bits for one in server.handshake.dh_primes}
    unseen = any(suite_name(suite) in names for names in server.handshake.unseen_dh_primes.values())
    unseen |= not any(suite_name(suite) in names for names in server.handshake.cipher_suites.values())
    if not seen or unseen:
        return Term(None, Obstacle.DH_TOO_LARGE if most else Obstacle.DH_TOO_SMALL, "no prime was seen")
    sizes = seen | named
    below = [bits for bits in sizes if least is not None and bits < least]
    above = [bits for bits in sizes if most is not None and bits > most]
    if not below and not above:
        return MET
    obstacle = Obstacle.DH_TOO_SMALL if below else Obstacle.DH_TOO_LARGE
    limit = f"no less than {least}" if below else f"at most {most}"
    met = False if len(below) == len(sizes) or len(above) == len(sizes) else None
    return Term(
        met, obstacle, f"the prime has {', '.join(map(str, sorted(below or above)))} bits, the client accepts {limit}"
    )


def _rsa_size(client: Client, deployments: list[Deployment]) -> Term:
    """RSA keys in the chains that the server may send, whatever the kind of their leaves."""
    least = client.limits.min_rsa_bits
    if least is None:
        return MET
    obstacle = Obstacle.RSA_TOO_SMALL
    chains = [[one.key_size_bits for one in each.linked if one.key_algorithm == RSA] for each in deployments]
    if not chains or any(size is None for sizes in chains for size in sizes):
        return Term(None, obstacle, "the size of the certificates' keys is not known")
    smallest = [min((size or 0 for size in sizes), default=least) for sizes in chains]
    if min(smallest) >= least:
        return MET
    met = None if max(smallest) >= least else False
    return Term(met, obstacle, f"a key in the chain has {min(smallest)} bits, the client accepts no less than {least}")


def renegotiation(client: Client, server: SimulatedServer) -> Term:
    """RFC 5746, up to TLS 1.2, if the client requires it."""
    if not client.limits.wants_secure_renegotiation:
        return MET
    obstacle, supported = Obstacle.NO_SECURE_RENEGOTIATION, server.handshake.extensions.get("secure_renegotiation")
    if supported:
        return MET
    states = server.handshake.protocols
    classic = [one for one in Protocol if one not in {Protocol.SSL2, Protocol.TLS1_3} and states.get(one) is not False]
    # If the protocols differ, it is only known that one of them lacks it.
    met = False if supported is False and len(classic) == 1 else None
    return Term(met, obstacle, "the server is not known to have secure renegotiation (RFC 5746)")

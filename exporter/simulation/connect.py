"""Whether a client can connect to a server, and what they agree on: from facts only.

The server chooses the newest version that both have. Then, by its order or the client's, it chooses a suite for which
there is a group, a certificate and a signature scheme. The client accepts that unless it is below one of its own
limits. What is unknown about the server leaves the answer None, unless both possibilities have the same result.

These are not considered:

- whether the client trusts the certificate (its root store, names, dates, hashes of signatures),
- whether the client has a certificate to show if the server wants one,
- whether the client retries with an older version after a failed handshake, as browsers did until 2015,
- servers that fail on some hellos other than ours,
- the protocol inside TLS.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exporter.clients.client import Client
from exporter.facts.handshake import APPLICATIONS, EXTENSIONS, SERVER_NAME
from exporter.model import CipherOrder, Protocol
from exporter.simulation.choice import Candidate, choose
from exporter.simulation.terms import (
    MET,
    Obstacle,
    SimulatedServer,
    Term,
    certificate,
    group,
    limits,
    renegotiation,
    tls13_certificate,
    together,
)
from exporter.tls.suites import BY_CODE, KeyExchange, layout, suite_name


@dataclass(frozen=True, slots=True)
class SimulatedConnection:
    """The outcome for one client and one server.

    Attributes:
        connects: None if it is unknown.
        protocol, cipher_suite, group: what they agree on, even if the client then refuses it or may refuse it; None if
            unknown or if there is none. A group is a curve, or in TLS 1.3 any group.
        reason: why it cannot connect, or what the answer depends on.
        detail: the same as a sentence.
    """

    connects: bool | None
    protocol: Protocol | None = None
    cipher_suite: str | None = None
    group: str | None = None
    reason: Obstacle | None = None
    detail: str = ""


def connect(client: Client, server: SimulatedServer) -> SimulatedConnection:
    """Whether the client can connect; raises nothing.

    A client that does not send the server's name (SNI) may be served by another host of the same machine. What the
    server refuses to clients with SNI counts as refused to this one too. What it accepts from them is unknown for this
    one.
    """
    found = _negotiate(client, server)
    if found.connects and (detail := _not_answered(client, server)):
        return replace(found, connects=None, reason=Obstacle.HELLO_NOT_ANSWERED, detail=detail)
    named = server.named and SERVER_NAME not in server.handshake.asked_without
    if found.connects and named and not client.sends_sni:
        detail = "the client sends no server name (SNI), and the server may have other settings for such clients"
        return replace(found, connects=None, reason=Obstacle.NO_SNI, detail=detail)
    return found


def _not_answered(client: Client, server: SimulatedServer) -> str | None:
    """Whether the server answered hellos only without something that this client sends or may send; says what.

    The table of clients does not list all their extensions. Clients of SSL 3 send none, and ALPN came with TLS 1.2.
    """
    without, newest = server.handshake.asked_without, client.protocols[-1]
    if SERVER_NAME in without and client.sends_sni:
        return "the server did not answer hellos with a server name, and the client sends one"
    if EXTENSIONS in without and newest is not Protocol.SSL3:
        return "the server did not answer hellos with some extensions, and the client may send such extensions"
    if APPLICATIONS in without and newest in {Protocol.TLS1_2, Protocol.TLS1_3}:
        return "the server did not continue after unknown application protocols (ALPN), and the client may offer some"
    return None


def _negotiate(client: Client, server: SimulatedServer) -> SimulatedConnection:
    """Start with the newest protocol that both have."""
    accepted = server.handshake.protocols
    for protocol in reversed(client.protocols):
        if accepted.get(protocol) is None:
            detail = f"it is not known whether the server accepts {protocol}"
            return SimulatedConnection(None, reason=Obstacle.NO_COMMON_PROTOCOL, detail=detail)
        if accepted[protocol]:
            candidates = _candidates(client, server, protocol)
            order = server.handshake.cipher_order.get(protocol)
            found = _agree(protocol, candidates, order, _terms(client, server, protocol))
            if not server.handshake.contradictions:
                return found
            detail = "the server's answers contradict each other"
            return replace(found, connects=None, reason=Obstacle.CONTRADICTIONS, detail=detail)
    offered = " to ".join(dict.fromkeys((client.protocols[0], client.protocols[-1])))
    taken = ", ".join(server.handshake.accepted) or "none"
    detail = f"the client offers {offered}, the server accepts {taken}"
    return SimulatedConnection(connects=False, reason=Obstacle.NO_COMMON_PROTOCOL, detail=detail)


def _candidates(client: Client, server: SimulatedServer, protocol: Protocol) -> list[Candidate]:
    """The suites that both have, or may have, in the client's order."""
    facts = server.handshake
    listed = facts.cipher_suites.get(protocol, ())
    complete = bool(listed) and protocol not in facts.cipher_suites_incomplete
    curve = group(client, server, protocol)
    candidates = []
    for code in client.suites:
        name = suite_name(code)
        if _is_tls13(code) is not (protocol is Protocol.TLS1_3) or (name not in listed and complete):
            continue
        place = listed.index(name) if name in listed else None
        if protocol is Protocol.TLS1_3:
            candidates.append(Candidate(code, name, place, place is not None or None, MET, curve.choice))
        else:
            candidates.append(_classic(client, server, protocol, (code, name, place), curve))
    return candidates


def _is_tls13(code: int) -> bool:
    return code in BY_CODE and BY_CODE[code].tls13


def _classic(
    client: Client, server: SimulatedServer, protocol: Protocol, suite: tuple[int, str, int | None], curve: Term
) -> Candidate:
    """A suite up to TLS 1.2; each of these has its own requirements.

    A suite without a common group must not be chosen (RFC 8422, 5.1). A server that lacks anything else may skip the
    suite, or choose it and fail.
    """
    code, name, place = suite
    elliptic = layout(code) is KeyExchange.ECDH
    served = together((curve if elliptic else MET, certificate(client, server, protocol, code)))
    end = together((served, limits(client, server, protocol, code)))
    if elliptic and curve.met is False and server.handshake.ignores_supported_groups is False:
        taken: bool | None = False
    else:
        taken = True if place is not None and served.met else None
    return Candidate(code, name, place, taken, end, curve.choice if elliptic else None)


def _terms(client: Client, server: SimulatedServer, protocol: Protocol) -> Term:
    """What has to be agreed on for every suite."""
    if protocol is Protocol.TLS1_3:
        return together((group(client, server, protocol), tls13_certificate(client, server)))
    return renegotiation(client, server)


_REFUSED_BY_THE_SERVER = {Obstacle.NO_COMMON_GROUP, Obstacle.NO_COMMON_SIGNATURE_SCHEME}
"""Everything else that does not depend on the suite is refused by the client, after the server has chosen."""


def _agree(
    protocol: Protocol, candidates: Sequence[Candidate], order: CipherOrder | None, terms: Term
) -> SimulatedConnection:
    """The outcome of the suites that may be chosen."""
    if not candidates:
        detail = f"the server has none of the client's suites in {protocol}"
        return SimulatedConnection(False, protocol, reason=Obstacle.NO_COMMON_SUITE, detail=detail)
    choice = choose(candidates, order)
    refused = terms if choice.possible else candidates[0].end
    if not choice.possible or (terms.met is False and terms.obstacle in _REFUSED_BY_THE_SERVER):
        return SimulatedConnection(False, protocol, reason=refused.obstacle, detail=refused.detail)
    ends = [together((terms, one.end)) for one in choice.possible]
    if not choice.certain:
        ends.append(
            Term(
                met=False, obstacle=Obstacle.NO_COMMON_SUITE, detail="the server may choose none of the client's suites"
            )
        )
    met = {end.met for end in ends}
    worst = next((end for end in ends if end.met is not True), MET)
    suites, groups = {one.name for one in choice.possible}, {one.group for one in choice.possible}
    return SimulatedConnection(
        connects=met.pop() if len(met) == 1 else None,
        protocol=protocol,
        cipher_suite=suites.pop() if len(suites) == 1 and choice.certain else None,
        group=groups.pop() if len(groups) == 1 and choice.certain else None,
        reason=worst.obstacle,
        detail=worst.detail,
    )

"""Readings of all protocols to facts."""

from collections.abc import Mapping

from exporter.facts.handshake import HandshakeFacts, Listing, ServedChain
from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.protocol_result import Reading
from exporter.tls.extensions import FLAGS, HEARTBEAT, OCSP_STAPLING, SECURE_RENEGOTIATION
from exporter.tls.parameters import group_name, scheme_name
from exporter.tls.suites import SSL2_KINDS, KeyExchange, parameters, suite_name

_CLASSIC = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)
_WITH_EXTENSIONS = _CLASSIC[1:]
_WITH_GROUPS = (*_WITH_EXTENSIONS, Protocol.TLS1_3)

Readings = Mapping[Protocol, Reading]


def summary(talk: Conversation, readings: Readings, fallback: bool | None) -> HandshakeFacts:
    """The facts that these readings and what was observed beside them come to.

    Where answers contradict each other, several machines stand behind the address or the server refuses at random:
    then what was accepted is known, and every "no" and every "all" is unknown.
    """
    accepted = [protocol for protocol in Protocol if readings[protocol].accepted]
    contradictions = tuple(dict.fromkeys((*talk.contradictions, *talk.observed.contradictions())))
    several = set(Protocol) if contradictions else set()
    return HandshakeFacts(
        protocols={protocol: _unless(several, readings[protocol].accepted) for protocol in Protocol},
        cipher_suites={protocol: _suites(protocol, readings[protocol]) for protocol in accepted},
        incomplete=frozenset(p for p in accepted if not readings[p].complete or p in several),
        cipher_order={protocol: None if protocol in several else readings[protocol].order for protocol in accepted},
        compression=_unless(several, _compression(talk, readings)),
        groups={protocol: listing for protocol in accepted if (listing := _groups(talk, protocol, readings, several))},
        group_order={p: _group_order(talk, p, readings, several) for p in accepted if p in _WITH_GROUPS},
        extensions={name: _in_every_protocol(talk, readings, name) for name in FLAGS}
        | {
            "fallback_scsv": None if several else fallback,
            "downgrade_marks": None if several else _downgrade_marks(talk, accepted, readings),
        },
        heartbeat={p: has for p, has in _heartbeat(talk, accepted).items() if has or not several},
        applications=_applications(talk, readings, several),
        signature_schemes=_schemes(talk, readings, several),
        primes=tuple(sorted({prime for p in accepted for prime in talk.observed.of(p).primes}, key=lambda p: p.bits)),
        unseen_primes={p: unseen for p in accepted if (unseen := _unseen_primes(talk, p, readings[p]))},
        chains=tuple(
            ServedChain(chain.key, protocols, chain.certificates, chain.cut)
            for chain, protocols in talk.observed.chains().items()
        ),
        ssl2_certificate=talk.observed.ssl2_certificate,
        ignores_supported_groups=_unless(several, _ignores_groups(talk, accepted)),
        asked_without=talk.asked_without,
        contradictions=contradictions,
        spent=dict(talk.spent),
        notes=tuple(talk.notes),
    )


def _in_every_protocol(talk: Conversation, readings: Readings, name: str) -> bool | None:
    """Whether the server has this extension; a yes is known only when each protocol that can have it is.

    A stapled response is a yes wherever it was seen, as for `Observed.flag`.
    """
    flag = talk.observed.flag(name)
    protocols = _CLASSIC if name == SECURE_RENEGOTIATION else _WITH_EXTENSIONS
    unknown = any(readings[protocol].accepted is None for protocol in protocols)
    return None if flag and unknown and name != OCSP_STAPLING else flag


def _unless(several: set[Protocol], value: bool | None) -> bool | None:
    """The value; where several machines answer, a "no" of one is not known of the others."""
    return None if several and not value else value


def _heartbeat(talk: Conversation, accepted: list[Protocol]) -> dict[Protocol, bool]:
    """Missing where it was never asked for; SSL 3 has no extensions to ask with."""
    asked = {p: talk.observed.of(p).flags.get(HEARTBEAT) for p in accepted if p in _WITH_EXTENSIONS}
    answers = {protocol: True in flags for protocol, flags in asked.items() if flags}
    return answers | ({Protocol.SSL3: False} if Protocol.SSL3 in accepted else {})


def _suites(protocol: Protocol, reading: Reading) -> tuple[str, ...]:
    if protocol is Protocol.SSL2:
        return tuple(SSL2_KINDS.get(code, f"0x{code:06X}") for code in reading.suites)
    return tuple(map(suite_name, reading.suites))


def _unseen_primes(talk: Conversation, protocol: Protocol, reading: Reading) -> tuple[str, ...]:
    if protocol not in _CLASSIC:
        return ()
    shown = talk.observed.of(protocol).prime_suites
    finite = (code for code in reading.suites if parameters(code) is KeyExchange.DH)
    return tuple(suite_name(code) for code in finite if code not in shown)


def _compression(talk: Conversation, readings: Readings) -> bool | None:
    """True as soon as one protocol accepts it; False when no protocol that could have it is unknown.

    TLS 1.3 has no compression (RFC 8446, 4.1.2), SSL 2 never had it.
    """
    if any(talk.observed.of(protocol).compresses for protocol in _CLASSIC):
        return True
    return None if any(readings[protocol].accepted is None for protocol in _CLASSIC) else False


def _ignores_groups(talk: Conversation, accepted: list[Protocol]) -> bool | None:
    """Whether a group was chosen that was not offered; None where no group was chosen at all."""
    seen = [talk.observed.of(protocol) for protocol in accepted if protocol in _WITH_GROUPS]
    return any(one.other_groups for one in seen) if any(one.groups or one.other_groups for one in seen) else None


def _groups(talk: Conversation, protocol: Protocol, readings: Readings, several: set[Protocol]) -> Listing | None:
    """Groups that the server took; None where none was seen."""
    if protocol not in _WITH_GROUPS:
        return None
    seen = talk.observed.of(protocol)
    names = tuple(map(group_name, dict.fromkeys((*seen.groups, *sorted(seen.other_groups)))))
    complete = bool(readings[protocol].complete_kind("groups")) and protocol not in several
    return Listing(names, complete) if names else None


def _group_order(
    talk: Conversation, protocol: Protocol, readings: Readings, several: set[Protocol]
) -> CipherOrder | None:
    if protocol in several:
        return None
    own = readings[protocol].group_order
    return own if protocol is Protocol.TLS1_3 else talk.observed.group_order(protocol)


def _schemes(talk: Conversation, readings: Readings, several: set[Protocol]) -> Listing | None:
    """Signature schemes of TLS 1.2, the only protocol that shows them; None where no signature was seen."""
    names = tuple(map(scheme_name, talk.observed.of(Protocol.TLS1_2).schemes))
    complete = bool(readings[Protocol.TLS1_2].complete_kind("schemes")) and Protocol.TLS1_2 not in several
    return Listing(names, complete) if names else None


def _applications(talk: Conversation, readings: Readings, several: set[Protocol]) -> Listing | None:
    """Application protocols up to TLS 1.2: in TLS 1.3 they are encrypted. None where no hello asked for them."""
    asked = talk.extras and any(readings[protocol].accepted for protocol in _WITH_EXTENSIONS)
    if not asked:
        return None
    asked_for = any(reading.complete_kind("applications") for reading in readings.values())
    nothing = not talk.observed.applications and talk.names_applications
    return Listing(tuple(talk.observed.applications), complete=(nothing or asked_for) and not several)


def _downgrade_marks(talk: Conversation, accepted: list[Protocol], readings: Readings) -> bool | None:
    """Whether answers in older protocols are marked as such (RFC 8446, 4.1.3).

    A server with TLS 1.3 must, one with TLS 1.2 should; None where there is no older protocol, or answers differ.
    """
    newest = accepted[-1]
    if any(readings[protocol].accepted is None for protocol in (*_CLASSIC, Protocol.TLS1_3)):
        return None
    verdicts: set[bool] = set()
    for protocol in (p for p in accepted if p in _CLASSIC and p is not newest):
        marks = talk.observed.of(protocol).marks
        if len(marks) != 1 or newest not in {Protocol.TLS1_2, Protocol.TLS1_3}:
            return None
        wanted = Protocol.TLS1_2 if protocol is Protocol.TLS1_2 else Protocol.TLS1_1
        verdicts.add(marks == {wanted})
    return all(verdicts) if verdicts else None

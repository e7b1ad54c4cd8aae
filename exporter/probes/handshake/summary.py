"""The results of all protocols as facts."""

from collections.abc import Mapping

from exporter.facts.handshake import (
    APPLICATIONS,
    EXTENSIONS,
    RETRY_REQUEST,
    SERVER_NAME,
    HandshakeFacts,
    Listing,
    ServedChain,
)
from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.tls.extensions import FLAGS, HEARTBEAT, OCSP_STAPLING, SECURE_RENEGOTIATION
from exporter.tls.parameters import group_name, scheme_name
from exporter.tls.suites import SSL2_KINDS, KeyExchange, parameters, suite_name

_CLASSIC = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)
_WITH_EXTENSIONS = _CLASSIC[1:]
_WITH_GROUPS = (*_WITH_EXTENSIONS, Protocol.TLS1_3)

Results = Mapping[Protocol, ProtocolResult]


def summary(conversation: Conversation, results: Results, fallback: bool | None) -> HandshakeFacts:
    """The facts of these results and of what was observed with them.

    Where answers contradict each other, several machines are behind the address or the server refuses at random. Then
    what was accepted is known, and each "no" and each "all" is unknown.
    """
    observations = conversation.observations
    accepted = [protocol for protocol in Protocol if results[protocol].accepted]
    contradictions = tuple(dict.fromkeys(conversation.consistency.contradictions()))
    several = bool(contradictions)
    return HandshakeFacts(
        protocols={protocol: _unless(several, results[protocol].accepted) for protocol in Protocol},
        cipher_suites={protocol: _suites(protocol, results[protocol]) for protocol in accepted},
        cipher_suites_incomplete=frozenset(p for p in accepted if not results[p].complete or several),
        cipher_order={protocol: None if several else results[protocol].cipher_order for protocol in accepted},
        compression=_unless(several, _compression(conversation, results)),
        groups={p: listing for p in accepted if (listing := _groups(conversation, p, results, several=several))},
        group_order={
            p: None if several else _group_order(conversation, p, results) for p in accepted if p in _WITH_GROUPS
        },
        extensions=_extensions(conversation, results, accepted, fallback, several=several),
        heartbeat={p: has for p, has in _heartbeat(conversation, accepted).items() if has or not several},
        alpn=_alpn(conversation, results, several=several),
        signature_schemes=_schemes(conversation, results, several=several),
        dh_primes=tuple(sorted({prime for p in accepted for prime in observations.of(p).primes}, key=lambda p: p.bits)),
        unseen_dh_primes={p: unseen for p in accepted if (unseen := _unseen_primes(conversation, p, results[p]))},
        plain_chains=tuple(
            ServedChain(chain.key, protocols, chain.certificates, chain.truncated)
            for chain, protocols in observations.chains().items()
        ),
        ssl2_certificate=observations.ssl2_certificate,
        ignores_supported_groups=_unless(several, _ignores_groups(conversation, accepted)),
        asked_without=_asked_without(conversation),
        contradictions=contradictions,
        hellos=dict(conversation.connections_by_purpose),
        notes=tuple(conversation.notes),
    )


def _unless(several: bool, value: bool | None) -> bool | None:
    """The value; where several machines answer, a "no" of one is not known of the others."""
    return None if several and not value else value


def _asked_without(conversation: Conversation) -> tuple[str, ...]:
    """What hellos had to leave out for the server to answer them."""
    quirks = conversation.quirks
    tls13 = bool(conversation.observations.of(Protocol.TLS1_3).suites)
    left_out = {
        EXTENSIONS: quirks.drops_optional_extensions,
        SERVER_NAME: quirks.drops_server_name,
        APPLICATIONS: conversation.leaves_out_alpn,
        RETRY_REQUEST: quirks.needs_key_shares and tls13,
    }
    return tuple(name for name, left in left_out.items() if left)


def _suites(protocol: Protocol, result: ProtocolResult) -> tuple[str, ...]:
    if protocol is Protocol.SSL2:
        return tuple(SSL2_KINDS.get(code, f"0x{code:06X}") for code in result.suites)
    return tuple(map(suite_name, result.suites))


# --- extensions -------------------------------------------------------------------------------------------------------


def _extensions(
    conversation: Conversation, results: Results, accepted: list[Protocol], fallback: bool | None, *, several: bool
) -> dict[str, bool | None]:
    return {name: _in_each_protocol(conversation, results, name) for name in FLAGS} | {
        "fallback_scsv": None if several else fallback,
        "downgrade_marks": None if several else _downgrade_marks(conversation, accepted, results),
    }


def _in_each_protocol(conversation: Conversation, results: Results, name: str) -> bool | None:
    """Whether the server has this extension; a yes is known only when each protocol that can have it is known.

    A stapled response is a yes wherever it was seen, as in `Observations.has_extension`.
    """
    has = conversation.observations.has_extension(name)
    protocols = _CLASSIC if name == SECURE_RENEGOTIATION else _WITH_EXTENSIONS
    unknown = any(results[protocol].accepted is None for protocol in protocols)
    return None if has and unknown and name != OCSP_STAPLING else has


def _heartbeat(conversation: Conversation, accepted: list[Protocol]) -> dict[Protocol, bool]:
    """Missing where it was never asked for; SSL 3 has no extensions to ask with."""
    asked = {
        p: conversation.observations.of(p).extension_answers.get(HEARTBEAT) for p in accepted if p in _WITH_EXTENSIONS
    }
    answers = {protocol: True in values for protocol, values in asked.items() if values}
    return answers | ({Protocol.SSL3: False} if Protocol.SSL3 in accepted else {})


def _downgrade_marks(conversation: Conversation, accepted: list[Protocol], results: Results) -> bool | None:
    """Whether answers in older protocols are marked as such (RFC 8446, 4.1.3).

    A server with TLS 1.3 must mark them, one with TLS 1.2 should. None where there is no older protocol, or answers
    differ.
    """
    newest = accepted[-1]
    if any(results[protocol].accepted is None for protocol in (*_CLASSIC, Protocol.TLS1_3)):
        return None
    verdicts: set[bool] = set()
    for protocol in (p for p in accepted if p in _CLASSIC and p is not newest):
        marks = conversation.observations.of(protocol).downgrade_marks
        if len(marks) != 1 or newest not in {Protocol.TLS1_2, Protocol.TLS1_3}:
            return None
        wanted = Protocol.TLS1_2 if protocol is Protocol.TLS1_2 else Protocol.TLS1_1
        verdicts.add(marks == {wanted})
    return all(verdicts) if verdicts else None


def _compression(conversation: Conversation, results: Results) -> bool | None:
    """True as soon as one protocol accepts it; False when no protocol that could have it is unknown.

    TLS 1.3 has no compression (RFC 8446, 4.1.2), SSL 2 never had it.
    """
    if any(conversation.observations.of(protocol).accepts_compression for protocol in _CLASSIC):
        return True
    return None if any(results[protocol].accepted is None for protocol in _CLASSIC) else False


# --- key exchange -----------------------------------------------------------------------------------------------------


def _groups(conversation: Conversation, protocol: Protocol, results: Results, *, several: bool) -> Listing | None:
    """Groups that the server chose; None where none was seen."""
    if protocol not in _WITH_GROUPS:
        return None
    seen = conversation.observations.of(protocol)
    names = tuple(map(group_name, dict.fromkeys((*seen.groups, *sorted(seen.unoffered_groups)))))
    complete = bool(results[protocol].is_complete("groups")) and not several
    return Listing(names, complete) if names else None


def _group_order(conversation: Conversation, protocol: Protocol, results: Results) -> CipherOrder | None:
    own = results[protocol].group_order
    return own if protocol is Protocol.TLS1_3 else conversation.observations.group_order(protocol)


def _ignores_groups(conversation: Conversation, accepted: list[Protocol]) -> bool | None:
    """Whether a group was chosen that was not offered; None where no group was chosen at all."""
    seen = [conversation.observations.of(protocol) for protocol in accepted if protocol in _WITH_GROUPS]
    chosen = any(one.groups or one.unoffered_groups for one in seen)
    return any(one.unoffered_groups for one in seen) if chosen else None


def _unseen_primes(conversation: Conversation, protocol: Protocol, result: ProtocolResult) -> tuple[str, ...]:
    if protocol not in _CLASSIC:
        return ()
    shown = conversation.observations.of(protocol).suites_with_prime
    finite = (code for code in result.suites if parameters(code) is KeyExchange.DH)
    return tuple(suite_name(code) for code in finite if code not in shown)


def _schemes(conversation: Conversation, results: Results, *, several: bool) -> Listing | None:
    """Signature schemes of TLS 1.2, the only protocol that shows them; None where no signature was seen."""
    names = tuple(map(scheme_name, conversation.observations.of(Protocol.TLS1_2).schemes))
    complete = bool(results[Protocol.TLS1_2].is_complete("schemes")) and not several
    return Listing(names, complete) if names else None


def _alpn(conversation: Conversation, results: Results, *, several: bool) -> Listing | None:
    """Application protocols up to TLS 1.2, as TLS 1.3 encrypts them. None where no hello asked for them."""
    quirks, names = conversation.quirks, conversation.observations.alpn
    asked = not quirks.drops_optional_extensions and any(results[protocol].accepted for protocol in _WITH_EXTENSIONS)
    if not asked:
        return None
    enumerated = any(result.is_complete("alpn") for result in results.values())
    nothing = not names and not conversation.leaves_out_alpn
    return Listing(tuple(names), complete=(nothing or enumerated) and not several)

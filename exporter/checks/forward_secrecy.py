"""Check `forward_secrecy`: no accepted suite has session keys that the certificate's key could reveal later."""

from typing import Literal

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Protocol, Remedy
from exporter.remedies.servers import nothing_known
from exporter.remedies.suites import choose, suites_remedies
from exporter.tls.suites import BY_ANY_NAME, BY_NAME


class ForwardSecrecyDemand(Demand):
    """Every accepted suite must have forward secrecy."""

    required: Literal[True]


def _without(facts: HandshakeFacts, protocol: Protocol) -> tuple[str, ...]:
    """The accepted suites that are known not to have forward secrecy. All cipher kinds of SSL 2 are among them."""
    names = facts.cipher_suites.get(protocol, ())
    return tuple(name for name in names if name in BY_ANY_NAME and not BY_ANY_NAME[name].forward_secrecy)


def _left_open(facts: HandshakeFacts) -> tuple[str, ...]:
    """Protocols that may have suites that are not listed, or that have a suite known by its number only."""
    return tuple(
        protocol
        for protocol in Protocol
        if facts.protocols.get(protocol) is None
        or (
            facts.protocols[protocol]
            and (protocol in facts.cipher_suites_incomplete or not facts.cipher_suites.get(protocol))
        )
        or any(name not in BY_ANY_NAME for name in facts.cipher_suites.get(protocol, ()))
    )


def _judge(case: Case, _demand: ForwardSecrecyDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the cipher suites are not known")
    match facts.forward_secrecy:
        case True:
            return passed("accepts only cipher suites with forward secrecy")
        case False:
            without = {str(protocol): _without(facts, protocol) for protocol in facts.accepted}
            evidence = {protocol: names for protocol, names in without.items() if names}
            return failed(f"accepts cipher suites without forward secrecy ({', '.join(evidence)})", evidence)
        case None:
            left_open = _left_open(facts)
            names = ", ".join(left_open) or "suites"
            return unknown(f"the suites of {names} are not all known", {"unknown": left_open} if left_open else {})


def _remedy(case: Case, _demand: ForwardSecrecyDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The accepted suites with forward secrecy."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return nothing_known()
    chosen = choose(facts, lambda _protocol, name: name in BY_NAME and BY_NAME[name].forward_secrecy)
    return suites_remedies(case, facts, chosen, outcome.evidence)


CHECK = Check(
    name="forward_secrecy",
    why=("Without forward secrecy, everyone who gets the private key later can decrypt what was recorded before."),
    demand=ForwardSecrecyDemand,
    verdict=_judge,
    asks=lambda _demand: "only cipher suites with forward secrecy",
    remedy=_remedy,
)

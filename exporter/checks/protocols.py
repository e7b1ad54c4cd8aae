"""Check `protocols`: which protocol versions are accepted."""

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Outcome, unknown
from exporter.judging.items import names_in_force, today
from exporter.judging.listing import Had, NamesDemand, asks_names, judge_names, permitted
from exporter.judging.names import ProtocolName
from exporter.model import Protocol, Remedy
from exporter.remedies.protocols import protocol_change, to_keep
from exporter.remedies.servers import nothing_known, remedies


class ProtocolsDemand(NamesDemand[ProtocolName]):
    """Protocol versions."""


def _judge(case: Case, demand: ProtocolsDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return unknown("the protocols are not known")
    if not facts.accepted:
        return unknown("no protocol is known to be accepted")
    dark = tuple(protocol.value for protocol in Protocol if facts.protocols.get(protocol) is None)
    return judge_names(Had(tuple(protocol.value for protocol in facts.accepted), dark), demand, today(case))


def _remedy(case: Case, demand: ProtocolsDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The versions that are accepted and permitted, and the required ones."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return nothing_known()
    day = today(case)
    required = [Protocol(name) for name in names_in_force(demand.required, day) if name in set(Protocol)]
    return remedies(case, protocol_change(facts, to_keep(facts, permitted(demand, day), required)))


CHECK = Check(
    name="protocols",
    why=(
        "SSLv2 and SSLv3 are broken (DROWN, POODLE; RFC 6176, RFC 7568). TLS 1.0 and 1.1 rely on MD5 and "
        "SHA-1, and are deprecated by RFC 8996. Only TLS 1.2 and 1.3 have authenticated encryption."
    ),
    demand=ProtocolsDemand,
    verdict=_judge,
    asks=asks_names,
    remedy=_remedy,
)

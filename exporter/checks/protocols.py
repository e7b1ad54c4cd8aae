"""Check `protocols`: which protocol versions are accepted."""

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Outcome, unknown
from exporter.judging.items import today
from exporter.judging.listing import Had, NamesDemand, asks_names, judge_names
from exporter.judging.names import ProtocolName
from exporter.model import Protocol


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


CHECK = Check(name="protocols", demand=ProtocolsDemand, verdict=_judge, asks=asks_names)

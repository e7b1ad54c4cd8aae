"""Check `protocols`: only protocol versions that the policy allows are accepted."""

from exporter.case import Case
from exporter.checks.base import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Protocol
from exporter.probes.handshake import HandshakeFacts


class ProtocolsDemand(Demand):
    """Allow-list of protocol versions; every other one must be refused."""

    allowed: frozenset[Protocol]


def _judge(case: Case, demand: ProtocolsDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return unknown("the protocols are not known")
    forbidden = [protocol for protocol in Protocol if protocol not in demand.allowed]
    accepted = tuple(protocol for protocol in forbidden if facts.protocols.get(protocol))
    if accepted:
        return failed(f"accepts {', '.join(accepted)}", {"accepted": accepted})
    open_ones = tuple(protocol for protocol in forbidden if facts.protocols.get(protocol) is None)
    if open_ones:
        return unknown(f"it could not be told whether {', '.join(open_ones)} is accepted", {"unknown": open_ones})
    if not facts.accepted:
        return unknown("no protocol is known to be accepted")
    return passed(f"accepts {', '.join(facts.accepted)} only")


CHECK = Check(name="protocols", demand=ProtocolsDemand, judge=_judge)

"""Check `cipher_order`: the server's order of preference decides, not the client's."""

from typing import Literal

from exporter.case import Case
from exporter.checks.base import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake import HandshakeFacts


class CipherOrderDemand(Demand):
    """Whose order must decide, in each accepted protocol with two suites or more."""

    required: Literal["server"]


def _judge(case: Case, _demand: CipherOrderDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the cipher order is not known")
    with_choice = [
        protocol
        for protocol in facts.accepted
        if protocol is not Protocol.SSL2  # there the client chooses, always (Hickman, The SSL Protocol, 1.2.1)
        and (len(facts.cipher_suites.get(protocol, ())) != 1 or protocol in facts.incomplete)  # none: not known
    ]
    other = {
        str(protocol): (str(order),)
        for protocol in with_choice
        if (order := facts.cipher_order.get(protocol)) in {CipherOrder.CLIENT, CipherOrder.MIXED}
    }
    if other:
        return failed(f"the server's order does not decide in {', '.join(other)}", other)
    open_ones = tuple(p for p in Protocol if facts.protocols.get(p) is None and p is not Protocol.SSL2)
    open_ones += tuple(protocol for protocol in with_choice if facts.cipher_order.get(protocol) is None)
    if open_ones:
        return unknown(f"whose order decides in {', '.join(open_ones)} could not be told", {"unknown": open_ones})
    if not with_choice:
        return not_applicable("no protocol has two cipher suites to choose from")
    return passed("the server's order decides")


CHECK = Check(name="cipher_order", demand=CipherOrderDemand, judge=_judge)

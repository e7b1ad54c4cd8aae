"""Check `cipher_order`: whose order of preference decides, the server's or the client's."""

from enum import StrEnum

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import CipherOrder, Protocol, Remedy
from exporter.remedies.parameters import order_change
from exporter.remedies.servers import Server, remedies
from exporter.remedies.suites import choose, suites_change


class Whose(StrEnum):
    """Whose order must decide."""

    SERVER = "server"
    CLIENT = "client"
    EITHER = "either"


_GOOD = {
    Whose.SERVER: frozenset({CipherOrder.SERVER}),
    Whose.CLIENT: frozenset({CipherOrder.CLIENT}),
    Whose.EITHER: frozenset({CipherOrder.SERVER, CipherOrder.CLIENT}),
}
_MEANT = {
    Whose.SERVER: "the server's order",
    Whose.CLIENT: "the client's order",
    Whose.EITHER: "one side's order",
}


class CipherOrderDemand(Demand):
    """Whose order must decide, in each accepted protocol with at least two suites.

    Attributes:
        required: with `either`, one of the two must decide throughout a protocol.
    """

    required: Whose


def _judge(case: Case, demand: CipherOrderDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the cipher order is not known")
    with_choice = [
        protocol
        for protocol in facts.accepted
        if protocol is not Protocol.SSL2  # in SSL 2 the client always chooses (Hickman, The SSL Protocol, 1.2.1)
        and (
            len(facts.cipher_suites.get(protocol, ())) != 1 or protocol in facts.cipher_suites_incomplete
        )  # an empty list: not known
    ]
    orders = {protocol: facts.cipher_order.get(protocol) for protocol in with_choice}
    wrong = {
        str(protocol): (str(order),)
        for protocol, order in orders.items()
        if order is not None and order not in _GOOD[demand.required]
    }
    if wrong:
        return failed(f"{_MEANT[demand.required]} does not decide in {', '.join(wrong)}", wrong)
    open_ones = tuple(p for p in Protocol if facts.protocols.get(p) is None and p is not Protocol.SSL2)
    open_ones += tuple(protocol for protocol, order in orders.items() if order is None)
    if open_ones:
        return unknown(f"it is not known whose order decides in {', '.join(open_ones)}", {"unknown": open_ones})
    if not with_choice:
        return not_applicable("no protocol has two cipher suites to choose from")
    return passed(f"{_MEANT[demand.required]} decides")


def _remedy(case: Case, demand: CipherOrderDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The setting for whose order decides; for `either` the server's."""
    facts = case.facts.get(HandshakeFacts)
    mixed = [protocol for protocol, order in facts.cipher_order.items() if order is CipherOrder.MIXED] if facts else []
    order = CipherOrder.CLIENT if demand.required is Whose.CLIENT else CipherOrder.SERVER
    return remedies(case, order_change(order, mixed, _without_chacha(facts) if facts and mixed else ()))


def _without_chacha(facts: HandshakeFacts) -> tuple[str, ...]:
    """HAProxy's lines without ChaCha20: HAProxy always prefers ChaCha20 where the client does."""
    chosen = choose(facts, lambda _protocol, name: "CHACHA20" not in name)
    return suites_change(chosen, old=False).lines.get(Server.HAPROXY, ())


CHECK = Check(
    name="cipher_order",
    why=(
        "If the client's order decides, a client with a poor order gets a weaker suite than the best one that "
        "both sides have."
    ),
    demand=CipherOrderDemand,
    verdict=_judge,
    asks=lambda demand: f"{_MEANT[demand.required]} decides",
    remedy=_remedy,
)

"""Whose order of preference decides which cipher suite is taken."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.server_hello import ServerHello
from exporter.tls.suites import KeyExchange, for_dss, for_ecdsa, layout, signed, suite_name

_ENOUGH = 62
"""Suites that are enough to find the order of a longer list: its first and its last ones. Each server reads a list of
this length to its end."""


@dataclass(frozen=True, slots=True)
class OrderResult:
    """Whose order decides, and what the answers show of long lists.

    Attributes:
        order: None when it was not answered, or the answers contradict each other.
        reads_past_refused: an answer chose a suite that was offered after all that were refused.
    """

    order: CipherOrder | None
    reads_past_refused: bool


async def find_cipher_order(
    conversation: Conversation,
    protocol: Protocol,
    found: Sequence[int],
    *,
    refused: tuple[int, ...] = (),
    groups: tuple[int, ...] | None = None,
) -> OrderResult:
    """Whose order decides. `found` (two or more) is in the order of the server's choices.

    The suites are offered in reverse: a server that follows its own order still takes its first. ChaCha20 suites come
    first, since some servers follow the client for these alone (OpenSSL's PrioritizeChaCha, Go). If the server's
    favourite is a ChaCha20 suite, those with AES-GCM come first. A server that takes one of these is asked again with
    them at the end.

    `refused` is offered before all suites but these, to show whether the server reads on after so many.

    Suites for one kind of certificate are enough, and give a clear answer of a server that chooses the certificate
    first. The client's order is believed when another list brings another choice.
    """
    alike = [code for code in found if for_ecdsa(code) == for_ecdsa(found[0])]
    found = alike if len(alike) > 1 else list(found)
    if len(found) > _ENOUGH:
        found = [*found[: _ENOUGH // 2], *found[-_ENOUGH // 2 :]]
    front, others = _split_reversed(found)
    order, chosen = await _first_order(conversation, HelloQuery(protocol, (*front, *refused, *others), groups), found)
    if order is not CipherOrder.CLIENT and (order is None or chosen in others):
        return OrderResult(order, reads_past_refused=order is not None)
    if front and (len(others) > 1 or refused):
        again, _ = await _order_shown_by(conversation, HelloQuery(protocol, (*refused, *others, *front)), found)
        if len(others) > 1 and order is CipherOrder.CLIENT:
            order = CipherOrder.MIXED if again is CipherOrder.SERVER else again
        return OrderResult(order, reads_past_refused=again is not None)
    if order is CipherOrder.MIXED:
        return OrderResult(order, reads_past_refused=not refused)
    again, _ = await _order_shown_by(conversation, HelloQuery(protocol, (*found[1:], found[0])), found)
    if again is CipherOrder.SERVER:
        conversation.consistency.contradict(protocol, "cipher order")
        again = None
    return OrderResult(again, reads_past_refused=True)


async def _first_order(
    conversation: Conversation, query: HelloQuery, found: Sequence[int]
) -> tuple[CipherOrder | None, int | None]:
    """As `_order_shown_by`, with the groups and schemes that were chosen before offered last where that is safe.

    A server may read only a part of the lists of groups and schemes. That hides some suites and not others, unless all
    have the same needs. Without an answer, the usual lists are offered.
    """
    if query.groups is None and len({needs(code) for code in found}) == 1:
        chosen_last = HelloQuery(query.protocol, query.suites, chosen_last=True)
        order, chosen = await _order_shown_by(conversation, chosen_last, found)
        if order is not None:
            return order, chosen
    return await _order_shown_by(conversation, query, found)


def order_revealing_list(found: Sequence[int]) -> tuple[int, ...]:
    """The list that shows most of the order: a server that follows its own order takes none of the first."""
    front, others = _split_reversed(found)
    return (*front, *others)


def _split_reversed(found: Sequence[int]) -> tuple[list[int], list[int]]:
    """What was found in reverse order, in two parts: suites that some servers prefer when the client does; the others.

    The first are ChaCha20 suites or, if one is the server's favourite, those with AES-GCM: Go prefers ChaCha20 unless
    one of these comes first. Those with elliptic curves come first: Go looks at the first suite that it knows, and
    counts only these.
    """
    preferred = "_GCM_" if _is_chacha(found[0]) else "CHACHA20"
    front = [code for code in reversed(found) if preferred in suite_name(code)]
    front.sort(key=lambda code: layout(code) is not KeyExchange.ECDH)
    return front, [code for code in reversed(found) if code not in front]


def _is_chacha(code: int) -> bool:
    return "CHACHA20" in suite_name(code)


def order_shown(
    conversation: Conversation,
    protocol: Protocol,
    found: Sequence[int],
    choices: Sequence[tuple[tuple[int, ...], int]],
    known: CipherOrder | None,
) -> CipherOrder | None:
    """The order that is known, else the server's where all these choices show it.

    `choices` are lists offered and the suite taken from each. Their hellos may have been too narrow for some suites. So
    only suites with the same needs as the one taken are compared. Choices that agree neither with each other nor with
    the known order are a contradiction.
    """
    shown = set()
    for offered, chosen in (choice for choice in choices if choice[1] in found):
        alike = [code for code in found if code in offered and needs(code) == needs(chosen)]
        first = next(code for code in offered if code in alike)
        if len(alike) < 2 or first == alike[0] or (known and for_ecdsa(chosen) != for_ecdsa(found[0])):
            continue
        by_client = CipherOrder.MIXED if known is CipherOrder.SERVER and _is_chacha(chosen) else CipherOrder.CLIENT
        shown.add(CipherOrder.SERVER if chosen == alike[0] else by_client if chosen == first else CipherOrder.MIXED)
    if known is CipherOrder.SERVER and shown == {CipherOrder.MIXED}:
        return CipherOrder.MIXED
    if len(shown) > 1 or (shown and known not in {None, CipherOrder.MIXED, *shown}):
        conversation.consistency.contradict(protocol, "cipher order")
    return known or (CipherOrder.SERVER if shown == {CipherOrder.SERVER} else None)


def needs(code: int) -> tuple[object, ...]:
    """What a hello must offer besides the suite."""
    return for_ecdsa(code), for_dss(code), signed(code), layout(code)


async def _order_shown_by(
    conversation: Conversation, query: HelloQuery, found: Sequence[int]
) -> tuple[CipherOrder | None, int | None]:
    """The order that the answer to one list shows, and the suite taken; both None where none of `found` was.

    `found` begins with the server's favourite. The list begins with another suite, apart from those not accepted.
    """
    answer = await conversation.put(query)
    if isinstance(answer, ServerHello) and answer.suite in {*query.suites} - {*found}:
        conversation.consistency.contradict(query.protocol, "cipher suites")
    if not isinstance(answer, ServerHello) or answer.suite not in found:
        return None, None
    accepted = [code for code in query.suites if code in found]
    if answer.suite == accepted[0]:
        return CipherOrder.CLIENT, answer.suite
    return CipherOrder.SERVER if answer.suite == found[0] else CipherOrder.MIXED, answer.suite

"""Whose order of preference decides which cipher suite is taken."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.question import Question
from exporter.probes.handshake.server_hello import ServerHello
from exporter.tls.suites import KeyExchange, for_dss, for_ecdsa, layout, signed, suite_name

_ENOUGH = 62
"""Suites that tell the order of a longer list: its first and its last ones, in a list that every server reads whole."""


@dataclass(frozen=True, slots=True)
class Preference:
    """The verdict on the order.

    Attributes:
        order: None when it was not answered, or the answers contradict each other.
        reads_on: a question was answered with a suite that stands behind all that were refused.
    """

    order: CipherOrder | None
    reads_on: bool


async def cipher_order(
    talk: Conversation,
    protocol: Protocol,
    found: Sequence[int],
    *,
    refused: tuple[int, ...] = (),
    groups: tuple[int, ...] | None = None,
) -> Preference:
    """Whose order decides. `found` (two or more) is in the order of the server's choices.

    `refused` is put in front of those that are not in front by themselves (see below), to show whether the server reads
    on behind so many.

    The list is turned round: a server that goes by its own order still takes its first. ChaCha20 suites are put in
    front, since some servers let the client have its way there alone (OpenSSL's PrioritizeChaCha, Go), and for a
    favourite with ChaCha20 those with AES-GCM; a server that takes one of these is asked again with them at the end.
    Suites for one kind of certificate are enough, and not confused by a server that chooses the certificate first. A
    client's order is believed when another list brings another choice.
    """
    alike = [code for code in found if for_ecdsa(code) == for_ecdsa(found[0])]
    found = alike if len(alike) > 1 else list(found)
    if len(found) > _ENOUGH:
        found = [*found[: _ENOUGH // 2], *found[-_ENOUGH // 2 :]]
    first = found[0]
    front, others = _turned(found)
    suites = (*front, *refused, *others)
    # Lists of groups and schemes may be read in part alone, which hides some suites and not others.
    far = groups is None and len({_needs(code) for code in found}) == 1
    order, taken = await _pick(talk, Question(protocol, suites, groups, far=far), found)
    if order is None and far:
        order, taken = await _pick(talk, Question(protocol, suites), found)
    if order is not CipherOrder.CLIENT and (order is None or taken in others):
        return Preference(order, reads_on=order is not None)
    if front and (len(others) > 1 or refused):
        again, _ = await _pick(talk, Question(protocol, (*refused, *others, *front)), found)
        if len(others) > 1 and order is CipherOrder.CLIENT:
            order = CipherOrder.MIXED if again is CipherOrder.SERVER else again
        return Preference(order, reads_on=again is not None)
    if order is CipherOrder.MIXED:
        return Preference(order, reads_on=not refused)
    again, _ = await _pick(talk, Question(protocol, (*found[1:], first)), found)
    if again is CipherOrder.SERVER:
        talk.contradict(protocol, "cipher order")
        again = None
    return Preference(again, reads_on=True)


def _turned(found: Sequence[int]) -> tuple[list[int], list[int]]:
    """What was found the other way round, in two parts: what a client can bring servers to like best, and the rest.

    ChaCha20 suites; if one is the favourite, those with AES-GCM (Go likes ChaCha20 best unless one is in front). Those
    with elliptic curves come first: Go looks at the first suite that it knows, and for these alone.
    """
    dear = "_GCM_" if _is_chacha(found[0]) else "CHACHA20"
    front = [code for code in reversed(found) if dear in suite_name(code)]
    front.sort(key=lambda code: layout(code) is not KeyExchange.ECDH)
    return front, [code for code in reversed(found) if code not in front]


def _is_chacha(code: int) -> bool:
    return "CHACHA20" in suite_name(code)


def turned(found: Sequence[int]) -> tuple[int, ...]:
    """The list that tells most of the order: from it, a server that goes by its own takes none of the first."""
    front, others = _turned(found)
    return (*front, *others)


def order_shown(
    talk: Conversation,
    protocol: Protocol,
    found: Sequence[int],
    answers: Sequence[tuple[tuple[int, ...], int]],
    known: CipherOrder | None,
) -> CipherOrder | None:
    """The order that is known, else the server's where all these answers show it.

    `answers` are lists offered and the suites taken from them, to hellos that may have been too narrow for some: so
    only suites that are signed and exchange keys like the one that was taken are looked at. Answers that neither agree
    with each other nor with the order that is known are a contradiction.
    """
    shown = set()
    for offered, taken in (answer for answer in answers if answer[1] in found):
        alike = [code for code in found if code in offered and _needs(code) == _needs(taken)]
        in_front = next(code for code in offered if code in alike)
        if len(alike) < 2 or in_front == alike[0] or (known and for_ecdsa(taken) != for_ecdsa(found[0])):
            continue
        by_client = CipherOrder.MIXED if known is CipherOrder.SERVER and _is_chacha(taken) else CipherOrder.CLIENT
        verdict = CipherOrder.SERVER if taken == alike[0] else by_client if taken == in_front else CipherOrder.MIXED
        shown.add(verdict)
    if known is CipherOrder.SERVER and shown == {CipherOrder.MIXED}:
        return CipherOrder.MIXED
    if len(shown) > 1 or (shown and known not in {None, CipherOrder.MIXED, *shown}):
        talk.contradict(protocol, "cipher order")
    return known or (CipherOrder.SERVER if shown == {CipherOrder.SERVER} else None)


def _needs(code: int) -> tuple[object, ...]:
    """What a hello must offer beside the suite."""
    return for_ecdsa(code), for_dss(code), signed(code), layout(code)


async def _pick(talk: Conversation, question: Question, found: Sequence[int]) -> tuple[CipherOrder | None, int | None]:
    """What the answer to one list says, and the suite taken.

    `found` begins with the server's favourite, the list does not, save for what it does not accept.
    """
    answer = await talk.put(question)
    if isinstance(answer, ServerHello) and answer.suite in {*question.suites} - {*found}:
        talk.contradict(question.protocol, "cipher suites")
    if not isinstance(answer, ServerHello) or answer.suite not in found:
        return None, None
    known = [code for code in question.suites if code in found]
    if answer.suite == known[0]:
        return CipherOrder.CLIENT, answer.suite
    return CipherOrder.SERVER if answer.suite == found[0] else CipherOrder.MIXED, answer.suite

"""Whether hellos that were turned away without a proper refusal were refused: the proof, given at the end."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import TURNED_AWAY, Unanswered
from exporter.probes.handshake.flight import Alert, ServerHello
from exporter.probes.handshake.question import Question
from exporter.probes.handshake.registry import VERSION_CODES, for_ecdsa
from exporter.probes.handshake.strike import agreed


async def prove(talk: Conversation, doubts: Sequence[Question], controls: Sequence[Question]) -> frozenset[Question]:
    """The doubts that were refusals.

    They are asked once more, one after the other and then in the opposite order, with controls before, between and
    behind: hellos like those in doubt that offer what the server is known to take. No limit on connections turns away
    just the doubts each time. Must be called while no other connection of this reading is open.
    """
    if not controls:
        return frozenset()
    refused, waiting = set(doubts), itertools.cycle(controls)
    # Two machines that take turns must not turn away the doubts and answer the controls each: with an odd number of
    # hellos in between the same machine would answer every control, so two follow each other in the middle.
    odd = len(doubts) % 2
    each = max(1, math.ceil((len(controls) - odd) / 3))
    rounds: tuple[tuple[int, list[Question]], ...] = (
        (each, list(doubts)),
        (each + odd, list(reversed(doubts))),
        (each, []),
    )
    for count, round_ in rounds:
        for control in itertools.islice(waiting, count):
            if not await _answers(talk, control):
                return frozenset()
        for question in round_:
            if not await _is_turned_away(talk, question):
                refused.discard(question)
    return frozenset(refused)


def control_for(
    doubt: Question, accepted: Sequence[int], groups: Sequence[int], schemes: Sequence[int]
) -> Question | None:
    """The doubt with what the server is known to take at the end of each list; None where there is nothing like it.

    `accepted` are suites, and like `groups` and `schemes` of the protocol of the doubt. A suite for another kind of
    certificate is nothing like it: some servers choose the certificate first, and do not see it then.
    """
    limited = doubt.groups is not None or doubt.schemes is not None or doubt.applications is not None
    kinds = {for_ecdsa(code) for code in doubt.suites}
    more = [code for code in accepted if code not in doubt.suites and for_ecdsa(code) in kinds]
    if not limited and not more:
        return None
    return replace(
        doubt,
        suites=doubt.suites if limited else (*doubt.suites, more[0]),
        groups=None if doubt.groups is None else (*doubt.groups, *groups),
        schemes=None if doubt.schemes is None else (*doubt.schemes, *schemes),
        applications=None,
    )


async def _answers(talk: Conversation, control: Question) -> bool:
    return agreed(await talk.put(control), control)


async def _is_turned_away(talk: Conversation, question: Question) -> bool:
    """Whether this answer is a no: the end of the connection, an alert, an older version or a suite not offered."""
    answer = await talk.put(question)
    match answer:
        case Unanswered(silence=silence):
            return silence in TURNED_AWAY
        case ServerHello(version=version, suite=suite):
            return version < VERSION_CODES[question.protocol] or suite not in question.suites
        case Alert():
            return True
        case _:
            return False

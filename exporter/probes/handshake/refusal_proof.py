"""Whether hellos that were turned away without a proper refusal were refused: the proof, given at the end."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import TURNED_AWAY, Unanswered
from exporter.probes.handshake.exhaust import agreed
from exporter.probes.handshake.question import Question
from exporter.probes.handshake.server_hello import Alert, ServerHello
from exporter.tls.suites import VERSION_CODES, for_ecdsa


async def prove(talk: Conversation, doubts: Sequence[Question], controls: Sequence[Question]) -> frozenset[Question]:
    """The doubts that were refusals.

    They are asked once more, and then those about protocols and suites once more in the opposite order, with controls
    before, between and behind: hellos like those in doubt that offer what the server is known to take. No limit on
    connections turns away just the doubts each time. A doubt that is answered now was turned away by chance, so others
    may have been, too: then none is proved. Must be called while no other connection of this reading is open.
    """
    if not controls:
        return frozenset()
    waiting = itertools.cycle(controls)
    lists = [doubt for doubt in doubts if doubt.limited]
    decisive = [doubt for doubt in doubts if not doubt.limited]
    # Of two machines that take turns, one must not answer the same doubt in both rounds, nor all the controls: between
    # the two places of a doubt stands an even number of other hellos, between two controls as well.
    between = 1 if len(lists) % 2 else 2
    behind = 1 if between == 2 or len(decisive) % 2 == 0 else 2
    for round_, count in (([], 1), ([*decisive, *lists], between), (decisive[::-1], behind)):
        for question in round_:
            if not await _is_turned_away(talk, question):
                return frozenset()
        for control in itertools.islice(waiting, count):
            if not await _answers(talk, control):
                return frozenset()
    return frozenset(doubts)


def control_for(
    doubt: Question, accepted: Sequence[int], groups: Sequence[int], schemes: Sequence[int]
) -> Question | None:
    """The doubt with what the server is known to take at the end of each list; None where there is nothing like it.

    `accepted` are suites, and like `groups` and `schemes` of the protocol of the doubt. A suite for another kind of
    certificate is nothing like it: some servers choose the certificate first, and do not see it then.
    """
    kinds = {for_ecdsa(code) for code in doubt.suites}
    more = [code for code in accepted if code not in doubt.suites and for_ecdsa(code) in kinds]
    if not doubt.limited and not more:
        return None
    return replace(
        doubt,
        suites=doubt.suites if doubt.limited else (*doubt.suites, more[0]),
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

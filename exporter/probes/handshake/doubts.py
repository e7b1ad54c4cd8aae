"""Whether hellos that were turned away without a proper refusal were refused: the proof, given at the end."""

from collections.abc import Sequence

from exporter.model import Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import Silence, Unanswered
from exporter.probes.handshake.flight import Alert, ServerHello
from exporter.probes.handshake.question import Question
from exporter.probes.handshake.registry import VERSION_CODES

SSL2_REFUSALS = frozenset({Silence.RESET, Silence.CLOSED})
"""A TLS stack has no way to say no in a format that it does not know and may drop the hello unread, which the network
shows as a reset; an SSL 2 server answers this hello, as it offers all its cipher kinds, with its greeting."""


async def prove(talk: Conversation, doubts: Sequence[Question], control: Question | None) -> frozenset[Question]:
    """The doubts that were refusals.

    They are asked once more, one after the other and then in the opposite order, with a control before, between and
    behind: a hello whose last suite the server is known to take. No limit on connections turns away just the doubts
    each time. Must be called while no other connection of this reading is open.
    """
    refused = set(doubts)
    # Two machines that take turns must not turn away the doubts and answer the controls each: with an odd number of
    # hellos in between the same machine would answer every control.
    controls = 2 if len(doubts) % 2 else 1
    for round_ in (list(doubts), list(reversed(doubts))):
        for _ in range(controls):
            if not await _answers(talk, control):
                return frozenset()
        for question in round_:
            if not await _is_turned_away(talk, question):
                refused.discard(question)
    return frozenset(refused) if await _answers(talk, control) else frozenset()


async def _answers(talk: Conversation, control: Question | None) -> bool:
    if control is None:
        return False
    answer = await talk.put(control)
    return isinstance(answer, ServerHello) and answer.suite == control.suites[-1]


async def _is_turned_away(talk: Conversation, question: Question) -> bool:
    answer = await talk.put(question)
    if isinstance(answer, Unanswered):
        silences = SSL2_REFUSALS if question.protocol is Protocol.SSL2 else {Silence.CLOSED}
        return answer.silence in silences
    older = isinstance(answer, ServerHello) and answer.version < VERSION_CODES[question.protocol]
    return older or isinstance(answer, Alert)

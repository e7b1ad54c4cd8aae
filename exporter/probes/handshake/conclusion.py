"""What of the results still counts at the end of the hellos: after a proof, a timeout, or contradicting answers."""

from collections.abc import Collection, Mapping

from exporter.errors import ProbeError
from exporter.model import Protocol, Reason
from exporter.probes.handshake.answers import UNRECOGNIZED_NAME
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import NoAnswer
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import HelloQuery

Results = dict[Protocol, ProtocolResult]


def conclude(conversation: Conversation, results: Results, proved: frozenset[HelloQuery]) -> None:
    """Correct the results by what is known of the server in the end.

    Raises:
        ProbeError: no protocol was accepted, with the reason.
    """
    _keep_proved(conversation, results, proved)
    _accept_other_answers(conversation, results)
    _doubt_tls13(conversation, results)
    if not any(result.accepted for result in results.values()):
        raise failure(conversation)


def conclude_early(
    conversation: Conversation,
    results: Results,
    early: Mapping[Protocol, ProtocolResult],
    confirmed: Collection[Protocol],
) -> None:
    """The time ran out: keep what was accepted so far, and make all else unknown.

    `early` are results of the first questions to a slow server. `confirmed` are protocols that were refused twice.

    Raises:
        ProbeError: nothing was accepted so far.
    """
    for protocol in Protocol:
        suites = list(conversation.observations.of(protocol).suites)
        result = results.setdefault(protocol, ProtocolResult())
        if result.accepted is False and protocol not in confirmed:
            result.accepted = None  # one alert is not enough: some servers send them at random
        if suites and not result.accepted:
            results[protocol] = ProtocolResult(accepted=True, suites=suites, complete=False)
        elif result.accepted is None:
            results[protocol] = early.get(protocol, result)
    if not any(result.accepted for result in results.values()):
        raise ProbeError(Reason.DEADLINE_EXCEEDED, "no protocol was found to be accepted in the time for it")
    conversation.note("the time for the scan ran out; not all was asked")


def failure(conversation: Conversation) -> ProbeError:
    """Why no protocol is known to be accepted."""
    detail = "; ".join(conversation.notes[:3]) or "every protocol was refused"
    if any(f"alert {UNRECOGNIZED_NAME}" in note for note in conversation.notes):
        name = conversation.server_name
        wants = f"does not know the name {name}" if name else "wants a server_name"
        detail = f"the server {wants} (alert {UNRECOGNIZED_NAME}, unrecognized_name)"
    if conversation.answered:
        return ProbeError(Reason.HANDSHAKE_ERROR, detail)
    if NoAnswer.NOT_TLS in conversation.no_answers:
        return ProbeError(Reason.NOT_TLS, detail)
    if conversation.no_answers == {NoAnswer.TIMEOUT}:
        return ProbeError(Reason.HANDSHAKE_TIMEOUT, detail)
    return ProbeError(Reason.HANDSHAKE_ERROR, detail)


def _keep_proved(conversation: Conversation, results: Results, proved: frozenset[HelloQuery]) -> None:
    """Make unknown what depends on refusals that are not proved."""
    for protocol, result in results.items():
        if not result.keep_proved(proved):
            conversation.note(f"{protocol}: the server rejects hellos at times; what it does not support is not known")
            if protocol in conversation.consistency.withdrawn_versions:
                conversation.consistency.contradict(protocol, "protocol version")


def _accept_other_answers(conversation: Conversation, results: Results) -> None:
    """Accept each protocol that the server answered in, whatever it says when asked for that protocol alone."""
    proved = {p: seen[0] for p in Protocol if (seen := conversation.observations.of(p).suites)}
    for protocol, suite in (conversation.consistency.downgrades | proved).items():
        if not results[protocol].accepted and protocol is not Protocol.SSL2:
            results[protocol] = ProtocolResult(accepted=True, suites=[suite], complete=False)
            conversation.consistency.contradict(protocol, "protocol version")


def _doubt_tls13(conversation: Conversation, results: Results) -> None:
    """A server that marks its answers in TLS 1.2 has TLS 1.3, even if it refuses our hellos (pre-shared keys)."""
    marks = conversation.observations.of(Protocol.TLS1_2).downgrade_marks
    if results[Protocol.TLS1_3].accepted is False and marks == {Protocol.TLS1_2}:
        results[Protocol.TLS1_3].accepted = None
        conversation.note("TLSv1.3: refused, while answers in TLSv1.2 are marked as those of a server that has it")

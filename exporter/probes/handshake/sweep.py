"""Finds the suites of one list that a server accepts: offers the list, removes the suite chosen, asks again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.model import Protocol
from exporter.probes.handshake.answers import PROTOCOL_VERSION, REFUSALS
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import CONNECTION_ENDED, NoAnswer, Unanswered
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.reduced_hello import reduced_query, unaffected
from exporter.probes.handshake.server_hello import Alert, Answer, ServerHello, SSL2ServerHello
from exporter.tls.suites import BY_NAME, VERSION_CODES, suite_name


@dataclass(slots=True)
class Sweep:
    """Suites found by one list, in the order chosen, and how it ended.

    Attributes:
        remaining: suites that were not chosen.
        open: why it is not known whether `remaining` is refused; None when it was refused.
        wrong_version: all were refused with the version.
        unresponsive: nothing came back, not even an end of the connection.
        unproved: the server ended it without an alert that refuses; this is a refusal only with a proof.
        failed: suites that the server chose and could not continue with.
    """

    found: list[int] = field(default_factory=list)
    remaining: tuple[int, ...] = ()
    open: str | None = None
    wrong_version: bool = False
    unresponsive: bool = False
    unproved: bool = False
    failed: list[int] = field(default_factory=list)


async def sweep(conversation: Conversation, protocol: Protocol, suites: Sequence[int], *, reduce: bool = True) -> Sweep:
    """Offer the suites until the server refuses those that remain, or something else ends it.

    With `reduce`, hellos leave out some of the schemes and groups that were seen, so that others are seen.
    """
    result, seen = Sweep(remaining=tuple(suites)), conversation.observations.of(protocol)
    while result.remaining:
        reduces = reduce and not conversation.quirks.drops_reduced_hellos
        reduced = reduced_query(protocol, result.remaining, seen) if reduces else None
        before = len(seen.schemes) + len(seen.groups)
        answer = await conversation.put(reduced or HelloQuery(protocol, result.remaining))
        grown = len(seen.schemes) + len(seen.groups) > before
        if reduced is not None and not grown and not unaffected(reduced, answer, seen):
            if isinstance(answer, Unanswered):  # some servers end the connection where they agree on nothing
                conversation.quirks.drops_reduced_hellos = True
            return await _sweep_in_full(conversation, protocol, suites, result)
        if not _enter(conversation, result, protocol, answer) and not await _repeat(conversation, result, protocol):
            break
    if result.failed:
        conversation.note(f"{protocol}: the server chose {', '.join(map(suite_name, result.failed))} and then failed")
    return result


async def offer_once(conversation: Conversation, protocol: Protocol, suites: Sequence[int]) -> Sweep:
    """The result of one hello with these suites."""
    result = Sweep(remaining=tuple(suites))
    _enter(conversation, result, protocol, await conversation.ask(protocol, suites))
    return result


async def find_missing(conversation: Conversation, protocol: Protocol, found: Sequence[int]) -> list[int] | None:
    """A suite that the scan before found and this one did not, if the server accepts one after all.

    Such a suite is a contradiction. None when the server does not answer.
    """
    previous = conversation.consistency.previous
    names = () if previous is None else previous.cipher_suites.get(protocol, ())
    missing = tuple(BY_NAME[name].code for name in names if name in BY_NAME and BY_NAME[name].code not in found)
    for _ in range(conversation.consistency.repeats(0, suspicious=True) if missing else 0):
        answer = await conversation.ask(protocol, missing)
        if isinstance(answer, ServerHello) and answer.suite in missing and answer.rest.alert is None:
            conversation.consistency.contradict(protocol, "cipher suites")
            return [answer.suite]
        if not isinstance(answer, Alert):
            return None
    return []


async def _repeat(conversation: Conversation, result: Sweep, protocol: Protocol) -> bool:
    """Ask again for what an alert refused; whether the server now takes some of it.

    If it does, it sends alerts at random or several machines answer, and its refusals prove nothing. Where it accepts
    nothing of this protocol, the list is not asked for again: the engine asks for the protocol again.
    """
    if result.open is not None or result.wrong_version or not conversation.observations.of(protocol).suites:
        return False
    for _ in range(conversation.consistency.repeats()):
        answer = await conversation.ask(protocol, result.remaining)
        if isinstance(answer, ServerHello) and _enter(conversation, result, protocol, answer):
            if answer.rest.alert is None:
                conversation.consistency.contradict(protocol, "cipher suites")
            return True
        if not isinstance(answer, Alert):
            result.open = "was refused, and not answered when it was asked for again"
            break
    return False


async def _sweep_in_full(conversation: Conversation, protocol: Protocol, suites: Sequence[int], before: Sweep) -> Sweep:
    """Continue without reduced hellos, after one of them showed nothing new: what it left out may be the reason.

    If there is more, it may have been hidden before too, and the server's order is known only from a new start.
    """
    result = await offer_once(conversation, protocol, before.remaining)
    if result.found or (not result.failed and await _repeat(conversation, result, protocol)):
        return await sweep(conversation, protocol, suites, reduce=False)
    result.found, result.failed = before.found, before.failed + result.failed
    return result


def _enter(conversation: Conversation, result: Sweep, protocol: Protocol, answer: Answer | Unanswered) -> bool:
    """Enter one answer into the result; whether the server chose one of the suites."""
    version = VERSION_CODES[protocol]
    match answer:
        case ServerHello() if answer.version < version:
            _enter_wrong_version(conversation, result, protocol)
        case ServerHello() if answer.version == version and answer.suite in result.remaining:
            (result.found if answer.rest.alert is None else result.failed).append(answer.suite)
            at = result.remaining.index(answer.suite)
            result.remaining = result.remaining[:at] + result.remaining[at + 1 :]
            return True
        case ServerHello():
            _enter_unoffered(conversation, result, protocol, answer)
        case Alert(description=description) if description == PROTOCOL_VERSION:
            _enter_wrong_version(conversation, result, protocol)
        case Alert(description=description) if description in REFUSALS:
            pass
        case Alert(description=description):
            result.open, result.unproved = f"alert {description}", True
            conversation.note(f"{protocol}: the server sent alert {description}")
        case SSL2ServerHello():
            result.open = "an SSL 2 greeting"
        case Unanswered():
            result.open = str(answer)
            result.unproved = answer.cause in CONNECTION_ENDED
            result.unresponsive = answer.cause in {NoAnswer.TIMEOUT, NoAnswer.NO_CONNECTION}
    return False


def _enter_unoffered(conversation: Conversation, result: Sweep, protocol: Protocol, answer: ServerHello) -> None:
    """The answer has a version or a suite that was not offered."""
    right_version = answer.version == VERSION_CODES[protocol]
    what = suite_name(answer.suite) if right_version else f"0x{answer.version:04X}"
    result.unproved = right_version and _may_refuse_by(conversation, protocol, answer.suite)
    result.open = f"chose {what}, which was not offered"
    conversation.note(f"{protocol}: protocol violation: the server {result.open}")


def _may_refuse_by(conversation: Conversation, protocol: Protocol, suite: int) -> bool:
    """Whether answering with this suite, which was not offered, may be how the server refuses (yaSSL).

    It must be the same suite each time, and the server must have chosen several suites from lists before.
    """
    unoffered = conversation.quirks.unoffered_suites.setdefault(protocol, set())
    unoffered.add(suite)
    return len(unoffered) == 1 and len(conversation.observations.of(protocol).suites) > 1


def _enter_wrong_version(conversation: Conversation, result: Sweep, protocol: Protocol) -> None:
    """The version is refused, and all suites with it. If the server accepted it before, this needs a proof."""
    if conversation.observations.of(protocol).suites:
        conversation.consistency.withdrawn_versions.add(protocol)
        result.open, result.unproved = "the protocol version was refused, which it had accepted", True
    else:
        result.wrong_version = True

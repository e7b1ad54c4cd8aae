"""Finds all groups, signature schemes and application protocols: offers those that remain, removes the one chosen.

It needs as few hellos as possible. What was seen on the way through the suites is known already, and one hello removes
one of each list as long as it is answered. When a hello restricts several lists and is refused, it is not known which
of them has nothing left. From then on each list is restricted by itself.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from exporter.probes.handshake.answers import accepts, refuses, refuses_alpn
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import CONNECTION_ENDED, NoAnswer, Unanswered
from exporter.probes.handshake.query import ALPN, GROUPS, SIGNATURES, SUITES, HelloQuery
from exporter.probes.handshake.server_hello import Alert, Answer, ServerHello

T = TypeVar("T")


@dataclass(slots=True)
class Enumeration(Generic[T]):
    """One list of which all that the server accepts is to be found.

    Attributes:
        name: attribute of `HelloQuery` in which it is offered: `suites`, `groups`, `schemes` or `alpn`.
        everything: all there is, in the order it is offered.
        seen: what the server has chosen so far; grows with the answers.
        usual: what most servers have, and no more. Once all of it is seen, nothing more is expected.
        open: the server may have more.
        unproved: the hello that ended without an alert that refuses, when nothing was left.
        complete: nothing is left, by a refusal. Where there is an `unproved` hello, only if that was a refusal.
        usual_only: the server does not read long lists of it, so only what is usual is asked for.
        fallback: what is offered after the rest, once the rest alone was refused: the curves of certificates, without
            which OpenSSL does not use these certificates.
    """

    name: str
    everything: Sequence[T]
    seen: Sequence[T]
    usual: frozenset[T] = field(default_factory=frozenset)
    open: bool = True
    unproved: HelloQuery | None = None
    complete: bool = False
    usual_only: bool = False
    fallback: tuple[T, ...] = ()
    _offers_fallback: bool = False

    @property
    def offered(self) -> tuple[T, ...]:
        """What the next hello offers of it."""
        return (*self.remaining, *self.fallback) if self._offers_fallback else self.remaining

    def try_fallback(self) -> bool:
        """Offer the fallback from now on; False when there is none, or it is offered already."""
        if not self.fallback or self._offers_fallback:
            return False
        self._offers_fallback = True
        return True

    @property
    def remaining(self) -> tuple[T, ...]:
        """What the server has not chosen yet.

        What is usual comes last: when one of it is chosen, the server has read all before it.
        """
        remaining = [one for one in self.everything if one not in self.seen]
        if not self.usual:
            return tuple(remaining)
        if self.usual_only:
            return tuple([one for one in remaining if one in self.usual])
        return tuple(sorted(remaining, key=lambda one: one in self.usual))

    @property
    def expects_more(self) -> bool:
        """Whether the server probably has more."""
        return self.open and not (self.usual and self.usual <= set(self.seen))

    def close(self, *, complete: bool, unproved: HelloQuery | None = None) -> None:
        """Ask for no more of it."""
        self.open, self.complete, self.unproved = False, complete, unproved


AnyEnumeration = Enumeration[int] | Enumeration[str]


_PURPOSES = {"suites": SUITES, "groups": GROUPS, "schemes": SIGNATURES, "alpn": ALPN}
"""Name -> purpose of a hello that restricts this list; the first of several counts."""

_NAMES_IN_NOTES = {"groups": "groups", "schemes": "signature schemes"}

SuiteChoices = list[tuple[tuple[int, ...], int]]
"""Suites offered, and the one chosen, answer by answer."""


async def enumerate_all(
    conversation: Conversation,
    base: Callable[[Collection[str]], HelloQuery],
    enumerations: Sequence[AnyEnumeration],
    *,
    together: bool = True,
) -> SuiteChoices:
    """Find all of each list; gives what was chosen of the suites offered for it.

    `base` gives, for the names of the lists to be restricted, a query with suites that use these lists and that the
    server is known to accept. Not `together`: nothing more is expected, so no hello restricts several lists.
    """
    choices: SuiteChoices = []
    while still_open := [one for one in enumerations if one.open]:
        restricted = _next(still_open, together=together)
        lists: dict[str, Any] = {one.name: one.offered for one in restricted}
        before = [len(one.seen) for one in restricted]
        query = replace(base(lists), **lists, purpose=_PURPOSES[min(lists, key=list(_PURPOSES).index)])
        answer = await conversation.put(query)
        if isinstance(answer, ServerHello) and accepts(answer, query):
            choices += [(query.suites, answer.suite)] if "suites" not in lists else []
            for one in (one for one, count in zip(restricted, before, strict=True) if len(one.seen) == count):
                _enter_nothing_new(one, alone=len(restricted) == 1)
        elif refuses_alpn(answer) and (alpn := _named(restricted, "alpn")):
            alpn.close(complete=True)
        elif len(restricted) > 1:
            together = False
        elif not (refuses(answer) and restricted[0].try_fallback()):
            await _enter_refusal(conversation, restricted[0], query, answer)
        for one in (one for one in restricted if one.open and not one.remaining):
            one.close(complete=not one.usual_only)
    return choices


def _next(enumerations: Sequence[AnyEnumeration], *, together: bool) -> Sequence[AnyEnumeration]:
    """What the next hello restricts: all lists that probably have more, or one list only."""
    expecting = [one for one in enumerations if one.expects_more]
    return expecting if together and expecting else (expecting or enumerations)[:1]


def _named(enumerations: Sequence[AnyEnumeration], name: str) -> AnyEnumeration | None:
    return next((one for one in enumerations if one.name == name), None)


def _enter_nothing_new(enumeration: AnyEnumeration, *, alone: bool) -> None:
    """A hello was accepted, and its answer shows nothing new of this list."""
    if enumeration.name == "alpn" and not alone:
        return  # some servers choose a name only with some suites (Jetty)
    if enumeration.name == "alpn" or (alone and set(enumeration.offered) != set(enumeration.remaining)):
        enumeration.close(complete=True)  # the server does without, or prefers the fallback
    elif enumeration.name == "groups" or alone:
        enumeration.close(complete=False)  # it chose what was not offered, or the answer does not show what it chose


async def _reads_to_the_end(conversation: Conversation, enumeration: AnyEnumeration, query: HelloQuery) -> bool:
    """Whether the server reads lists this long: it chose from this far in the list, or does when it is asked to."""
    name, length = enumeration.name, len(enumeration.offered)
    if name not in {"groups", "schemes"} or conversation.observations.reads_at_least(name, query.protocol, length):
        return True
    seen = tuple(one for one in enumeration.seen if one not in enumeration.offered)
    lists: dict[str, Any] = {name: (*enumeration.offered, *seen)}
    control = replace(query, **lists)
    return accepts(await conversation.put(control), control)


async def _enter_refusal(
    conversation: Conversation, enumeration: AnyEnumeration, query: HelloQuery, answer: Answer | Unanswered
) -> None:
    """A hello without what was seen of this list, and of this list alone, was not accepted."""
    ended = isinstance(answer, Unanswered) and answer.cause in CONNECTION_ENDED
    may_refuse = refuses(answer) or isinstance(answer, Alert) or ended
    if may_refuse and not enumeration.usual_only and not await _reads_to_the_end(conversation, enumeration, query):
        what = _NAMES_IN_NOTES[enumeration.name]
        conversation.note(f"{query.protocol}: the server does not read long lists of {what} to the end")
        enumeration.usual_only = True
        if enumeration.remaining:
            return
    if may_refuse and enumeration.usual_only:
        enumeration.close(complete=False)
        return
    match answer:
        case _ if refuses(answer):
            enumeration.close(complete=True)
        case Alert() | Unanswered(cause=NoAnswer.CLOSED | NoAnswer.RESET):
            enumeration.close(complete=True, unproved=query)
        case ServerHello():
            conversation.note(f"{query.protocol}: the server answers hellos with something else than they offer")
            enumeration.close(complete=False)
        case _:
            enumeration.close(complete=False)

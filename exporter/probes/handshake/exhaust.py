"""Finds out all groups, signature schemes and application protocols: offer what is left, strike out what was chosen.

As few hellos as can be: what was seen on the way to the suites is known already, and one hello strikes out one of each
kind as long as it is answered. A hello that lacks several kinds at once and is refused does not tell of which kind
nothing is left; from then on each kind is asked for by itself.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from exporter.probes.handshake.conversation import NO_APPLICATION_PROTOCOL, PROTOCOL_VERSION, REFUSALS, Conversation
from exporter.probes.handshake.exchange import TURNED_AWAY, Silence, Unanswered
from exporter.probes.handshake.question import APPLICATIONS, GROUPS, SIGNATURES, SUITES, Question
from exporter.probes.handshake.server_hello import Alert, Answer, ServerHello
from exporter.tls.suites import VERSION_CODES

T = TypeVar("T")


@dataclass(slots=True)
class Kind(Generic[T]):
    """One kind of thing to find all of.

    Attributes:
        name: attribute of `Question` in which it is offered.
        everything: what there is, in the order it is offered.
        seen: what the server has chosen so far; grows with the answers.
        likely: what mostly is all that servers have: once it is all seen, nothing more is expected.
        open: the server may have more.
        doubt: the hello that was turned away without a proper refusal when nothing was left.
        complete: nothing is left, by a refusal or, where there is a `doubt`, if that was one.
        short: the server does not read long lists of it, so only what is likely is asked for.
        behind: what is offered behind what is left, once that is refused without: the curves of certificates, without
            which OpenSSL does not use these.
    """

    name: str
    everything: Sequence[T]
    seen: Sequence[T]
    likely: frozenset[T] = field(default_factory=frozenset)
    open: bool = True
    doubt: Question | None = None
    complete: bool = False
    short: bool = False
    behind: tuple[T, ...] = ()
    _with_behind: bool = False

    @property
    def offered(self) -> tuple[T, ...]:
        """What the next hello offers of it."""
        return (*self.left, *self.behind) if self._with_behind else self.left

    def goes_on(self) -> bool:
        """Whether there is another way to ask, after a refusal."""
        if not self.behind or self._with_behind:
            return False
        self._with_behind = True
        return True

    @property
    def left(self) -> tuple[T, ...]:
        """What the server has not chosen yet.

        What servers mostly have stands at the end: where one of it is chosen, all that stands before was read.
        """
        left = [one for one in self.everything if one not in self.seen]
        if not self.likely:
            return tuple(left)
        if self.short:
            return tuple([one for one in left if one in self.likely])
        return tuple(sorted(left, key=lambda one: one in self.likely))

    @property
    def promising(self) -> bool:
        """Whether more is to be expected."""
        return self.open and not (self.likely and self.likely <= set(self.seen))

    def close(self, *, complete: bool, doubt: Question | None = None) -> None:
        """No more of it is asked."""
        self.open, self.complete, self.doubt = False, complete, doubt


AnyKind = Kind[int] | Kind[str]


_ABOUT = {"suites": SUITES, "groups": GROUPS, "schemes": SIGNATURES, "applications": APPLICATIONS}
"""Kind -> what a hello that limits it is asked for; the first of several counts."""

_SPOKEN = {"groups": "groups", "schemes": "signature schemes"}

Taken = list[tuple[tuple[int, ...], int]]
"""Suites offered, and the one taken."""


async def strike_out(
    talk: Conversation, base: Callable[[Collection[str]], Question], kinds: Sequence[AnyKind]
) -> Taken:
    """Find all of each kind.

    `base` gives, for the names of the kinds that are to be limited, a question with suites that the server is known to
    take and that make use of these kinds. Gives what was taken of these suites.
    """
    together = True
    taken: Taken = []
    while open_kinds := [kind for kind in kinds if kind.open]:
        limited = _next(open_kinds, together=together)
        lists: dict[str, Any] = {kind.name: kind.offered for kind in limited}
        before = [len(kind.seen) for kind in limited]
        question = replace(base(lists), **lists, about=_ABOUT[min(lists, key=list(_ABOUT).index)])
        answer = await talk.put(question)
        if isinstance(answer, ServerHello) and agreed(answer, question):
            taken += [(question.suites, answer.suite)] if "suites" not in lists else []
            for kind in (kind for kind, count in zip(limited, before, strict=True) if len(kind.seen) == count):
                _enter_none(kind, alone=len(limited) == 1)
        elif refuses_applications(answer) and (applications := _of(limited, "applications")):
            applications.close(complete=True)
        elif len(limited) > 1:
            together = False
        elif not (refused(answer) and limited[0].goes_on()):
            await _enter_refusal(talk, limited[0], question, answer)
        for kind in (kind for kind in limited if kind.open and not kind.left):
            kind.close(complete=not kind.short)
    return taken


def _next(kinds: Sequence[AnyKind], *, together: bool) -> Sequence[AnyKind]:
    """What the next hello limits: all that promises more, or one after the other."""
    promising = [kind for kind in kinds if kind.promising]
    return promising if together and promising else (promising or kinds)[:1]


async def settle_group_order(talk: Conversation, base: Question) -> None:
    """Ask for one suite with the groups in two orders, where the choices at hand do not tell whose order decides."""
    groups = tuple(talk.observed.of(base.protocol).groups)
    if len(groups) > 1 and talk.observed.group_order(base.protocol) is None:
        for order in (groups[::-1], groups):  # the second only where the first does not tell
            if talk.observed.group_order(base.protocol) is None:
                await talk.put(replace(base, groups=order, about=GROUPS))


def agreed(answer: Answer | Unanswered, question: Question) -> bool:
    """Whether the server took one of the suites of this question, and could go on with it."""
    return (
        isinstance(answer, ServerHello)
        and answer.version == VERSION_CODES[question.protocol]
        and answer.suite in question.suites
        and answer.rest.alert is None
    )


def refused(answer: Answer | Unanswered) -> bool:
    """Whether it is a proper refusal; Go sends its ServerHello before it looks for a signature scheme.

    That of the version is none: the server has it.
    """
    description = answer.rest.alert if isinstance(answer, ServerHello) else getattr(answer, "description", None)
    return description in REFUSALS - {PROTOCOL_VERSION}


def refuses_applications(answer: Answer | Unanswered) -> bool:
    """Whether the server goes no further since it shares no application protocol (RFC 7301, 3.2)."""
    return isinstance(answer, Alert) and answer.description == NO_APPLICATION_PROTOCOL


def _of(kinds: Sequence[AnyKind], name: str) -> AnyKind | None:
    return next((kind for kind in kinds if kind.name == name), None)


def _enter_none(kind: AnyKind, *, alone: bool) -> None:
    """A hello was answered, and shows no more of this kind."""
    if kind.name == "applications" and not alone:
        return  # some servers have names for some suites only (Jetty)
    if kind.name == "applications" or (alone and set(kind.offered) != set(kind.left)):
        kind.close(complete=True)  # the server does without, or would rather have what stands behind
    elif kind.name == "groups" or alone:
        kind.close(complete=False)  # it chose what was not offered, or the answer does not tell


async def _reads_to_the_end(talk: Conversation, kind: AnyKind, question: Question) -> bool:
    """Whether the server reads lists as long as this: it chose from so far behind, or does when it is asked to."""
    if kind.name not in {"groups", "schemes"} or talk.observed.reads(kind.name, question.protocol, len(kind.offered)):
        return True
    seen = tuple(one for one in kind.seen if one not in kind.offered)
    lists: dict[str, Any] = {kind.name: (*kind.offered, *seen)}
    control = replace(question, **lists)
    return agreed(await talk.put(control), control)


async def _enter_refusal(talk: Conversation, kind: AnyKind, question: Question, answer: Answer | Unanswered) -> None:
    """A hello that lacks only what was seen of this kind was not taken."""
    turned_away = refused(answer) or isinstance(answer, Alert) or getattr(answer, "silence", None) in TURNED_AWAY
    if turned_away and not kind.short and not await _reads_to_the_end(talk, kind, question):
        talk.note(f"{question.protocol}: the server does not read long lists of {_SPOKEN[kind.name]} to the end")
        kind.short = True
        if kind.left:
            return
    if turned_away and kind.short:
        kind.close(complete=False)
        return
    match answer:
        case _ if refused(answer):
            kind.close(complete=True)
        case Alert() | Unanswered(silence=Silence.CLOSED | Silence.RESET):
            kind.close(complete=True, doubt=question)
        case ServerHello():
            talk.note(f"{question.protocol}: the server answers hellos with something else than they offer")
            kind.close(complete=False)
        case _:
            kind.close(complete=False)

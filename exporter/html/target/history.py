"""What changed at a target, for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from exporter.html.target.findings import Since
from exporter.model import Verdict
from exporter.store.history import StateChange, States, Value, What

_VERDICTS = {
    Verdict.PASS: "passes",
    Verdict.FAIL: "fails",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_APPLICABLE: "not applicable",
}
_MOST_NAMED = 8
"""Maximum number of names of one list that is shown."""


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One change.

    Attributes:
        subject: what has changed.
        before, after: the values in words; both empty where `more` says it.
        mark: the verdict now; empty where it is not a verdict.
        more: further lines, such as the suites that came and went.
    """

    address: str | None
    subject: str
    before: str
    after: str
    mark: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangesAt:
    """What changed at one moment."""

    at: datetime
    changes: tuple[ShownChange, ...]


@dataclass(frozen=True, slots=True)
class ShownHistory:
    """The latest changes, the newest first.

    Attributes:
        known_since: earlier changes are not known.
        more: there are older changes that are not shown.
    """

    moments: tuple[ChangesAt, ...]
    known_since: datetime
    more: bool


def shown_history(changes: Sequence[StateChange], known_since: datetime, *, more: bool) -> ShownHistory:
    """The history of these changes of one target, the newest first."""
    moments = (ChangesAt(at, tuple(map(_change, those))) for at, those in groupby(changes, lambda one: one.at))
    return ShownHistory(tuple(moments), known_since, more)


def since(states: States) -> Since:
    """Since when each verdict is as it is."""
    found = {key.subject.partition("/"): one.since for key, one in states.items() if key.what is What.VERDICT}
    return {(policy, check): at for (policy, _, check), at in found.items()}


def _change(change: StateChange) -> ShownChange:
    address, key, before, after = change.address, change.key, change.before, change.after
    match key.what:
        case What.VERDICT:
            policy, _, check = key.subject.partition("/")
            return ShownChange(address, f"{check} ({policy})", _verdict(before), _verdict(after), str(after))
        case What.GRADE:
            return ShownChange(address, "Grade", _text(before), _text(after))
        case What.PROTOCOL:
            return ShownChange(address, key.subject, _accepted(before), _accepted(after))
        case What.SUITES:
            return _of_lists(address, f"Cipher suites of {key.subject}", before, after)
        case What.CERTIFICATE:
            return _of_lists(address, "Certificates", _leaves(before), _leaves(after))


def _verdict(value: Value) -> str:
    return _VERDICTS[Verdict(value)] if value in set(Verdict) else _text(value)


def _text(value: Value) -> str:
    return "not known" if value is None else str(value)


def _accepted(value: Value) -> str:
    return {True: "accepted", False: "refused"}.get(value, "not known")


def _leaves(value: Value) -> Value:
    if not isinstance(value, list):
        return value
    return [
        f"{one.get('subject', '')}, from {one.get('issuer', '')}, until {str(one.get('not_after', ''))[:10]}"
        f" (SHA-256 {str(one.get('fingerprint_sha256', ''))[:16]})"
        for one in value
        if isinstance(one, dict)
    ]


def _of_lists(address: str | None, subject: str, before: Value, after: Value) -> ShownChange:
    if not isinstance(before, list) or not isinstance(after, list):
        return ShownChange(address, subject, _number(before), _number(after))
    added, gone = ([one for one in these if one not in those] for these, those in ((after, before), (before, after)))
    return ShownChange(address, subject, "", "", more=(*_listed("new", added), *_listed("gone", gone)))


def _number(value: Value) -> str:
    if not isinstance(value, list):
        return "not known"
    return f"{len(value)} known"


def _listed(verb: str, names: Sequence[str]) -> Iterator[str]:
    yield from (f"{verb}: {name}" for name in names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        yield f"{verb}: {len(names) - _MOST_NAMED} more"

"""What a change means to people: a sentence, and whether it made things better or worse. No input or output."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from exporter.grade import Letter
from exporter.model import Protocol, Verdict
from exporter.store.history import StateChange, Value, What
from exporter.tls.suites import BY_ANY_NAME

_VERDICTS: Mapping[str, tuple[str, str]] = {
    Verdict.PASS: ("passes", "passed"),
    Verdict.FAIL: ("fails", "failed"),
    Verdict.UNKNOWN: ("is unknown", "was unknown"),
    Verdict.NOT_APPLICABLE: ("is not applicable", "was not applicable"),
}
_OLD = frozenset({Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1})
"""RFC 8996 and earlier RFCs forbid these."""
_LETTERS = tuple(Letter)
_NOT_KNOWN = "not known"


class Direction(StrEnum):
    """Where a change leads."""

    BETTER = "better"
    WORSE = "worse"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class ChangeText:
    """A change in words.

    Attributes:
        sentence: without an end mark. Names are between backticks: "check `protocols` of `bcp195` fails now; passed
            before".
        details: what does not fit into the sentence, such as suites, one entry each. They may have any character that
            a server sent.
        direction: neutral also where it is not known, as after a value that was not known.
    """

    sentence: str
    direction: Direction = Direction.NEUTRAL
    details: tuple[str, ...] = ()


def change_text(change: StateChange) -> ChangeText:
    """The change in words, without its target, address and time."""
    subject, before, after = change.key.subject, change.before, change.after
    match change.key.what:
        case What.VERDICT:
            return _verdict(subject, before, after)
        case What.GRADE:
            return _grade(before, after)
        case What.PROTOCOL:
            return _protocol(subject, before, after)
        case What.SUITES:
            return _suites(subject, before, after)
        case What.CERTIFICATE:
            return _certificates(before, after)


def _verdict(subject: str, before: Value, after: Value) -> ChangeText:
    policy, _, check = subject.partition("/")
    before, after = _text(before), _text(after)
    now, then = _verdict_words(after)[0], _verdict_words(before)[1]
    return ChangeText(f"check `{check}` of `{policy}` {now} now; {then} before", _direction_of_verdict(before, after))


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def _verdict_words(value: str | None) -> tuple[str, str]:
    return _VERDICTS.get(value or "", (f"is {_NOT_KNOWN}", f"was {_NOT_KNOWN}"))


def _direction_of_verdict(before: str | None, after: str | None) -> Direction:
    """Only a failure that comes or goes; where one of both is unknown, it may have been there all the time."""
    good = {Verdict.PASS, Verdict.NOT_APPLICABLE}
    if before in good and after == Verdict.FAIL:
        return Direction.WORSE
    return Direction.BETTER if before == Verdict.FAIL and after in good else Direction.NEUTRAL


def _grade(before: Value, after: Value) -> ChangeText:
    before, after = _text(before), _text(after)
    sentence = f"grade is {after or _NOT_KNOWN} now; was {before or _NOT_KNOWN} before"
    if before not in _LETTERS or after not in _LETTERS or Letter(after).rank == Letter(before).rank:
        return ChangeText(sentence)
    return ChangeText(sentence, Direction.BETTER if Letter(after).rank > Letter(before).rank else Direction.WORSE)


def _protocol(subject: str, before: Value, after: Value) -> ChangeText:
    words = {True: ("is accepted", "accepted"), False: ("is refused", "refused")}
    now = words[after][0] if isinstance(after, bool) else f"is {_NOT_KNOWN}"
    then = f"was {words[before][1] if isinstance(before, bool) else _NOT_KNOWN}"
    sentence = f"`{subject}` {now} now; {then} before"
    if not (isinstance(before, bool) and isinstance(after, bool)) or subject not in {*_OLD, Protocol.TLS1_3}:
        return ChangeText(sentence)
    return ChangeText(sentence, Direction.WORSE if after is (subject in _OLD) else Direction.BETTER)


def _suites(subject: str, before: Value, after: Value) -> ChangeText:
    old, new = _names(before), _names(after)
    if new is None:
        return ChangeText(f"cipher suites of `{subject}` are {_NOT_KNOWN} now")
    if old is None:
        return ChangeText(f"cipher suites of `{subject}` are known now; were {_NOT_KNOWN} before", details=tuple(new))
    added, removed = [one for one in new if one not in old], [one for one in old if one not in new]
    counts = [f"{len(those)} {word}" for those, word in ((added, "added"), (removed, "removed")) if those]
    sentence = f"cipher suites of `{subject}` changed: {', '.join(counts) or 'others in the list'}"
    details = (*(f"+ {one}" for one in added), *(f"- {one}" for one in removed))
    return ChangeText(sentence, _direction_of_suites(added, removed), details)


def _names(value: Value) -> Sequence[str] | None:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else None


def _direction_of_suites(added: Collection[str], removed: Collection[str]) -> Direction:
    """By suites that are weak: worse if one comes, better if one goes and none comes."""
    if any(map(_is_weak, added)):
        return Direction.WORSE
    return Direction.BETTER if any(map(_is_weak, removed)) else Direction.NEUTRAL


def _is_weak(name: str) -> bool:
    """Whether the suite has no forward secrecy, no authenticated encryption or no authentication (RFC 9325, 4.2)."""
    suite = BY_ANY_NAME.get(name)
    return suite is not None and not (suite.forward_secrecy and suite.aead and not suite.anonymous)


def _certificates(before: Value, after: Value) -> ChangeText:
    old, new = _by_fingerprint(before), _by_fingerprint(after)
    if old is None or new is None:
        word = _NOT_KNOWN if new is None else "known"
        return ChangeText(f"the certificate is {word} now", details=_described("", (new or {}).values()))
    gone = [one for key, one in old.items() if key not in new]
    come = [one for key, one in new.items() if key not in old]
    if len(gone) == len(come) == 1:
        sentence = f"certificate replaced: the old one ends {_end(gone[0])}, the new one {_end(come[0])}"
    else:
        counts = [f"{len(those)} {word}" for those, word in ((come, "added"), (gone, "removed")) if those]
        sentence = f"certificates changed: {', '.join(counts) or 'others in the list'}"
    return ChangeText(sentence, details=(*_described("+ ", come), *_described("- ", gone)))


def _by_fingerprint(value: Value) -> dict[str, Mapping[str, str]] | None:
    if not isinstance(value, list):
        return None
    return {str(one.get("fingerprint_sha256")): one for one in value if isinstance(one, dict)}


def _described(mark: str, certificates: Collection[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(
        f"{mark}{one.get('subject', _NOT_KNOWN)}, issued by {one.get('issuer', _NOT_KNOWN)}, ends {_end(one)}, SHA-256 "
        f"{str(one.get('fingerprint_sha256', _NOT_KNOWN))[:16]}"
        for one in certificates
    )


def _end(certificate: Mapping[str, str]) -> str:
    """The day (UTC) on which it ends."""
    try:
        return datetime.fromisoformat(certificate["not_after"]).astimezone(UTC).date().isoformat()
    except (KeyError, ValueError, OverflowError):
        return f"at a time that is {_NOT_KNOWN}"

"""What got better and what got worse between two documents of `scan --format=json`.

What can change is what the history of the store keeps: verdicts, the grade, protocols, suites and certificates. Suites
and certificates are neither better nor worse by themselves; verdicts say that. Something that was known and is unknown
now is neither: it has a direction of its own, and so is never taken for better.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exporter.comparison.documents import (
    SCHEMA_VERSION,
    OldCertificate,
    OldFacts,
    OldFinding,
    OldLeaf,
    OldReport,
    OldReports,
)
from exporter.facts.handshake import WEAK_PROTOCOLS
from exporter.grade import Letter
from exporter.model import Protocol, Verdict
from exporter.store.history import GRAVITY, StateKey, What

_SHOWN = 3
"""Suites that a sentence names."""
_PASSES = {Verdict.PASS, Verdict.NOT_APPLICABLE}


class DifferenceKind(StrEnum):
    """What a change is, worst first. That is the order in which targets are listed."""

    WORSE = "worse"
    UNKNOWN = "unknown"
    GONE = "gone"
    BETTER = "better"
    CHANGED = "changed"
    NEW = "new"
    SAME = "same"


_ORDER = list(DifferenceKind)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed.

    Attributes:
        subject: as in `StateKey`.
        text: what is now and what was before, for a person.
    """

    direction: DifferenceKind
    what: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class TargetDifference:
    """What changed at one address of a target; the worst change first."""

    target: str
    address: str | None
    direction: DifferenceKind
    differences: tuple[Difference, ...]


def compare(old: OldReports, new: OldReports) -> list[TargetDifference]:
    """Every target of both documents, the worst first."""
    before, after = _by_address(old.reports), _by_address(new.reports)
    found = [_target(key, before.get(key), after.get(key)) for key in {**before, **after}]
    return sorted(found, key=lambda one: (_ORDER.index(one.direction), one.target, one.address or ""))


def counts(found: Iterable[TargetDifference]) -> Mapping[DifferenceKind, int]:
    """How many targets went in which direction."""
    return Counter(one.direction for one in found)


def _by_address(reports: Sequence[OldReport]) -> dict[tuple[str, str | None], OldReport]:
    return {(one.target, one.address): one for one in reports}


def _target(key: tuple[str, str | None], old: OldReport | None, new: OldReport | None) -> TargetDifference:
    differences = tuple(sorted(_differences(old, new), key=lambda one: _ORDER.index(one.direction)))
    direction = differences[0].direction if differences else DifferenceKind.SAME
    return TargetDifference(*key, direction, differences)


def _differences(old: OldReport | None, new: OldReport | None) -> Iterator[Difference]:
    if new is None:
        yield Difference(DifferenceKind.GONE, "target", "", "is not in the new document")
    elif not new.reached:
        if old is None or old.reached:
            cause = f": {new.failures[0].reason}: {new.failures[0].detail}" if new.failures else ""
            yield Difference(DifferenceKind.UNKNOWN, "target", "", f"could not be scanned{cause}")
    elif old is None or not old.reached:
        verdict = {True: "complies", False: "DOES NOT COMPLY", None: "unknown"}[new.compliant]
        was = "is not in the old document" if old is None else "could not be scanned before"
        yield Difference(DifferenceKind.NEW, "target", "", f"{verdict}; {was}")
    else:
        yield from _of_verdicts(_verdicts(old), _verdicts(new))
        yield from _of_policies({one.policy for one in old.findings}, {one.policy for one in new.findings})
        yield from _of_grade(old.letter, new.letter)
        yield from _of_protocols(old.facts.protocols or {}, new.facts.protocols or {})
        for protocol in Protocol:
            yield from _of_suites(protocol, _suites(old.facts, protocol), _suites(new.facts, protocol))
        yield from _of_certificate(old.facts.certificate, new.facts.certificate)


def _difference(key: StateKey, direction: DifferenceKind, text: str) -> Difference:
    return Difference(direction, key.what.value, key.subject, text)


def _verdicts(report: OldReport) -> dict[str, OldFinding]:
    """Policy and check -> its worst finding."""
    findings = sorted(report.findings, key=lambda one: GRAVITY.index(one.verdict))
    return {f"{one.policy}/{one.check}": one for one in findings}


def _of_verdicts(before: Mapping[str, OldFinding], after: Mapping[str, OldFinding]) -> Iterator[Difference]:
    """A verdict that only one document has is not a change: another policy was asked."""
    for subject, now in after.items():
        was = before.get(subject)
        if was is None or was.verdict is now.verdict:
            continue
        direction = DifferenceKind.CHANGED
        if now.verdict is Verdict.FAIL:
            direction = DifferenceKind.WORSE
        elif now.verdict is Verdict.UNKNOWN:
            direction = DifferenceKind.UNKNOWN
        elif was.verdict is Verdict.FAIL and now.verdict in _PASSES:
            direction = DifferenceKind.BETTER
        severity = f" ({now.severity})" if now.verdict is Verdict.FAIL else ""
        text = f"{_WORDS[now.verdict]}{severity}, {_BEFORE[was.verdict]} before: {now.summary}"
        yield _difference(StateKey(What.VERDICT, subject), direction, text)


_WORDS = {
    Verdict.PASS: "passes",
    Verdict.FAIL: "FAILS",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_APPLICABLE: "not applicable",
}
_BEFORE = _WORDS | {Verdict.PASS: "passed", Verdict.FAIL: "failed"}


def _of_policies(before: set[str], after: set[str]) -> Iterator[Difference]:
    if before != after:
        text = f"{', '.join(sorted(after)) or 'none'}; {', '.join(sorted(before)) or 'none'} before"
        yield Difference(DifferenceKind.CHANGED, "policies", "", text)


def _of_grade(before: Letter | None, after: Letter | None) -> Iterator[Difference]:
    if before == after:
        return
    direction = DifferenceKind.CHANGED
    if after is None:
        direction = DifferenceKind.UNKNOWN
    elif before is not None and before.rank != after.rank:
        direction = DifferenceKind.BETTER if after.rank > before.rank else DifferenceKind.WORSE
    yield _difference(StateKey(What.GRADE), direction, f"{after or 'unknown'}, {before or 'unknown'} before")


def _of_protocols(before: Mapping[str, bool | None], after: Mapping[str, bool | None]) -> Iterator[Difference]:
    for protocol in Protocol:
        was, now = before.get(protocol), after.get(protocol)
        if was == now:
            continue
        direction, text = DifferenceKind.CHANGED, "accepted" if now else "refused"
        if now is None:
            direction, text = DifferenceKind.UNKNOWN, "unknown"
        elif protocol in WEAK_PROTOCOLS and now:
            direction = DifferenceKind.WORSE
        elif was is not None and protocol in {*WEAK_PROTOCOLS, Protocol.TLS1_3}:
            good = now is (protocol is Protocol.TLS1_3)
            direction = DifferenceKind.BETTER if good else DifferenceKind.WORSE
        earlier = "unknown" if was is None else "accepted" if was else "refused"
        yield _difference(StateKey(What.PROTOCOL, protocol), direction, f"{text}, {earlier} before")


def _suites(facts: OldFacts, protocol: Protocol) -> set[str] | None:
    """The accepted suites; None if they are not known completely."""
    if not (facts.protocols or {}).get(protocol) or protocol in (facts.cipher_suites_incomplete or ()):
        return None
    return set((facts.cipher_suites or {}).get(protocol, ()))


def _of_suites(protocol: Protocol, before: set[str] | None, after: set[str] | None) -> Iterator[Difference]:
    """A protocol that came or went is a change of its own."""
    if before is None or after is None or before == after:
        return
    parts = (("new", after - before), ("gone", before - after))
    text = "; ".join(f"{word}: {_listed(sorted(names))}" for word, names in parts if names)
    yield _difference(StateKey(What.SUITES, protocol), DifferenceKind.CHANGED, text)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _of_certificate(before: OldCertificate | None, after: OldCertificate | None) -> Iterator[Difference]:
    was, now = _leaves(before), _leaves(after)
    if was is None or was == now:
        return
    if now is None:
        yield _difference(StateKey(What.CERTIFICATE), DifferenceKind.UNKNOWN, "unknown")
        return
    new, gone = (_listed(_certificates(one, other)) for one, other in ((now, was), (was, now)))
    text = "; ".join(f"{word}: {names}" for word, names in (("new", new), ("gone", gone)) if names)
    yield _difference(StateKey(What.CERTIFICATE), DifferenceKind.CHANGED, text)


def _leaves(certificate: OldCertificate | None) -> dict[str, OldLeaf] | None:
    if certificate is None:
        return None
    return {one.chain[0].fingerprint_sha256: one.chain[0] for one in certificate.deployments}


def _certificates(those: Mapping[str, OldLeaf], others: Mapping[str, OldLeaf]) -> list[str]:
    return [
        f"{leaf.subject} by {leaf.issuer} until {leaf.not_after[:10]}"
        for fingerprint, leaf in those.items()
        if fingerprint not in others
    ]


def as_data(found: Sequence[TargetDifference]) -> dict[str, Any]:
    """The comparison as JSON data, without targets that are the same."""
    number = counts(found)
    return {
        "schema_version": SCHEMA_VERSION,
        "targets": {direction.value: number.get(direction, 0) for direction in DifferenceKind},
        "differences": [
            {
                "target": one.target,
                "address": one.address,
                "direction": one.direction.value,
                "differences": [
                    {"direction": it.direction.value, "what": it.what, "subject": it.subject, "text": it.text}
                    for it in one.differences
                ],
            }
            for one in found
            if one.direction is not DifferenceKind.SAME
        ],
    }

"""What has a history: verdicts, the grade, protocols, cipher suites and certificates of each address of a target."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic_core import from_json, to_json

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.grade import Grade
from exporter.model import CLOCK_TOLERANCE, Protocol, Report, Verdict
from exporter.store.form import UnreadableRecordError

Value = Any
"""A JSON value, see `StateChange`; None where it is not known."""


def is_value(value: object) -> bool:
    """Whether a JSON value has one of the forms that states have."""
    if isinstance(value, list):
        return all(isinstance(one, str) or _is_mapping_of_text(one) for one in value)
    return value is None or isinstance(value, bool | str)


def _is_mapping_of_text(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


class What(StrEnum):
    """What can change."""

    VERDICT = "verdict"
    GRADE = "grade"
    PROTOCOL = "protocol"
    SUITES = "cipher_suites"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class StateKey:
    """What can change.

    Attributes:
        subject: `POLICY/CHECK` of a verdict, the protocol version of a protocol and of suites; else empty.
    """

    what: What
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.subject}"


@dataclass(frozen=True, slots=True)
class State:
    """The present value of a key.

    Attributes:
        since: when this value was seen for the first time since another one, or since the first scan.
    """

    value: Value
    since: datetime


States = Mapping[StateKey, State]
"""The states of one address of a target."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """One change.

    Attributes:
        address: None for a target that is scanned at one address only.
        before: the value until then. Verdicts are text, the grade is its letter. Protocols are true or false. Suites
            are a sorted list of IANA names. Certificates are a list of mappings, one for each distinct chain.
        after: the value from then on; both are None where the value was not known.
        at: when it was seen, UTC.
    """

    target: str
    address: str | None
    key: StateKey
    before: Value
    after: Value
    at: datetime


GRAVITY = (Verdict.NOT_APPLICABLE, Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL)
"""A policy may demand several things of one check. The last of these verdicts decides."""


def values_of(report: Report) -> dict[StateKey, Value]:
    """The present values. Every report of a target under the same policies has the same keys."""
    handshake, certificate = report.facts.get(HandshakeFacts), report.facts.get(CertificateFacts)
    grade = report.facts.get(Grade)
    return {
        **dict(_verdicts(report)),
        StateKey(What.GRADE): grade and grade.letter,
        **{StateKey(What.PROTOCOL, one): handshake.protocols.get(one) if handshake else None for one in Protocol},
        **{StateKey(What.SUITES, one): _suites(handshake, one) for one in Protocol},
        StateKey(What.CERTIFICATE): _certificates(certificate) if certificate else None,
    }


def _verdicts(report: Report) -> Iterator[tuple[StateKey, Value]]:
    for finding in sorted(report.findings, key=lambda one: GRAVITY.index(one.verdict)):
        yield StateKey(What.VERDICT, f"{finding.policy}/{finding.check}"), finding.verdict.value


def _suites(handshake: HandshakeFacts | None, protocol: Protocol) -> Value:
    if handshake is None or handshake.protocols.get(protocol) is None or protocol in handshake.cipher_suites_incomplete:
        return None
    return sorted(handshake.cipher_suites.get(protocol, ()))


def _certificates(facts: CertificateFacts) -> Value:
    leaves = sorted((one.leaf for one in facts.deployments), key=lambda leaf: leaf.fingerprint_sha256)
    return [
        {
            "fingerprint_sha256": leaf.fingerprint_sha256,
            "subject": leaf.subject,
            "issuer": leaf.issuer,
            "not_after": leaf.not_after.isoformat(),
        }
        for leaf in leaves
    ]


def states_after(before: States, values: Mapping[StateKey, Value], at: datetime) -> States:
    """The states after these values were seen. Keys without a value are dropped, as those of a removed policy are.

    A state that is since a time in the future is since now: the clock was set back.
    """
    return {key: _state_after(before.get(key), value, at) for key, value in values.items()}


def _state_after(before: State | None, value: Value, at: datetime) -> State:
    same = before is not None and before.value == value and before.since <= at + CLOCK_TOLERANCE
    return before if before is not None and same else State(value, at)


def changes(target: str, address: str | None, before: States, after: States) -> tuple[StateChange, ...]:
    """What has changed. A key that is new is not a change, because nothing was known of it."""
    return tuple(
        StateChange(target, address, key, old.value, state.value, state.since)
        for key, state in after.items()
        if (old := before.get(key)) is not None and old.value != state.value
    )


def pack_states(states: States) -> bytes:
    """The states as compressed JSON. Equal states have equal bytes."""
    return zlib.compress(to_json({str(key): (one.value, one.since.isoformat()) for key, one in states.items()}), 1)


def unpack_states(packed: bytes) -> States:
    """The states.

    Raises:
        UnreadableRecordError: another version wrote them, or they are damaged.
    """
    try:
        read = from_json(zlib.decompress(packed)).items()
        return {parse_key(key): State(value, datetime.fromisoformat(since)) for key, (value, since) in read}
    except (zlib.error, ValueError, TypeError, AttributeError) as error:
        raise UnreadableRecordError(str(error)) from error


def parse_key(text: str) -> StateKey:
    """The key of this text.

    Raises:
        ValueError: it is not known what can change there.
    """
    what, _, subject = text.partition(" ")
    return StateKey(What(what), subject)

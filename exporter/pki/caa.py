"""What a CAA record set means: who may issue certificates for a name (RFC 8659, 4). Pure, no lookups.

Values are parsed strictly by the grammar. A value that does not fit it allows nobody, as the RFC says.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

CRITICAL = 128
"""RFC 8659, 4.1: bit 0 of the flags, the highest one. The other bits have no meaning yet and are ignored."""
MISTAKEN = 1
"""The lowest bit, which many zones confuse with bit 0. Let's Encrypt treats it as critical too (Boulder, va/caa.go). It
has no meaning in the RFC, so what other CAs do is unknown."""
ISSUE, ISSUE_WILD = "issue", "issuewild"
UNDERSTOOD = frozenset({ISSUE, ISSUE_WILD, "iodef"})
"""Tags that every CA processes (CA/Browser Forum Baseline Requirements, 3.2.2.8). A critical record with a tag that a
CA does not know forbids it to issue."""
KNOWN_TO_SOME = frozenset({"issuemail", "issuevmc", "contactemail", "contactphone"})
"""RFC 9495; AuthIndicators, VMC requirements; Baseline Requirements, appendix A. If one of them is critical, it is
unknown whether a CA that is named may issue."""
KNOWN_TAGS = UNDERSTOOD | KNOWN_TO_SOME
"""The registered tags in use (RFC 8659, RFC 9495, CA/Browser Forum)."""

_WORD = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_BLANKS = " \t"
_ISSUER = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_TAG = re.compile(_WORD)
_PARAMETER_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")
_METHODS = re.compile(r"(?:[A-Za-z0-9-]+(?:,|$))*")
"""RFC 8657, 4: `value = [*(label ",") label]`; a label must follow the last comma, see `_fits`."""


@dataclass(frozen=True, slots=True)
class CaaRecord:
    """One record of the relevant set; bytes outside ASCII are shown as escapes.

    Attributes:
        tag: in lower case, since case has no meaning (RFC 8659, 4.1).
        ascii_only: `value` is exactly the value in the zone. No value with other bytes has a meaning.
    """

    flags: int
    tag: str
    value: str
    ascii_only: bool = True

    @property
    def critical(self) -> bool:
        """A CA that does not understand the tag must not issue."""
        return bool(self.flags & CRITICAL)

    @property
    def critical_to_some(self) -> bool:
        """Some CAs, but not all, treat the record as critical."""
        return bool(self.flags & MISTAKEN) and not self.critical

    def __str__(self) -> str:
        return f'{self.flags} {self.tag} "{self.value}"'


@dataclass(frozen=True, slots=True)
class Grant:
    """What one issue or issuewild record allows.

    Attributes:
        issuer: domain of the CA in lower case; empty if nobody may issue.
        parameters: as in the record, names in lower case; each CA defines their meaning, except for RFC 8657.
        wrong: why the record allows nobody although it seems to name a CA; empty if nothing is wrong.
    """

    issuer: str
    parameters: tuple[tuple[str, str], ...] = ()
    wrong: str = ""


NOBODY = ""


def parse_issue(value: str) -> Grant:
    """Parse the value of an issue, issuewild or issuemail record (RFC 8659, 4.2); a malformed one means `;`."""
    domain, _, rest = value.partition(";")
    issuer, parameters = domain.strip(_BLANKS), _parameters(rest)
    if parameters is None or (issuer and not _ISSUER.fullmatch(issuer)):
        return Grant(NOBODY, wrong="malformed")
    wrong = _unsatisfiable(parameters)
    return Grant(NOBODY if wrong else issuer.lower(), parameters, wrong)


def _parameters(text: str) -> tuple[tuple[str, str], ...] | None:
    """Names and values; None if they do not fit the grammar, which allows nothing after the last `;`."""
    if not text.strip(_BLANKS):
        return ()
    halves = [part.partition("=") for part in text.split(";")]
    found = [(tag.strip(_BLANKS), value.strip(_BLANKS)) for tag, equals, value in halves if equals]
    fits = all(_TAG.fullmatch(tag) and _PARAMETER_VALUE.fullmatch(value) for tag, value in found)
    return tuple((tag.lower(), value) for tag, value in found) if fits and len(found) == len(halves) else None


def _unsatisfiable(parameters: Sequence[tuple[str, str]]) -> str:
    """Why no account and no method can match (RFC 8657, 3 and 4); empty if some can."""
    names = [name for name, _ in parameters]
    for name in ("accounturi", "validationmethods"):
        if names.count(name) > 1:
            return f"{name} more than once"
    if any(name == "accounturi" and not _URI.fullmatch(value) for name, value in parameters):
        return "accounturi is not a URI"
    if any(name == "validationmethods" and not _fits(value) for name, value in parameters):
        return "validationmethods names no method"
    return ""


def _fits(methods: str) -> bool:
    return bool(methods) and not methods.endswith(",") and _METHODS.fullmatch(methods) is not None


@dataclass(frozen=True, slots=True)
class Issuance:
    """Who may issue for a name.

    Attributes:
        restricted: False if the set has no such records, so that every CA may issue.
        grants: of the records that count; empty if nobody may issue because of `critical`.
        critical: critical tags that no CA knows: nobody may issue then (RFC 8659, 4.1).
        doubtful: critical tags that some CAs do not know or do not treat as critical: a CA that is named may still be
            forbidden to issue.
    """

    restricted: bool
    grants: tuple[Grant, ...] = ()
    critical: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    def allows(self, domains: Collection[str]) -> bool:
        """Whether a CA with one of these issuer domains (lower case) may issue."""
        return not self.restricted or any(grant.issuer in domains for grant in self.grants if grant.issuer)


def issuance(records: Sequence[CaaRecord], *, wildcard: bool = False) -> Issuance:
    """Who may issue for a name with this relevant set, or for a wildcard below it.

    For wildcards, issuewild records count if there are any, otherwise issue records. For other names only issue records
    count (RFC 8659, 4.2 and 4.3).
    """
    critical = dict.fromkeys(one.tag for one in records if one.critical and one.tag not in UNDERSTOOD)
    unknown = tuple(tag for tag in critical if tag not in KNOWN_TO_SOME)
    if unknown:
        return Issuance(restricted=True, critical=unknown)
    open_to_some = dict.fromkeys(one.tag for one in records if one.critical_to_some and one.tag not in UNDERSTOOD)
    wild = [record for record in records if record.tag == ISSUE_WILD] if wildcard else []
    counting = wild or [record for record in records if record.tag == ISSUE]
    return Issuance(
        bool(counting), tuple(_grant(record) for record in counting), doubtful=tuple(critical | open_to_some)
    )


def _grant(record: CaaRecord) -> Grant:
    return parse_issue(record.value) if record.ascii_only else Grant(NOBODY, wrong="malformed")

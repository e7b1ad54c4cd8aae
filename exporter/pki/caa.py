"""What a CAA record set means: who may issue certificates for a name (RFC 8659, 4). Pure, no lookups.

Values are read by the grammar alone; what does not fit it allows nobody, as the RFC has it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

CRITICAL = 128
"""RFC 8659, 4.1: bit 0 of the flags, the highest one. The other bits have no meaning yet and are ignored."""
MISTAKEN = 1
"""The lowest bit, which many zones take for bit 0. Let's Encrypt takes it for critical too (Boulder, va/caa.go); by the
RFC it means nothing, so what another CA does is open."""
ISSUE, ISSUE_WILD = "issue", "issuewild"
UNDERSTOOD = frozenset({ISSUE, ISSUE_WILD, "iodef"})
"""What every CA processes (CA/Browser Forum Baseline Requirements, 3.2.2.8). A critical record with a tag that a CA
does not know keeps it from issuing."""
KNOWN_TO_SOME = frozenset({"issuemail", "issuevmc", "contactemail", "contactphone"})
"""RFC 9495; AuthIndicators, VMC requirements; Baseline Requirements, appendix A. Where one is critical, it is open
whether a CA that is named may issue."""
KNOWN_TAGS = UNDERSTOOD | KNOWN_TO_SOME
"""The registered tags in use (RFC 8659, RFC 9495, CA/Browser Forum)."""

_WORD = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_BLANKS = " \t"
_ISSUER = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_TAG = re.compile(_WORD)
_PARAMETER_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")
_METHODS = re.compile(r"(?:[A-Za-z0-9-]+(?:,|$))*")
"""RFC 8657, 4: `value = [*(label ",") label]`; what follows the last comma must be a label, see `_fits`."""


@dataclass(frozen=True, slots=True)
class CaaRecord:
    """One record of the relevant set; bytes outside ASCII are shown as escapes.

    Attributes:
        tag: in lower case: case does not count (RFC 8659, 4.1).
        ascii_only: the value is what the zone has; None of the values that mean something has other bytes.
    """

    flags: int
    tag: str
    value: str
    ascii_only: bool = True

    @property
    def critical(self) -> bool:
        """Who does not understand the tag must not issue."""
        return bool(self.flags & CRITICAL)

    @property
    def critical_to_some(self) -> bool:
        """Some CAs read the flags so, and not all of them."""
        return bool(self.flags & MISTAKEN) and not self.critical

    def __str__(self) -> str:
        return f'{self.flags} {self.tag} "{self.value}"'


@dataclass(frozen=True, slots=True)
class Grant:
    """What one issue or issuewild record allows.

    Attributes:
        issuer: domain of the CA in lower case; empty when nobody may issue.
        parameters: as they stand, names in lower case; what they mean, but for RFC 8657, is the CA's to say.
        wrong: why it allows nobody though it seems to name somebody; empty when nothing is wrong.
    """

    issuer: str
    parameters: tuple[tuple[str, str], ...] = ()
    wrong: str = ""


NOBODY = ""


def parse_issue(value: str) -> Grant:
    """The value of an issue, issuewild or issuemail record (RFC 8659, 4.2); a malformed one is as good as `;`."""
    domain, _, rest = value.partition(";")
    issuer, parameters = domain.strip(_BLANKS), _parameters(rest)
    if parameters is None or (issuer and not _ISSUER.fullmatch(issuer)):
        return Grant(NOBODY, wrong="malformed")
    wrong = _unsatisfiable(parameters)
    return Grant(NOBODY if wrong else issuer.lower(), parameters, wrong)


def _parameters(text: str) -> tuple[tuple[str, str], ...] | None:
    """Names and values; None when they do not fit the grammar, by which nothing stands behind the last `;`."""
    if not text.strip(_BLANKS):
        return ()
    halves = [part.partition("=") for part in text.split(";")]
    found = [(tag.strip(_BLANKS), value.strip(_BLANKS)) for tag, equals, value in halves if equals]
    fits = all(_TAG.fullmatch(tag) and _PARAMETER_VALUE.fullmatch(value) for tag, value in found)
    return tuple((tag.lower(), value) for tag, value in found) if fits and len(found) == len(halves) else None


def _unsatisfiable(parameters: Sequence[tuple[str, str]]) -> str:
    """Why no account and no method can fit (RFC 8657, 3 and 4); empty when some can."""
    names = [name for name, _ in parameters]
    for name in ("accounturi", "validationmethods"):
        if names.count(name) > 1:
            return f"{name} more than once"
    if any(name == "accounturi" and not _URI.fullmatch(value) for name, value in parameters):
        return "accounturi is no URI"
    if any(name == "validationmethods" and not _fits(value) for name, value in parameters):
        return "validationmethods names no method"
    return ""


def _fits(methods: str) -> bool:
    return bool(methods) and not methods.endswith(",") and _METHODS.fullmatch(methods) is not None


@dataclass(frozen=True, slots=True)
class Issuance:
    """Who may issue for a name.

    Attributes:
        restricted: False when the set says nothing about it, so that every CA may.
        grants: what the records say that count; none of them when nobody may because of `critical`.
        critical: tags that are critical and that nobody knows: then nobody may issue (RFC 8659, 4.1).
        doubtful: tags that are critical, and that not every CA knows or takes for critical: who is allowed may all the
            same not issue.
    """

    restricted: bool
    grants: tuple[Grant, ...] = ()
    critical: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    def allows(self, domains: Collection[str]) -> bool:
        """Whether a CA may that goes by any of these domains (lower case)."""
        return not self.restricted or any(grant.issuer in domains for grant in self.grants if grant.issuer)


def issuance(records: Sequence[CaaRecord], *, wildcard: bool = False) -> Issuance:
    """Who may issue for a name that this set is relevant for, or for a wildcard below it.

    For wildcards issuewild records count where there are any, else issue records; for other names issue records alone
    (RFC 8659, 4.2 and 4.3).
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

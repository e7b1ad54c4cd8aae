"""What a CAA record set means: who may issue certificates for a name (RFC 8659, 4). Pure, no lookups.

Values are read by the grammar alone; what does not fit it allows nobody, as the RFC has it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

CRITICAL = 128
"""RFC 8659, 4.1: bit 0 of the flags, the highest one. The other bits have no meaning yet and are ignored."""
UNDERSTOOD = frozenset({"issue", "issuewild", "issuemail", "issuevmc", "iodef", "contactemail", "contactphone"})
"""RFC 8659, 4; RFC 9495; CA/Browser Forum Baseline Requirements, appendix A; AuthIndicators, VMC requirements. A record
with another tag that is critical lets nobody issue."""

_WORD = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_VALUE = re.compile(rf"[ \t]*(?P<issuer>{_WORD}(?:\.{_WORD})*)?[ \t]*(?:;(?P<parameters>.*))?", re.DOTALL)
_PARAMETER = re.compile(rf"[ \t]*(?P<tag>{_WORD})[ \t]*=[ \t]*(?P<value>[\x21-\x3a\x3c-\x7e]*)[ \t]*")
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
    match = _VALUE.fullmatch(value)
    if match is None:
        return Grant(NOBODY, wrong="malformed")
    parameters = _parameters(match["parameters"] or "")
    if parameters is None:
        return Grant(NOBODY, wrong="malformed")
    issuer = (match["issuer"] or NOBODY).lower()
    wrong = _unsatisfiable(parameters)
    return Grant(NOBODY if wrong else issuer, parameters, wrong)


def _parameters(text: str) -> tuple[tuple[str, str], ...] | None:
    """Names and values; None when they do not fit the grammar, by which nothing stands behind the last `;`."""
    if not text.strip(" \t"):
        return ()
    matches = [_PARAMETER.fullmatch(part) for part in text.split(";")]
    found = [(match["tag"].lower(), match["value"]) for match in matches if match is not None]
    return tuple(found) if len(found) == len(matches) else None


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
    """

    restricted: bool
    grants: tuple[Grant, ...] = ()
    critical: tuple[str, ...] = ()

    def allows(self, domains: Collection[str]) -> bool:
        """Whether a CA may that goes by any of these domains (lower case)."""
        return not self.restricted or any(grant.issuer in domains for grant in self.grants if grant.issuer)


def issuance(records: Sequence[CaaRecord], *, wildcard: bool = False) -> Issuance:
    """Who may issue for a name that this set is relevant for, or for a wildcard below it.

    For wildcards issuewild records count where there are any, else issue records; for other names issue records alone
    (RFC 8659, 4.2 and 4.3).
    """
    unknown = tuple(dict.fromkeys(one.tag for one in records if one.critical and one.tag not in UNDERSTOOD))
    if unknown:
        return Issuance(restricted=True, critical=unknown)
    wild = [record for record in records if record.tag == "issuewild"] if wildcard else []
    counting = wild or [record for record in records if record.tag == "issue"]
    return Issuance(bool(counting), tuple(_grant(record) for record in counting))


def _grant(record: CaaRecord) -> Grant:
    return parse_issue(record.value) if record.ascii_only else Grant(NOBODY, wrong="malformed")

"""Grades of testssl.sh: its own if it has one, otherwise the grade that a later version gives to the same findings.

testssl.sh rates since 3.2: `read_own` reads its grade. Debian 12 has 3.0.8, which finds the same things without rating
them: `read_derived` rates them. The caps are few and simple, so they are copied here from 3.3dev (set_grade_cap and
set_grade_warning in its source), with their peculiarities. Scores are not needed: without a cap they are never below
80, because every suite has at least 128 bits, every key 1024, and TLS 1.2 or TLS 1.3 is accepted.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.grade import Letter
from oracles.facts import ReportError

FIRST_THAT_RATES = (3, 2)
_GRADE = "overall_grade"
"""Id of the finding with testssl.sh's own grade. `_REASON` matches the ids of its reasons."""
_REASON = re.compile(r"grade_cap_(reason|warning)_\d+")
WEAK_KEY, INSECURE_KEY = 2048, 1024


@dataclass(frozen=True, slots=True)
class Rating:
    """A grade of testssl.sh.

    Attributes:
        reasons: why the grade is not better, in words.
    """

    letter: Letter
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings: id (without the number of the certificate), severity and text of each."""

    all: tuple[tuple[str, str, str], ...]
    starttls: bool = False

    def texts(self, name: str) -> list[str]:
        """All findings with this id."""
        return [text for found, _, text in self.all if found == name]

    def says(self, name: str, pattern: str) -> bool:
        """Whether a finding with this id begins with the pattern."""
        return any(re.match(pattern, text) for text in self.texts(name))

    def bad(self, name: str) -> bool:
        """Whether a finding with this id counts as a weakness."""
        return any(severity in _BAD for found, severity, _ in self.all if found == name)

    def offered(self, *names: str) -> bool:
        """Whether one of these protocols or kinds of suites is offered."""
        return any(self.says(name, "offered") for name in names)

    @property
    def key_bits(self) -> list[int]:
        """Sizes of RSA keys. Elliptic curves from P-224 on never count as weak."""
        found = [re.match(r"RSA (\d+) bits", text) for text in self.texts("cert_keySize")]
        return [int(one[1]) for one in found if one]


_BAD = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}
_NEW = ("TLS1_2", "TLS1_3")
_CHAIN = "cert_chain_of_trust"

Test = Callable[[Findings], bool]

CAPS: tuple[tuple[Letter, str, Test], ...] = (
    (Letter.T, "STARTTLS", lambda f: f.starttls),
    (Letter.T, "chain not trusted", lambda f: f.bad(_CHAIN) and not f.says(_CHAIN, ".*chain incomplete")),
    (Letter.T, "expired", lambda f: f.says("cert_expirationStatus", "expired")),
    (Letter.T, "SHA-1 signature", lambda f: f.says("cert_signatureAlgorithm", ".*SHA1")),
    (Letter.M, "another name", lambda f: f.says("cert_trust", "certificate does not match")),
    (Letter.F, "SSLv2", lambda f: f.offered("SSLv2")),
    (Letter.F, "only SSLv3", lambda f: f.offered("SSLv3") and not f.offered("TLS1", "TLS1_1", *_NEW)),
    (Letter.F, "export suites", lambda f: f.offered("cipherlist_EXPORT")),
    # The list of low suites includes RC4 with 128 bits.
    (
        Letter.F,
        "less than 112 bits",
        lambda f: f.offered("cipherlist_NULL") or (f.offered("cipherlist_LOW") and not f.bad("RC4")),
    ),
    (Letter.F, "MD5 signature", lambda f: f.says("cert_signatureAlgorithm", ".*MD[25]")),
    (Letter.F, "insecure key", lambda f: any(bits < INSECURE_KEY for bits in f.key_bits)),
    (Letter.F, "Heartbleed", lambda f: f.bad("heartbleed")),
    (Letter.F, "CCS injection", lambda f: f.bad("CCS")),
    (Letter.F, "Ticketbleed", lambda f: f.bad("ticketbleed")),
    (Letter.F, "ROBOT", lambda f: f.bad("ROBOT")),
    (Letter.F, "DROWN", lambda f: f.bad("DROWN")),
    (Letter.C, "no TLS 1.2 or 1.3", lambda f: not f.offered(*_NEW)),
    (Letter.C, "CRIME", lambda f: f.bad("CRIME_TLS")),
    (Letter.C, "POODLE", lambda f: f.bad("POODLE_SSL")),
    (Letter.C, "64-bit blocks", lambda f: f.bad("SWEET32") and f.offered("TLS1_1", *_NEW)),
    (Letter.C, "RC4 in TLS 1.1", lambda f: f.bad("RC4") and f.offered("TLS1_1")),
    (Letter.B, "SSLv3", lambda f: f.offered("SSLv3")),
    (Letter.B, "TLS 1.0", lambda f: f.offered("TLS1")),
    (Letter.B, "TLS 1.1", lambda f: f.offered("TLS1_1")),
    (Letter.B, "no forward secrecy", lambda f: f.bad("PFS")),
    (Letter.B, "RC4", lambda f: f.bad("RC4")),
    (Letter.B, "weak key", lambda f: any(bits < WEAK_KEY for bits in f.key_bits)),
    (Letter.B, "chain incomplete", lambda f: f.says(_CHAIN, ".*chain incomplete")),
    (Letter.A_MINUS, "no TLS 1.3", lambda f: not f.offered("TLS1_3")),
    (Letter.A_MINUS, "no secure renegotiation", lambda f: f.bad("secure_renego")),
    (Letter.A_MINUS, "HSTS off or short", lambda f: f.bad("HSTS_time")),
)
"""Without a cap the grade is A+. An absent HSTS header gives no warning. The sizes of DH primes and the lack of AEAD
never count, because the tests in its source look for text that never occurs."""


def rates(version: str) -> bool:
    """Whether a testssl.sh of this version has a grade of its own."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= FIRST_THAT_RATES


def read_own(report: Path) -> Rating:
    """testssl.sh's own grade, from its flat JSON.

    Raises:
        ReportError: it did not reach the server, or did not rate it.
    """
    findings = _read(report)
    for text in findings.texts(_GRADE):
        return Rating(Letter(text), tuple(text for name, _, text in findings.all if _REASON.fullmatch(name)))
    raise ReportError("testssl.sh gave no grade")


def read_derived(report: Path, *, starttls: bool) -> Rating:
    """The grade of a later version for the findings of 3.0, from its flat JSON.

    Raises:
        ReportError: it did not reach the server.
    """
    return rate(_read(report, starttls=starttls))


def _read(report: Path, *, starttls: bool = False) -> Findings:
    found: list[dict[str, Any]] = json.loads(report.read_text())
    findings = Findings(
        tuple((re.sub(r" <.*>", "", one["id"]), one["severity"], one["finding"]) for one in found), starttls
    )
    if not findings.texts("TLS1_2"):
        raise ReportError(f"testssl.sh did not reach the server: {[one['finding'] for one in found][-3:]}")
    return findings


def rate(findings: Findings) -> Rating:
    """The grade of 3.3dev for these findings."""
    applying = list(_applying(findings))
    outside = [letter for letter, _ in applying if not letter.on_scale]
    lowest = min((letter for letter, _ in applying), key=lambda letter: letter.rank, default=Letter.A_PLUS)
    letter = outside[-1] if outside else lowest  # the last one wins
    return Rating(letter, tuple(reason for _, reason in applying))


def _applying(findings: Findings) -> Iterator[tuple[Letter, str]]:
    for letter, reason, test in CAPS:
        if test(findings):
            yield letter, reason

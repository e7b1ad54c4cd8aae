"""What a comparison reads of documents of `scan --format=json`."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from exporter.grade import Letter
from exporter.model import Severity, Verdict

SCHEMA_VERSION = 1


class _Part(BaseModel):
    """A part of a document. Other keys are ignored: a document may be of another release."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class OldFinding(_Part):
    """As `FindingForm`."""

    policy: str
    check: str
    verdict: Verdict
    severity: Severity
    summary: str


class OldLeaf(_Part):
    """The first certificate of a chain."""

    subject: str
    issuer: str
    fingerprint_sha256: str
    not_after: str


class OldChain(_Part):
    """A chain."""

    chain: list[OldLeaf] = Field(min_length=1)


class OldCertificate(_Part):
    """All chains."""

    deployments: list[OldChain]


class OldFacts(_Part):
    """The facts that have a history."""

    protocols: dict[str, bool | None] | None = None
    cipher_suites: dict[str, list[str]] | None = None
    cipher_suites_incomplete: list[str] | None = None
    certificate: OldCertificate | None = None


class OldGrade(_Part):
    """The grade."""

    letter: Letter | None


class OldFailure(_Part):
    """A probe that failed."""

    reason: str
    detail: str


class OldReport(_Part):
    """One target at one address."""

    target: str
    address: str | None = None
    scanned_at: datetime
    success: bool
    compliant: bool | None
    facts: OldFacts
    findings: list[OldFinding]
    grade: OldGrade | None = None
    failures: list[OldFailure] = Field(default_factory=list)

    @property
    def letter(self) -> Letter | None:
        """The grade; None if it is not known, or there is none."""
        return None if self.grade is None else self.grade.letter

    @property
    def reached(self) -> bool:
        """Whether anything is known of its TLS."""
        return self.success or self.facts.protocols is not None


class OldReports(_Part):
    """The document."""

    schema_version: int
    reports: list[OldReport]

"""Reports as JSON documents: the published form that `scan --format=json` prints."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from exporter.model import Failure, Finding, Reason, Report, Severity, Verdict
from exporter.probes.registry import PROBES


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FindingForm(_Form):
    """One finding."""

    check: str
    verdict: Verdict
    severity: Severity
    summary: str
    evidence: dict[str, list[str]]


class FailureForm(_Form):
    """One probe that could not tell in the last scan."""

    probe: str
    reason: Reason
    detail: str


class FactsForm(_Form):
    """What is known; null where it is not known or does not apply."""

    protocols: dict[str, bool | None] | None = Field(description="protocol -> accepted, null when not known")
    cipher_suites: dict[str, list[str]] | None = Field(description="protocol -> IANA names in the order found")
    cipher_suites_incomplete: list[str] | None = Field(description="protocols whose list may lack suites")
    cipher_order: dict[str, Literal["server", "client", "mixed"] | None] | None
    compression: bool | None
    groups: None = Field(description="not examined yet")
    vulnerabilities: None = Field(description="not examined yet")
    certificate: dict[str, Any] | None
    http: dict[str, Any] | None
    dns: dict[str, Any] | None
    notes: list[str] | None = Field(description="what stood in the way of the handshake probe")


class ReportForm(_Form):
    """One target."""

    target: str
    host: str
    port: int
    protocol: str
    labels: dict[str, str]
    policy: str
    scanned_at: datetime = Field(description="end of the scan")
    duration_seconds: float
    connections: int
    success: bool
    compliant: bool | None
    facts: FactsForm
    findings: list[FindingForm]
    grade: None = Field(description="not computed yet")
    failures: list[FailureForm]


class ReportsForm(_Form):
    """The whole document."""

    schema_version: Literal[1]
    reports: list[ReportForm]


def _finding(finding: Finding) -> FindingForm:
    evidence = {key: list(values) for key, values in finding.evidence.items()}
    return FindingForm(
        check=finding.check,
        verdict=finding.verdict,
        severity=finding.severity,
        summary=finding.summary,
        evidence=evidence,
    )


def _failure(failure: Failure) -> FailureForm:
    return FailureForm(probe=failure.probe, reason=failure.reason, detail=failure.detail)


def _facts(report: Report) -> Mapping[str, Any]:
    document: dict[str, Any] = dict.fromkeys(FactsForm.model_fields)
    for probe in PROBES:
        facts = report.facts.get(probe.kind)
        if facts is not None:
            document |= probe.document(facts)
    return document


def report_form(report: Report) -> ReportForm:
    """One report in its published form."""
    result, target = report.result, report.target
    return ReportForm(
        target=target.name,
        host=target.host,
        port=target.port,
        protocol=target.protocol,
        labels=dict(target.labels),
        policy=report.policy,
        scanned_at=result.ended_at,
        duration_seconds=result.duration_seconds,
        connections=result.connections,
        success=result.success,
        compliant=report.compliant,
        facts=FactsForm.model_validate(_facts(report)),
        findings=[_finding(finding) for finding in report.findings],
        grade=None,
        failures=[_failure(failure) for failure in result.failures],
    )


def reports_json(reports: Iterable[Report]) -> str:
    """The document that `scan --format=json` prints."""
    form = ReportsForm(schema_version=1, reports=[report_form(report) for report in reports])
    return form.model_dump_json(indent=2)


def json_schema() -> dict[str, Any]:
    """JSON Schema of that document."""
    return ReportsForm.model_json_schema()

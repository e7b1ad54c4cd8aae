"""Reports as JSON documents: the published form that `scan --format=json` prints."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, create_model

from exporter.derived.registry import SHOWN
from exporter.facts.form import entries
from exporter.grade import REVISION, Grade, Letter
from exporter.model import MOST_ADDRESSES, Disagreement, Failure, Finding, Reason, Report, Severity, Verdict
from exporter.probes.registry import PROBES
from exporter.text import escaped_lines


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RemedyForm(_Form):
    """What to change on one kind of server."""

    server: str = Field(description="`any` where no server's configuration is meant")
    lines: list[str] = Field(description="of its configuration, as they are to stand there")
    note: str


class AcceptanceForm(_Form):
    """That the operator accepts a failure for some time."""

    until: date = Field(description="the last day (UTC) on which it is accepted")
    reason: str
    accepted_by: str


class FindingForm(_Form):
    """What one policy says of one check."""

    policy: str
    check: str
    verdict: Verdict
    severity: Severity
    summary: str
    evidence: dict[str, list[str]] = Field(description="what was seen, grouped")
    asked: str = Field(description="what the policy asks for")
    sources: list[str] = Field(description="where that is written")
    remedy: list[RemedyForm] = Field(description="what to change so that the check passes; only of failures")
    accepted: AcceptanceForm | None = Field(
        description="set where the operator accepts this failure today; it is a failure all the same"
    )


class FailureForm(_Form):
    """One probe that failed in the last scan."""

    probe: str
    reason: Reason
    detail: str


_ORDER = (
    *("protocols", "cipher_suites", "cipher_suites_incomplete", "cipher_order", "compression"),
    *("groups", "groups_incomplete", "group_order", "ignores_supported_groups", "dh_primes"),
    *("extensions", "alpn", "signature_schemes", "plain_chains", "hellos", "contradictions"),
    *("vulnerabilities", "attacks_tried", "clients", "certificate", "http", "software"),
    *("dns", "tlsa", "mta_sts", "mta_sts_policy", "caa_issuer", "notes"),
)
"""Keys of facts in the order of the published form. Other keys come after these."""


def _fields() -> Mapping[str, Any]:
    """The keys of all facts, null where nothing is known."""
    keys = {name: entry for part in SHOWN for name, entry in entries(part.form).items()}
    names = dict.fromkeys((*_ORDER, *keys))
    return {name: (keys[name].value | None, Field(description=keys[name].key.text)) for name in names}


_FACTS = "What is known; null where it is not known or does not apply."
if TYPE_CHECKING:
    FactsForm: TypeAlias = Any
else:  # assembled from the forms that facts declare, so its fields are known only at run time
    FactsForm = create_model("FactsForm", __base__=_Form, __doc__=_FACTS, **_fields())


class DisagreementForm(_Form):
    """One fact that is not the same at every address."""

    fact: str
    said: dict[str, dict[str, str]] = Field(
        description="address -> part of the fact -> its value there, of a list only what not all have; cut to the "
        "first few, the facts of each address have it all"
    )


class LiftForm(_Form):
    """One thing that keeps the grade low."""

    rule: str = Field(description="its name, or `score`")
    remedy: str


class CategoriesForm(_Form):
    """Scores out of 100; null where one is not known exactly."""

    protocols: float | None
    key_exchange: float | None
    ciphers: float | None


class GradeForm(_Form):
    """The grade by the SSL Labs Server Rating Guide; docs/grade.md has its rules."""

    revision: Literal["2009r"] = REVISION
    letter: Letter | None = Field(description="null where what is not known may change it")
    score: float | None = Field(description="0 to 100, before any rule; null where it is not known exactly")
    trust_ignored_letter: Letter | None = Field(description="as if certificates were trusted and carried the name")
    capped_by: str = Field(description="the rule that leads to the letter; empty where the score does")
    caps: list[str] = Field(description="all rules that apply, the one that counts most first")
    lifts: list[LiftForm] = Field(description="all that has to go for the next better letter")
    lifted_letter: Letter | None = Field(description="that letter; null where there is none, or it is not known")
    missing: list[str] = Field(description="rules and scores that are not known and may change a letter")
    categories: CategoriesForm


class ReportForm(_Form):
    """One target, at one address."""

    target: str
    address: str | None = Field(
        description="with `addresses: all`, the one that was scanned; null otherwise, and when none was known"
    )
    addresses_found: int | None = Field(
        description=f"with `addresses: all`, how many the host has; at most {MOST_ADDRESSES} of them are scanned"
    )
    disagreements: list[DisagreementForm] | None = Field(
        description="among all addresses of the target; null when no fact is known of two"
    )
    host: str
    port: int
    protocol: str
    labels: dict[str, str]
    policies: dict[str, bool | None] = Field(
        description="policy -> whether it is met; null when nothing fails but something is unknown, or nothing applies"
    )
    scanned_at: datetime = Field(description="end of the scan")
    duration_seconds: float
    connections: int
    bytes_sent: int = Field(description="TCP payload, what a proxy is told included")
    bytes_received: int
    success: bool
    compliant: bool | None = Field(description="true when all policies are met, false when one is not")
    facts: FactsForm
    seen_at: dict[str, datetime] = Field(description="probe -> when it last could tell: the age of its facts")
    findings: list[FindingForm]
    grade: GradeForm | None = Field(description="null where no protocol is known to be accepted")
    failures: list[FailureForm]


class ReportsForm(_Form):
    """The complete document."""

    schema_version: Literal[1]
    reports: list[ReportForm]


def _finding(finding: Finding) -> FindingForm:
    evidence = {key: list(values) for key, values in finding.evidence.items()}
    accepted = finding.accepted
    return FindingForm(
        policy=finding.policy,
        check=finding.check,
        verdict=finding.verdict,
        severity=finding.severity,
        summary=finding.summary,
        evidence=evidence,
        asked=finding.asked,
        sources=list(finding.sources),
        remedy=[RemedyForm(server=one.server, lines=list(one.lines), note=one.note) for one in finding.remedy],
        accepted=None
        if accepted is None
        else AcceptanceForm(until=accepted.until, reason=accepted.reason, accepted_by=accepted.accepted_by),
    )


def _failure(failure: Failure) -> FailureForm:
    return FailureForm(probe=failure.probe, reason=failure.reason, detail=failure.detail)


def _disagreement(disagreement: Disagreement) -> DisagreementForm:
    said = {address: dict(parts) for address, parts in disagreement.said.items()}
    return DisagreementForm(fact=disagreement.fact, said=said)


def _grade(grade: Grade | None) -> GradeForm | None:
    if grade is None:
        return None
    return GradeForm(
        letter=grade.letter,
        score=grade.score,
        trust_ignored_letter=grade.trust_ignored,
        capped_by=grade.capped_by,
        caps=list(grade.caps),
        lifts=[LiftForm(rule=lift.rule, remedy=lift.remedy) for lift in grade.lifts],
        lifted_letter=grade.lifted,
        missing=list(grade.missing),
        categories=CategoriesForm(**grade.categories),
    )


def _facts(report: Report) -> Mapping[str, Any]:
    document: dict[str, Any] = dict.fromkeys(FactsForm.model_fields)
    for part in SHOWN:
        facts = report.facts.get(part.kind)
        if facts is not None:
            document |= part.document(facts)
    return document


def report_form(report: Report) -> ReportForm:
    """One report in its published form."""
    result, target = report.result, report.target
    found = report.disagreements
    return ReportForm(
        target=target.name,
        address=report.address,
        addresses_found=result.addresses_found,
        disagreements=None if found is None else [_disagreement(one) for one in found],
        host=target.host,
        port=target.port,
        protocol=target.protocol,
        labels=dict(target.labels),
        policies={policy: report.compliant_with(policy) for policy in report.policies},
        scanned_at=result.ended_at,
        duration_seconds=result.duration_seconds,
        connections=result.connections,
        bytes_sent=result.bytes_sent,
        bytes_received=result.bytes_received,
        success=result.success,
        compliant=report.compliant,
        facts=FactsForm.model_validate(_facts(report)),
        seen_at={p.name: at for p in PROBES if (at := report.facts.seen_at(p.kind)) is not None},
        findings=[_finding(finding) for finding in report.findings],
        grade=_grade(report.facts.get(Grade)),
        failures=[_failure(failure) for failure in result.failures],
    )


def reports_json(reports: Iterable[Report]) -> str:
    """The document that `scan --format=json` prints.

    It is made of one report after the other: a thread that turns a thousand of them into JSON at once stops all others.
    """
    parts = [_indented(report_form(report)) for report in reports]
    separator = ",\n"
    listed = f"[\n{separator.join(parts)}\n  ]" if parts else "[]"
    return f'{{\n  "schema_version": 1,\n  "reports": {listed}\n}}'


def _indented(form: ReportForm) -> str:
    text = escaped_lines(form.model_dump_json(indent=2))  # unprintable characters are inside of strings only
    return "\n".join(f"    {line}" for line in text.split("\n"))


def json_schema() -> dict[str, Any]:
    """JSON Schema of that document."""
    return ReportsForm.model_json_schema()

"""The JSON of each answer. The published description is made of these classes."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from exporter.grade import Letter
from exporter.model import Severity
from exporter.report import ReportForm
from exporter.scan_requests import ScanState
from exporter.store.history import What
from exporter.web.api.errors import ErrorType


class AnswerPart(BaseModel):
    """A part of an answer. All keys are always there; null is what is not known."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class SuccessAnswer(AnswerPart):
    """What all successful answers have in common, as in Prometheus."""

    status: Literal["success"] = "success"


class ErrorAnswer(AnswerPart):
    """Every other answer."""

    status: Literal["error"] = "error"
    errorType: ErrorType  # noqa: N815 - as in Prometheus
    error: str = Field(description="why, in a sentence for a person")


class AddressPart(AnswerPart):
    """The last scan of one address."""

    address: str | None = Field(description="null for a target that is scanned at one address only")
    success: bool = Field(description="whether the last scan was successful")
    grade: Letter | None
    scanned_at: datetime = Field(description="end of the last scan")
    last_success_at: datetime | None = Field(description="end of the last successful scan; null if there was none")


class TargetPart(AnswerPart):
    """One target in short. Before its first scan, what scans find is null or empty."""

    name: str
    host: str
    port: int
    protocol: str
    starttls: str | None
    server_name: str | None
    labels: dict[str, str] = Field(description="the operator's labels")
    policies: dict[str, bool | None] = Field(
        description="policy -> whether it is met at every address; null when nothing fails but something is unknown"
    )
    failed: dict[str, list[str]] = Field(description="policy -> its checks that fail at any address")
    accepted: dict[str, list[str]] = Field(
        description="policy -> those of its failed checks that the operator accepts today; they fail all the same"
    )
    grade: Letter | None = Field(description="the worst of all addresses; null where one is not known")
    success: bool | None = Field(description="whether the last scan was successful at every address")
    scanned_at: datetime | None = Field(description="end of the last scan")
    last_success_at: datetime | None = Field(
        description="end of the last successful scan, of the address where it was longest ago; null if one had none"
    )
    next_scan_at: datetime | None = Field(description="when the next scan is due; null while the schedule is not known")
    addresses: list[AddressPart]
    found_in: list[str] = Field(
        description="`targets`, which is the list in the configuration file, or the `place` of a source; the first one "
        "decided on the options of the target"
    )


class TargetsPart(AnswerPart):
    """One page of targets, in the order of their names."""

    targets: list[TargetPart]
    next_cursor: str | None = Field(description="the parameter `cursor` of the next page; null on the last one")


class TargetsAnswer(SuccessAnswer):
    """Targets in short."""

    data: TargetsPart


class ReportsPart(AnswerPart):
    """The reports of one target."""

    reports: list[ReportForm] = Field(description="one for each address; empty before the first scan")


class ReportsAnswer(SuccessAnswer):
    """The complete reports of one target."""

    data: ReportsPart


Value = bool | str | list[str] | list[dict[str, str]] | None
_VALUE = (
    "a verdict, the letter of the grade, whether a protocol is accepted, the suites of a protocol, or the "
    "certificates; null where it is not known"
)
_SUBJECT = "POLICY/CHECK of a verdict, the version of a protocol and of its suites; else empty"


class ChangePart(AnswerPart):
    """One change at one address of a target."""

    target: str
    address: str | None = Field(description="null for a target that is scanned at one address only")
    what: What
    subject: str = Field(description=_SUBJECT)
    before: Value = Field(description=_VALUE)
    after: Value = Field(description=_VALUE)
    at: datetime = Field(description="when it was seen")


class StatePart(AnswerPart):
    """What is so now at one address of a target."""

    address: str | None = Field(description="null for a target that is scanned at one address only")
    what: What
    subject: str = Field(description=_SUBJECT)
    value: Value = Field(description=_VALUE)
    since: datetime = Field(description="when this value was first seen since another one, or since the first scan")


class HistoryPart(AnswerPart):
    """The history of one target."""

    states: list[StatePart]
    changes: list[ChangePart] = Field(description="one page, the newest first")
    known_since: datetime = Field(description="changes before this time are not known")
    next_cursor: str | None = Field(description="the parameter `cursor` of the next page; null on the last one")


class HistoryAnswer(SuccessAnswer):
    """The history of one target."""

    data: HistoryPart


class ChangesPart(AnswerPart):
    """One page of changes, in the order in which they were recorded."""

    changes: list[ChangePart]
    known_since: datetime = Field(description="changes before this time are not known")
    next_cursor: str = Field(
        description="the parameter `cursor` for what comes after; changes of later scans have the same cursor"
    )
    more: bool = Field(description="whether there may be other changes already")


class ChangesAnswer(SuccessAnswer):
    """What has changed."""

    data: ChangesPart


class ScanPart(AnswerPart):
    """A scan that was asked for."""

    id: str
    target: str
    state: ScanState = Field(
        description="`done` when it has ended, also if the server could not be reached; `failed` when it has no "
        "result, because the target was changed or removed, or by an internal error"
    )
    success: bool | None = Field(description="of the scan; null until it is done")
    reports: list[ReportForm] | None = Field(
        description="the latest reports, of this scan or of a later one; empty if the target was removed or is another "
        "service since; null until it is done"
    )


class ScanAnswer(SuccessAnswer):
    """A scan that was asked for."""

    data: ScanPart


class OutcomesPart(AnswerPart):
    """What became of the targets in the last good list of a source."""

    used: int
    merged: int = Field(description="the same service as another target; their labels are together")
    dropped: int = Field(description="by relabelling")
    rejected: int = Field(description="their labels are not valid")


class RejectedPart(AnswerPart):
    """A target that cannot be used."""

    address: str | None = Field(description="the label `__address__` as it was found; null without one")
    reason: str


class SourcePart(AnswerPart):
    """One source of targets."""

    place: str = Field(description="in the configuration file; the label `source` of the metrics")
    up: bool | None = Field(description="whether the last refresh was successful; null before the end of the first")
    error: str | None = Field(description="why the last refresh failed")
    targets: int | None = Field(
        description="number of targets in the last good list, before relabelling; null if there was none"
    )
    refreshed_at: datetime | None = Field(
        description="when the last good list was found; null if there was none since the start of the daemon"
    )
    outcomes: OutcomesPart | None = Field(description="null while no list of this source is in use")
    rejected: list[RejectedPart] = Field(description="the first of them; at most 100 of all sources together")


class SourcesPart(AnswerPart):
    """The sources of targets, in the order of the configuration."""

    sources: list[SourcePart]


class SourcesAnswer(SuccessAnswer):
    """The sources of targets."""

    data: SourcesPart


class PolicySummaryPart(AnswerPart):
    """A policy in short."""

    name: str
    title: str
    version: str
    source: str = Field(description="the document that it is taken from")
    targets: int = Field(description="how many targets are judged by it")


class PoliciesPart(AnswerPart):
    """The policies that targets are or can be judged by, by name."""

    policies: list[PolicySummaryPart]


class PoliciesAnswer(SuccessAnswer):
    """The policies that targets are or can be judged by."""

    data: PoliciesPart


class DemandPart(AnswerPart):
    """What a policy asks of one check."""

    check: str
    severity: Severity
    asks: str
    source: str = Field(description="where that is written")


class NotExpressedPart(AnswerPart):
    """A rule of the source that is not judged."""

    rule: str
    section: str
    why: str


class PolicyPart(PolicySummaryPart):
    """A policy."""

    source_url: str | None
    published: str | None = Field(description="the date of the source")
    description: str
    demands: list[DemandPart]
    not_expressed: list[NotExpressedPart]


class PolicyAnswer(SuccessAnswer):
    """One policy."""

    data: PolicyPart


class MetadataPart(AnswerPart):
    """One metric, as in Prometheus."""

    type: str
    help: str
    unit: str


class MetadataAnswer(SuccessAnswer):
    """Metric -> what it is."""

    data: dict[str, list[MetadataPart]]

"""`junit`: a testsuite for each address of a target, a testcase for each finding. docs/reports.md says how it is read.

The format has no standard. This is what Ant's, Jenkins', GitLab's and Azure's readers have in common.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from xml.sax.saxutils import escape, quoteattr

from exporter.grade import Grade
from exporter.model import Finding, Report, Target, Verdict
from exporter.ranking import cause, is_reached
from exporter.reports.base import Format, ReportSet
from exporter.reports.overview import titled
from exporter.text import escaped, escaped_lines

_SCAN = "scan"
"""Class and name of the testcase that says whether the target was scanned."""
_NOT_OF_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (section 2.2). None of them is printable, so `escaped` has removed them."""


def _attributes(**values: str | float) -> str:
    return "".join(f" {name}={quoteattr(_NOT_OF_XML.sub('?', escaped(str(value))))}" for name, value in values.items())


def _content(text: str) -> str:
    return escape(_NOT_OF_XML.sub("?", escaped_lines(text)))


class _Suite:
    """The testcases of one suite, and how many there are of each kind."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: list[str] = []
        self.counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}

    def add(
        self, policy: str, check: str, seconds: float = 0, outcome: tuple[str, str, str, str] | None = None
    ) -> None:
        """Add a testcase; its outcome is the element, and its type, message and text. None passes."""
        classname = f"{self._name}.{policy}"
        head = f"    <testcase{_attributes(classname=classname, name=check, time=f'{seconds:.3f}')}"
        self.counts["tests"] += 1
        if outcome is None:
            self._lines.append(f"{head}/>\n")
            return
        element, kind, message, text = outcome
        self.counts[{"failure": "failures", "error": "errors", "skipped": "skipped"}[element]] += 1
        inner = f"      <{element}{_attributes(type=kind, message=message)}>{_content(text)}</{element}>\n"
        self._lines.append(f"{head}>\n{inner}    </testcase>\n")

    def text(self, properties: Sequence[tuple[str, str]] = (), **attributes: str | float) -> str:
        """The element."""
        listed = "".join(f"      <property{_attributes(name=name, value=value)}/>\n" for name, value in properties)
        inner = f"    <properties>\n{listed}    </properties>\n" if listed else ""
        head = _attributes(name=self._name, **self.counts, **attributes)
        return f"  <testsuite{head}>\n{inner}{''.join(self._lines)}  </testsuite>\n"


def _details(finding: Finding) -> str:
    """All that is known of a finding, in lines."""
    lines = [finding.summary, *(f"{group}: {', '.join(items)}" for group, items in finding.evidence.items())]
    lines.append(f"asked: {finding.asked}")
    lines += [f"source: {source}" for source in finding.sources]
    for remedy in finding.remedy:
        lines.append(f"change ({remedy.server}): {remedy.note}".removesuffix(": "))
        lines += [f"    {line}" for line in remedy.lines]
    return "\n".join(map(escaped, lines))


def _outcome(finding: Finding) -> tuple[str, str, str, str] | None:
    match finding.verdict:
        case Verdict.PASS:
            return None
        case Verdict.FAIL if finding.accepted is not None:
            accepted = finding.accepted
            why = f"fails, accepted until {accepted.until} by {accepted.accepted_by}: {accepted.reason}"
            return "skipped", "accepted", why, f"{escaped(why)}\n{_details(finding)}"
        case Verdict.FAIL:
            return "failure", finding.severity, finding.summary, _details(finding)
        case Verdict.UNKNOWN:
            return "skipped", "unknown", f"unknown: {finding.summary}", _details(finding)
        case Verdict.NOT_APPLICABLE:
            return "skipped", "not_applicable", f"not applicable: {finding.summary}", escaped(finding.summary)


def _scan_outcome(report: Report) -> tuple[str, str, str, str] | None:
    """None if the scan was successful."""
    if report.result.success:
        return None
    failures = report.result.failures
    lines = [escaped(f"{one.probe}: {one.reason}: {one.detail}") for one in failures]
    message = cause(failures[0]) if failures else "the scan was not successful"
    return "error", failures[0].reason if failures else "internal", message, "\n".join(lines) or message


def _suite(report: Report, place: int) -> tuple[str, _Suite, float]:
    target, result = report.target, report.result
    suite = _Suite(target.name if report.address is None else f"{target.name} ({report.address})")
    suite.add(_SCAN, _SCAN, result.duration_seconds, _scan_outcome(report))
    for finding in report.findings:
        # Without the server, everything is unknown for the reason that the scan has, except for what DNS says.
        if is_reached(report) or finding.verdict is Verdict.FAIL:
            suite.add(finding.policy, titled(finding, report.findings), 0, _outcome(finding))
    text = suite.text(
        list(_properties(report)),
        id=place,
        hostname=target.host,
        timestamp=f"{result.started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        time=f"{result.duration_seconds:.3f}",
    )
    return text, suite, result.duration_seconds


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    target, grade = report.target, report.facts.get(Grade)
    yield "target", target.name
    if report.address is not None:
        yield "address", report.address
    yield from (("port", str(target.port)), ("protocol", target.protocol))
    yield from ((f"label.{name}", value) for name, value in target.labels.items())
    if grade is not None and grade.letter is not None:
        yield "grade", grade.letter
    for policy in report.policies:
        met = report.compliant_with(policy)
        yield f"policy.{policy}", "unknown" if met is None else "met" if met else "not met"


def _not_scanned(target: Target, place: int) -> tuple[str, _Suite, float]:
    suite = _Suite(target.name)
    message = "not scanned: the run ended before, or the target is new"
    suite.add(_SCAN, _SCAN, 0, ("skipped", "not_scanned", message, message))
    return suite.text([("target", target.name)], id=place, hostname=target.host, time="0.000"), suite, 0


def _render(reports: ReportSet) -> str:
    every = [report for of_target in reports.reports for report in of_target]
    suites = [_suite(report, place) for place, report in enumerate(every)]
    suites += [_not_scanned(target, place) for place, target in enumerate(reports.not_scanned, len(every))]
    counts = {
        name: sum(suite.counts[name] for _, suite, _ in suites) for name in ("tests", "failures", "errors", "skipped")
    }
    head = _attributes(name="tls-posture-exporter", **counts, time=f"{sum(took for _, _, took in suites):.3f}")
    body = "".join(text for text, _, _ in suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites{head}>\n{body}</testsuites>\n'


FORMAT = Format("junit", "application/xml", "xml", _render)

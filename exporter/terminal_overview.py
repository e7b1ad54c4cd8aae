"""Several targets for people, with rich: the result, a line for each target, then what fails."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.grade import Grade
from exporter.model import Finding, Report, Severity, Target, Verdict
from exporter.ranking import (
    FAILING,
    Condition,
    causes,
    condition,
    conditions,
    failed_checks,
    is_reached,
)
from exporter.terminal import Trimmed, print_addresses, print_explanations, print_reports, verdict_of
from exporter.text import escaped

_LONG = 30
"""Lines, after which the result is repeated at the end: more than the smallest terminals have."""
_SHOWN_NAMES = 5
"""Names that are listed of targets with the same failures, or without a scan; JSON and the like have them all."""
_SHOWN_CHECKS = 3
_SHOWN_SEVERITIES = 2
"""The worst two have to do in the list; the details show all."""
_STYLES: Mapping[str, str] = MappingProxyType(
    {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", "unknown": "yellow", "failed": "yellow"}
)
_BESIDES_NAMES, _LEAST_NAME, _MOST_NAME = 48, 20, 64
"""Columns for verdict, grade and the usual reasons, so that one target is one line; and the limits of its name."""


def print_overview(
    console: Console,
    targets: Sequence[Sequence[Report]],
    not_scanned: Sequence[Target] = (),
    *,
    explain: bool = False,
    verbose: bool = False,
) -> None:
    """The result in one line; then the targets, which are ranked, and details of those that do not comply.

    A single target is shown with all checks. With `verbose`, so is each of several. With `explain`, each check that
    does not pass is explained.
    """
    if len(targets) == 1 and not not_scanned:
        _print_one(console, targets[0], explain=explain)
        _print_more(console, targets, explain=explain)
        return
    first_line = result_line(targets, not_scanned)
    with console.capture() as capture:
        print_list(console, targets, first_line)
        if not_scanned:
            console.print(Trimmed(Text(f"not scanned: {_listed([target.name for target in not_scanned])}")))
        console.print()
        if verbose:
            print_reports(console, [report for of_target in targets for report in of_target], explain=explain)
        else:
            _print_details(console, targets, explain=explain)
        _print_more(console, targets, explain=explain)
    text = capture.get().rstrip("\n") + "\n"
    console.file.write(text)
    if text.count("\n") > _LONG:
        console.print(Text(f"\n{first_line}", "bold"), soft_wrap=True)


def _print_more(console: Console, targets: Sequence[Sequence[Report]], *, explain: bool) -> None:
    """What explains the checks themselves, if one of them was explained."""
    findings = (finding for of_target in targets for report in of_target for finding in report.findings)
    if explain and any(map(_is_open, findings)):
        more = "tls-posture-exporter explain CHECK says why a check matters, and which policies ask for it."
        console.print(Trimmed(Text(more)))


def print_list(console: Console, targets: Sequence[Sequence[Report]], first_line: str = "") -> None:
    """The result in one line, `first_line` if there is one, and a line for each of the targets, which are ranked."""
    console.print(Text(f"{first_line or result_line(targets)}\n", "bold"), soft_wrap=True)  # one line, however wide
    if targets:
        console.print(Trimmed(_list(targets, console.width)))


def _print_one(console: Console, reports: Sequence[Report], *, explain: bool) -> None:
    if len(reports) > 1:
        found = condition(reports)
        number = sum(_shares(found, condition([report])) for report in reports)
        name = (escaped(reports[0].target.name), "bold")
        line = Text.assemble(name, "  ", verdict_of(found), f"  at {number} of {len(reports)} addresses\n")
        console.print(line, soft_wrap=True)
    print_reports(console, reports, explain=explain)


def _shares(of_target: Condition, of_address: Condition) -> bool:
    """Whether the address is a reason for the condition of its target."""
    if of_target is Condition.UNKNOWN:
        return of_address in {Condition.UNKNOWN, Condition.UNREACHABLE}
    return of_address in FAILING if of_target in FAILING else of_address is of_target


def result_line(targets: Sequence[Sequence[Report]], not_scanned: Sequence[Target] = ()) -> str:
    """How many targets have each condition: "50 targets: 12 do not comply, 3 unreachable, 35 comply."."""
    counts = conditions(targets)
    failing = sum(counts[one] for one in FAILING)
    total = len(targets) + len(not_scanned)
    parts = [
        (failing, "does not comply" if failing == 1 else "do not comply"),
        (counts[Condition.UNREACHABLE], "unreachable"),
        (counts[Condition.UNKNOWN], "unknown"),
        (counts[Condition.ACCEPTED], "with accepted failures only"),
        (len(not_scanned), "not scanned"),
        (counts[Condition.COMPLIES], "complies" if counts[Condition.COMPLIES] == 1 else "comply"),
    ]
    said = ", ".join(f"{number} {words}" for number, words in parts if number)
    return f"{total} {'target' if total == 1 else 'targets'}: {said}." if total else "No targets."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return escaped(", ".join(names[:_SHOWN_NAMES])) + more


def _list(targets: Sequence[Sequence[Report]], width: int) -> Table:
    """One line a target: name, verdict, grade, and the reason in short."""
    table = Table.grid(padding=(0, 2, 0, 0))
    longest = max(cell_len(escaped(reports[0].target.name)) for reports in targets)
    table.add_column(overflow="fold", width=min(longest, max(width - _BESIDES_NAMES, _LEAST_NAME), _MOST_NAME))
    graded = any(map(_grades, targets))
    for _ in range(3 if graded else 2):
        table.add_column(overflow="fold")
    for reports in targets:
        name, verdict = Text(escaped(reports[0].target.name)), verdict_of(condition(reports))
        table.add_row(name, verdict, *([_grades(reports)] if graded else []), Text(escaped(_why(reports))))
    return table


def _grades(reports: Sequence[Report]) -> Text:
    """The grade at each address, each once; a target that is not reached has none."""
    grades = [grade.letter for report in reports if (grade := report.facts.get(Grade)) is not None]
    return Text("/".join(dict.fromkeys(str(letter or "?") for letter in grades)))


def _why(reports: Sequence[Report]) -> str:
    """What does not pass, in short."""
    found = condition(reports)
    if found is Condition.UNREACHABLE:
        return "; ".join(causes(reports))
    accepted = {finding.check for report in reports for finding in report.findings if finding.accepted}
    failed = [_number(len(checks), severity) for severity, checks in failed_checks(reports).items()]
    parts = failed[:_SHOWN_SEVERITIES]
    parts += [f"{len(accepted)} accepted"] if accepted else []
    if found is Condition.UNKNOWN:
        checks = dict.fromkeys(one.check for report in reports for one in report.findings if _is_unknown(one))
        more = f" and {len(checks) - _SHOWN_CHECKS} more" if len(checks) > _SHOWN_CHECKS else ""
        parts.append(f"not known: {', '.join([*checks][:_SHOWN_CHECKS])}{more}" if checks else "no check applies")
    for one in reports:
        if not is_reached(one):
            at = "" if one.address is None else f" at {one.address}"
            parts.append(f"not reached{at}: {'; '.join(causes([one]))}")
    if found in {Condition.COMPLIES, Condition.ACCEPTED} and not all(one.result.success for one in reports):
        parts.append("not everything was scanned")
    return ", ".join(parts)


def _number(failed: int, severity: Severity) -> str:
    return f"{failed} warnings" if severity is Severity.WARNING and failed > 1 else f"{failed} {severity}"


def _is_unknown(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNKNOWN


def _print_details(console: Console, targets: Sequence[Sequence[Report]], *, explain: bool) -> None:
    """What does not pass at each address. Targets of which the same is said are named together."""
    alike: dict[str, list[Report]] = {}
    for report in (report for of_target in targets for report in of_target):
        found = condition([report])
        if found in FAILING or (is_reached(report) and (found is not Condition.COMPLIES or not report.result.success)):
            alike.setdefault(_key(report, explain=explain), []).append(report)
    for reports in alike.values():
        labels = [" ".join(filter(None, (report.target.name, report.address))) for report in reports]
        several = f"  ({len(labels)} with the same findings)" if len(labels) > 1 else ""
        console.print(Trimmed(Text.assemble((_listed(labels), "bold"), (several, "dim"))))
        console.print(Trimmed(_details(reports[0])))
        console.print()
        if explain:
            print_explanations(console, reports[0].findings)
    for of_target in targets:
        print_addresses(console, of_target, of_target[0].target.name)


def _key(report: Report, *, explain: bool) -> str:
    """The same text for reports of which the same is shown."""
    rows = [*_rows(report), *(("", "", f"{finding!r}") for finding in report.findings if explain and _is_open(finding))]
    return repr(rows)


def _is_open(finding: Finding) -> bool:
    return finding.verdict in {Verdict.FAIL, Verdict.UNKNOWN}


def _details(report: Report) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    for mark, check, why in _rows(report):
        table.add_row(Text(f"  {mark}", _STYLES.get(mark, "dim")), Text(check), Text(escaped(why)))
    return table


def _rows(report: Report) -> Iterator[tuple[str, str, str]]:
    """Mark, check and reason: failures by severity, those that are accepted, what is unknown, probes that failed."""
    severities = tuple(Severity)
    failed = [one for one in report.findings if one.is_open]
    for finding in sorted(failed, key=lambda one: severities.index(one.severity)):
        yield finding.severity, _check(finding, report), finding.summary
    for finding in report.findings:
        if finding.accepted is not None:
            by = f"accepted by {finding.accepted.accepted_by} until {finding.accepted.until}: {finding.accepted.reason}"
            yield "accepted", _check(finding, report), f"{finding.summary} ({by})"
    unknown = list(filter(_is_unknown, report.findings))
    if failed and unknown:
        yield "unknown", "", ", ".join(dict.fromkeys(finding.check for finding in unknown))
    else:
        yield from (("unknown", _check(finding, report), finding.summary) for finding in unknown)
    yield from (("failed", f"({one.probe})", f"{one.reason}: {one.detail}") for one in report.result.failures)


def _check(finding: Finding, report: Report) -> str:
    return f"{finding.policy} {finding.check}" if len(report.policies) > 1 else finding.check

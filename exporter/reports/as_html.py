"""`html`: one file that loads nothing, for a browser, a mail or a printer."""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup

import exporter.html
from exporter.grade import Grade, Letter
from exporter.html import ASSETS, render
from exporter.html.target import view_of_reports
from exporter.model import Finding, Report, Verdict
from exporter.ranking import FAILING, Condition
from exporter.reports.base import Format, ReportSet
from exporter.reports.known import known
from exporter.reports.overview import WORDS, ReportSummary, overview, titled
from exporter.text import escaped

MOST_COMPLETE = 10
"""Targets that are shown with everything that their pages show, up to ten printed pages each. A report of more targets
has one page or two of each."""
MOST_ITEMS = 40
"""Of one list that are shown; reports in JSON have all."""
_NAMED_SECTION = re.compile('(?<=<section)([^<>"]*(?:"[^"]*"[^<>"]*)*?) aria-labelledby="[^"]*"')
_LANDMARKS = (
    (' role="region"', ' role="group"'),
    ("<nav ", '<div role="group" class="sections" '),
    ("</nav>", "</div>"),
)
_ASSETS = Path(exporter.html.__file__).parent / "assets"
_MARKS: Mapping[Condition, str] = {
    **dict.fromkeys(FAILING, "fail"),
    Condition.UNKNOWN: "unknown",
    Condition.UNREACHABLE: "unknown",
    Condition.ACCEPTED: "accepted",
    Condition.COMPLIES: "pass",
}
_WORST_FIRST = {verdict: place for place, verdict in enumerate((Verdict.FAIL, Verdict.UNKNOWN))}


@cache
def _inlined() -> tuple[str, str, str]:
    """Style, script, and the policy of content that allows nothing else."""
    style = ASSETS["page.css"].content + (_ASSETS / "report.css").read_text(encoding="utf-8")
    script = (_ASSETS / "report.js").read_text(encoding="utf-8")
    hashes = [b64encode(sha256(text.encode()).digest()).decode() for text in (style, script)]
    policy = (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return style, script, policy


def _title(seen: ReportSummary) -> str:
    failing, several = sum(seen.counts.get(one, 0) for one in FAILING), len(seen.lines)
    targets = f"{several} target{'' if several == 1 else 's'}"
    if failing:
        return f"{failing} of {targets} fail{'s' if failing == 1 else ''}"
    if several and seen.counts.get(Condition.COMPLIES) == several:
        return f"{targets} pass{'es' if several == 1 else ''}"
    return f"no known failure of {targets}, but not all pass" if several else "no results"


def _grades(seen: ReportSummary) -> list[tuple[Letter | None, int]]:
    counted = Counter(line.grade for line in seen.lines)
    return [(letter, counted[letter]) for letter in (*Letter, None) if counted[letter]]


def _shown(report: Report) -> list[Finding]:
    """What does not pass; failures first, and the worst of them."""
    severities = list(type(report.findings[0].severity)) if report.findings else []
    found = [one for one in report.findings if one.verdict in _WORST_FIRST]
    return sorted(
        found,
        key=lambda one: (_WORST_FIRST[one.verdict], one.accepted is not None, severities.index(one.severity)),
    )


def _without_landmarks(section: Markup) -> Markup:
    """The section of a target with parts that are no landmarks: of many targets, they would have the same names.

    Text of others cannot have what is replaced: its quotation marks are escaped.
    """
    text = str(section)
    for landmark, other in _LANDMARKS:
        text = text.replace(landmark, other)
    return Markup(_NAMED_SECTION.sub(r"\1", text))  # noqa: S704 - made of a template


def _lined(lines: Sequence[str]) -> str:
    return Markup("\n").join(map(escaped, lines))


def _render(reports: ReportSet) -> str:
    style, script, policy = _inlined()
    seen = overview(reports)
    text = render(
        "report/report.html",
        {
            "style": Markup(style),  # noqa: S704 - our own files
            "script": Markup(script),  # noqa: S704 - the same
            "policy": policy,
            "title": _title(seen),
            "seen": seen,
            "made_at": reports.made_at,
            "policies": [reports.policies[name] for name in sorted(reports.policies)],
            "not_scanned": reports.not_scanned,
            "grades": _grades(seen),
            "words": WORDS,
            "marks": _MARKS,
            "complete": len(seen.lines) <= MOST_COMPLETE,
            "viewed": lambda of_target: view_of_reports(of_target, reports.policies, reports.made_at),
            "most_items": MOST_ITEMS,
            "known": known,
            "shown": _shown,
            "graded": lambda report: report.facts.get(Grade),
            "titled": titled,
            "lined": _lined,
            "without_landmarks": _without_landmarks,
        },
    )
    return f"{text}\n"


FORMAT = Format("html", "text/html; charset=utf-8", "html", _render)

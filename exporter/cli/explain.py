"""`explain`: what a check, an alert or a policy is, for people."""

import argparse
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from exporter.case import Case
from exporter.checks.registry import CHECKS
from exporter.cli import exits
from exporter.cli.pages import PROSE_WIDTH, page_console, show
from exporter.cli.policies import named_policy
from exporter.config.sections import GlobalSettings
from exporter.config.values import is_policy_path
from exporter.errors import ExporterError
from exporter.judging.check import Check, Demand, failed
from exporter.manual import AlertPage, alerts
from exporter.model import Facts, Target
from exporter.moments import Now
from exporter.nearest import nearest
from exporter.policies import Policy, load_policy, shipped
from exporter.quoting import quoted
from exporter.text import escaped

_ANY_TARGET = Target("www.example.com:443", "www.example.com", 443, (), server_name="www.example.com")
_PASSED = "tls_posture_check_passed"
_DEFAULT_POLICY = str(GlobalSettings.model_fields["policy"].default)


def run(options: argparse.Namespace) -> int:
    """Print the explanation; returns the exit code."""
    explanation, console = _explanation(options.name), page_console()
    show(explanation, page_console(min(console.width, PROSE_WIDTH)))
    return exits.OK


def names() -> list[str]:
    """All that can be explained, without policy files."""
    return [*(check.name for check in CHECKS), *alerts(), *shipped()]


def _explanation(name: str) -> RenderableType:
    """What is known of the name.

    Raises:
        ExporterError: nothing has this name.
    """
    for check in CHECKS:
        if check.name == name:
            return _of_check(check)
    if alert := alerts().get(name) or alerts().get(f"TLSPosture{name}"):
        return _of_alert(alert)
    if name in shipped() or is_policy_path(name):
        return _of_policy(named_policy(name))
    near = nearest(name, names()) or nearest(f"TLSPosture{name}", alerts())
    hint = f"did you mean {near}?" if near else "`tls-posture-exporter explain --help` says what can be explained"
    raise ExporterError(f"{quoted(name)} is neither a check, an alert nor a policy; {hint}")


def _of_check(check: Check[Demand]) -> RenderableType:
    policies = sorted(map(load_policy, shipped()), key=lambda policy: policy.name != _DEFAULT_POLICY)
    demands = [(policy, demand) for policy in policies for demand in policy.demands.get(check.name, ())]
    asked = [_demand(policy.name, check, demand) for policy, demand in demands]
    fires = [_entry(alert.name, alert.summary) for alert in alerts().values() if check.name in alert.checks]
    metrics = [f'{_PASSED}{{check="{check.name}"}}', *(family.name for family in check.families)]
    return Group(
        _title(check.name, "check"),
        _paragraph(summary(check)),
        _paragraph(check.why),
        _section("What policies ask", *asked or [_entry("No policy that comes with the program asks for it.")]),
        _section("How to meet it", *_advice(check, demands)),
        _section("Metrics", *map(_entry, metrics)),
        *([_section("Alerts about the same", *fires)] if fires else []),
        _handbook(f"checks/{check.name}"),
    )


def summary(check: Check[Demand]) -> str:
    """The first sentence of its module, without its name."""
    module = import_module(check.demand.__module__)
    text = re.sub(r"^Check `\w+`: ", "", " ".join(str(module.__doc__).split("\n\n")[0].split()))
    return text[0].upper() + text[1:].replace("`", "")


def _demand(title: str, check: Check[Demand], demand: Demand) -> RenderableType:
    days = f" ({demand.days.strip()})" if demand.days else ""
    return _entry(f"{title} ({demand.severity})", f"{check.asks(demand)}{days}", f"source: {demand.source}")


def _advice(check: Check[Demand], demands: Sequence[tuple[Policy, Demand]]) -> Iterator[RenderableType]:
    """Lines for servers where they do not depend on what a server accepts; how to get others."""
    for policy, demand in demands[:1]:
        case = Case(_ANY_TARGET, Facts(), Now(datetime.now(UTC)))
        for remedy in check.advise(case, demand, failed("")):
            if remedy.lines:
                yield _entry(f"{remedy.server}, as {policy.name} asks", *remedy.lines)
    yield _entry("For lines that fit what your server accepts now", "tls-posture-exporter scan HOST --explain")


def _of_alert(alert: AlertPage) -> RenderableType:
    facts = [f"Severity: {', '.join(alert.severities)}. Fires after {alert.held_for}."]
    facts += [f"Check of policies: {', '.join(alert.checks)}."] if alert.checks else []
    page = re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", alert.page)  # links to pages that are not here
    page = re.sub(r"^```\w+$", "```text", page, flags=re.MULTILINE)  # in one colour
    return Group(
        _title(alert.name, "alert"),
        *map(_paragraph, (alert.summary, *facts)),
        Markdown(page, code_theme="ansi_dark"),
        Text(),
        _handbook(f"runbooks/{alert.name}"),
    )


def _of_policy(policy: Policy) -> RenderableType:
    published = f", published {policy.published.isoformat()}" if policy.published else ""
    where = f" ({policy.source_url})" if policy.source_url else ""
    parts = [
        _title(policy.name, "policy"),
        _paragraph(f"{policy.title}, version {policy.version}{published}."),
        _paragraph(f"Source: {policy.source}{where}."),
    ]
    if policy.extends:
        parts.append(_paragraph(f"It extends {policy.extends}."))
    if policy.description:
        parts.append(_paragraph(" ".join(policy.description.split())))
    asked = [_demand(check.name, check, one) for check in CHECKS for one in policy.demands.get(check.name, ())]
    parts.append(_section("What it asks", *asked))
    if policy.not_expressed:
        left_out = [_entry(one.rule, one.why, f"source: {one.section}") for one in policy.not_expressed]
        parts.append(_section("What is not judged", *left_out))
    if policy.name in shipped():
        parts.append(_handbook(f"policies/{policy.name}"))
    return Group(*parts)


def _title(name: str, kind: str) -> RenderableType:
    return Text.assemble((escaped(name), "bold"), f" ({kind})", "\n")


def _handbook(page: str) -> RenderableType:
    """Where the handbook has the same with links. Only its operator knows its URL."""
    return _section("In the handbook", _entry(f"{page}.html"))


def _paragraph(text: str) -> RenderableType:
    return Text(f"{escaped(text)}\n")


def _section(title: str, *entries: RenderableType) -> RenderableType:
    return Group(Text(title, "bold"), *entries, Text())


def _entry(first: str, *more: str) -> RenderableType:
    """A line, and lines about it, which are indented more."""
    lines = [Padding(Text(escaped(line)), (0, 0, 0, 6), expand=False) for line in more]
    return Group(Padding(Text(escaped(first)), (0, 0, 0, 2), expand=False), *lines)

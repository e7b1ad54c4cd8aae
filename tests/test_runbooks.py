"""Every alert has its page and its line in the index, and the queries in the pages are valid."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.checks.registry import CHECKS
from exporter.metrics import FAMILIES, OwnMetrics
from exporter.metrics.own import OWN_FAMILIES
from tests.support.prometheus import read

ROOT = Path(__file__).parent.parent
PAGES = {file.stem: file.read_text(encoding="utf-8") for file in sorted((ROOT / "docs" / "runbooks").glob("*.md"))}
INDEX = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
GROUPS = yaml.load((ROOT / "prometheus" / "tls-posture.rules.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)[
    "groups"
]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
NAMES = list(dict.fromkeys(rule["alert"] for rule in RULES if "alert" in rule))

each_page = pytest.mark.parametrize("name", PAGES)


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert PAGES.keys() == set(NAMES)


def rows() -> Iterator[str]:
    """The index as it has to be: one row an alert, in the order of the rules."""
    for name in NAMES:
        rules = [rule for rule in RULES if rule.get("alert") == name]
        severities = [
            "by policy" if "$" in rule["labels"]["severity"] else rule["labels"]["severity"] for rule in rules
        ]
        summary = rules[0]["annotations"]["summary"]
        yield f"| [{name}](runbooks/{name}.md) | {', '.join(severities)} | {rules[0]['for']} | {summary} |"


def test_the_index_has_every_alert() -> None:
    assert [line for line in INDEX.splitlines() if line.startswith("| [")] == list(rows())


@each_page
def test_a_page_has_all_its_parts(name: str) -> None:
    parts = ["What it means", "Impact", "How to look", "What to do", "False alarms"]

    assert PAGES[name].startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", PAGES[name], flags=re.MULTILINE) == parts
    assert all(text.strip() for text in re.split(r"^#+ .+$", PAGES[name], flags=re.MULTILINE)[2:])


@each_page
def test_queries_of_a_page_ask_for_what_there_is(name: str) -> None:
    own = {sample.name for family in OwnMetrics().registry.collect() for sample in family.samples}
    own |= {family.name for family in OWN_FAMILIES}  # also those that are absent at first
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    known = {family.name for family in FAMILIES} | own | recorded | {"up"}
    (block,) = re.findall(r"```promql\n(.*?)```", PAGES[name], flags=re.DOTALL)

    for query in block.splitlines():
        assert {selector.name for selector in read(query).selectors} <= known, query


@each_page
def test_pages_lead_to_pages_and_checks_that_there_are(name: str) -> None:
    assert set(re.findall(r"\]\((\w+)\.md\)", PAGES[name])) <= PAGES.keys()
    assert set(re.findall(r"check\s+`(\w+)`", PAGES[name])) <= {check.name for check in CHECKS}

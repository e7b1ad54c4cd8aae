"""The pages of the policies, and the descriptions in each shipped policy."""

import runpy
from datetime import date
from pathlib import Path

import pytest

from exporter.checks.registry import CHECKS
from exporter.policies import load_policy, shipped

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "policies"
POLICIES = {
    "bcp195": date(2022, 11, 30),
    "bsi-tr-02102-2": date(2026, 1, 27),
    "mozilla-intermediate": date(2026, 4, 6),
    "mozilla-modern": date(2026, 4, 6),
    "mozilla-old": date(2026, 4, 6),
    "ncsc-nl-2025": date(2025, 6, 1),
    "nist-800-52r2": date(2019, 8, 29),
    "pci-dss-4": date(2024, 6, 11),
}
"""Those of others, with the day of their source."""


def test_the_pages_are_those_that_the_generator_writes() -> None:
    written = runpy.run_path(str(ROOT / "tools" / "policy_pages.py"))["pages"]()
    assert {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()} == written


def test_the_shipped_policies_are_these() -> None:
    assert set(shipped()) == {*POLICIES, "kopano-checklist"}


@pytest.mark.parametrize("name", POLICIES)
def test_a_shipped_policy_says_what_it_is_taken_from(name: str) -> None:
    policy = load_policy(name)
    assert policy.name == name
    assert policy.published == POLICIES[name]
    assert policy.source_url is not None
    assert policy.description
    assert policy.not_expressed


@pytest.mark.parametrize("name", POLICIES)
def test_a_page_has_each_rule_with_its_section_and_each_that_is_not_judged(name: str) -> None:
    policy, page = load_policy(name), (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for check in CHECKS:
        for demand in policy.demands.get(check.name, ()):
            row = next(row for row in rows if f"`{check.name}`" in row and f"| {demand.severity} |" in row)
            assert check.asks(demand) in row
            assert demand.source in row
    for one in policy.not_expressed:
        row = next(row for row in rows if row.startswith(f"| {one.rule} |"))
        assert row == f"| {one.rule} | {one.section} | {one.why} |"

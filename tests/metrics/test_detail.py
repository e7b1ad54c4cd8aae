"""What is shown by default is asked for: a series that nobody queries costs each target a place in Prometheus."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.metrics import FAMILIES, FULL_DETAIL, report_samples
from exporter.metrics.families import ADDRESSES
from exporter.model import Family
from tests.support.facts import KOPANO, report

ROOT = Path(__file__).parents[2]
QUERIES = "\n".join(
    file.read_text()
    for file in (*sorted((ROOT / "grafana").glob("*.json")), ROOT / "prometheus" / "tls-posture.rules.yaml")
)
ONLY_WITH_ALL_ADDRESSES = ADDRESSES
DEFAULT = [family for family in FAMILIES if family not in FULL_DETAIL | {ONLY_WITH_ALL_ADDRESSES}]


@pytest.mark.parametrize("family", DEFAULT, ids=lambda family: family.name)
def test_an_alert_or_a_dashboard_asks_for_each_family_of_the_default_detail(family: Family) -> None:
    assert re.search(rf"\b{family.name}\b", QUERIES)


def test_a_healthy_target_has_74_series() -> None:
    """Under the checklist, with all its probes. The limit of what is added; docs/decisions/metrics-rendering.md."""
    probes = dict.fromkeys(("handshake", "certificate", "http", "dns", "vulnerabilities"), True)
    one = report()
    healthy = replace(one, result=replace(one.result, probes=probes))
    shown = [sample for sample in report_samples(healthy, [KOPANO]) if sample.family not in FULL_DETAIL]
    assert len(shown) == 74

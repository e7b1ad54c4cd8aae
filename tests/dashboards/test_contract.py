"""The dashboards only use metrics and labels that the exporter exposes."""

from collections.abc import Mapping

from exporter.metrics import FAMILIES, OwnMetrics
from exporter.metrics.own import OWN_FAMILIES
from exporter.policies import load_policy
from tests.support.dashboards import SCRAPE_LABELS, Dashboard, each_dashboard, exprs, made, substituted
from tests.support.prometheus import read
from tests.test_metrics import CONTRACT, OWN_CONTRACT
from tools.dashboards.target import CHECKLIST, STEPS

OF_TARGETS = {"target", "address"}
BY_PROMETHEUS = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}
PROCESS = {
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
}

LABELS: Mapping[str, set[str]] = {
    **{name: OF_TARGETS | labels for name, labels in CONTRACT.items()},
    **OWN_CONTRACT,
    **{f"{name}{end}": labels for name, labels in OWN_CONTRACT.items() for end in ("_total", "_sum", "_count")},
    **{name: set() for name in BY_PROMETHEUS | PROCESS},
}


@each_dashboard
def test_metrics_exist(dashboard: Dashboard) -> None:
    own = {sample.name for family in OwnMetrics().registry.collect() for sample in family.samples}
    own |= {family.name for family in OWN_FAMILIES}  # also those that are absent at first
    known = {family.name for family in FAMILIES} | own | BY_PROMETHEUS

    used = {selector.name for expr in exprs(dashboard) for selector in read(substituted(expr)).selectors}

    assert used <= known
    assert own >= PROCESS


@each_dashboard
def test_labels_exist(dashboard: Dashboard) -> None:
    for expr in exprs(dashboard):
        selectors, grouped = read(substituted(expr))
        here = SCRAPE_LABELS | made(expr)
        for selector in selectors:
            known = LABELS[selector.name] | SCRAPE_LABELS | {substituted("$group")}  # a label of the operator
            here |= known
            assert {matcher.name for matcher in selector.matchers.matchers} <= known, expr
        assert grouped <= here, expr


@each_dashboard
def test_no_zero_out_of_nothing(dashboard: Dashboard) -> None:
    """An exporter that is gone must not look like a fleet without findings."""
    assert not [expr for expr in exprs(dashboard) if "vector(" in expr or "absent(" in expr]


def test_the_five_steps_are_the_checks_of_their_policy() -> None:
    assert {check for checks in STEPS.values() for check in checks} == set(load_policy(CHECKLIST).demands)

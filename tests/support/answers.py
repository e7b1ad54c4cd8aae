"""Results of the dashboards' queries for samples that a test lists, of one exporter and its targets."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.support.dashboards import expression, substituted
from tests.support.promtool import DAY, Expected, evaluate

NOW = DAY + 12
"""Number of the current sample. It is large enough that the samples begin before the moment a day ago."""
SAMPLES = NOW + 1

FLEET, TARGET, AUDIT, EXPORTER = "fleet.json", "target.json", "audit.json", "exporter.json"

Query = tuple[str, str] | tuple[str, str, str]
Series = Mapping[str, str]
"""Metric with labels, of one exporter -> values in promtool's notation; a single value holds at all times."""
Answer = Mapping[str, float]
"""Labels in addition to those of the exporter -> value. A result without labels has the key `NO_LABELS`."""
NO_LABELS = "{}"


def of_exporter(labels: str) -> str:
    """The labels, and those that a scrape adds."""
    return "{" + ", ".join(part for part in ('instance="e:9"', 'job="tls"', labels.strip("{}")) if part) + "}"


def written_out(series: Series) -> dict[str, str]:
    """The series in the format of promtool."""
    out = {}
    for name, values in series.items():
        metric, _, labels = name.partition("{")
        family = metric if metric.startswith(("up", "process_")) else f"tls_posture_{metric}"
        always = re.fullmatch(r"[-\d.]+", values)
        out[family + of_exporter(labels)] = f"{values}x{SAMPLES}" if always else values
    return out


def wrong(folder: Path, series: Series, answers: Mapping[Query, Answer]) -> str:
    """The queries whose result is not as expected now."""
    expected = [
        Expected(
            substituted(expression(*query), target="a"),
            NOW,
            {labels if labels == NO_LABELS else of_exporter(labels): float(value) for labels, value in answer.items()},
        )
        for query, answer in answers.items()
    ]
    return evaluate(folder, written_out(series), expected)


def info(target: str = "a", *, policy: str = "p", host: str = "a.example", protocol: str = "https") -> str:
    """A target."""
    return f'target_info{{target="{target}", host="{host}", protocol="{protocol}", policy="{policy}"}}'


def compliant(policy: str = "p", target: str = "a") -> str:
    """A verdict of one policy."""
    return f'compliant{{target="{target}", policy="{policy}"}}'


def passed(check: str, policy: str = "p", *, target: str = "a", severity: str = "warning") -> str:
    """A verdict of one check."""
    return f'check_passed{{target="{target}", policy="{policy}", check="{check}", severity="{severity}"}}'


def unknown(check: str, policy: str = "p", *, target: str = "a", severity: str = "warning") -> str:
    """A check without a result."""
    return f'check_unknown{{target="{target}", policy="{policy}", check="{check}", severity="{severity}"}}'


A = '{target="a"}'
"""Labels of results about the target with this name."""
BUILD = 'exporter_build_info{version="1"}'

"""PromQL on samples that a test writes down, evaluated by Prometheus' own `promtool test rules`."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import find_program

INTERVAL_MINUTES = 5
"""Between the samples of a series: as far as Prometheus looks back, so that one that is left out is missed."""

DAY = 24 * 60 // INTERVAL_MINUTES
"""Samples of a day."""


@dataclass(frozen=True)
class Expected:
    """What an expression is to give.

    Attributes:
        at: number of the sample in time at which it is asked for, from 0.
        samples: labels, as they stand in PromQL, -> value.
    """

    expr: str
    at: int
    samples: Mapping[str, float]


def evaluate(folder: Path, series: Mapping[str, str], expectations: Sequence[Expected]) -> str:
    """What promtool finds wrong; empty where everything is as expected.

    Args:
        folder: for promtool's file.
        series: selector with braces -> values in promtool's notation.
        expectations: of expressions on these series.
    """
    document = {
        "rule_files": [],
        "evaluation_interval": f"{INTERVAL_MINUTES}m",
        "tests": [
            {
                "interval": f"{INTERVAL_MINUTES}m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": one.expr,
                        "eval_time": f"{one.at * INTERVAL_MINUTES}m",
                        "exp_samples": [{"labels": labels, "value": value} for labels, value in one.samples.items()],
                    }
                    for one in expectations
                ],
            }
        ],
    }
    file = folder / "test.json"  # JSON is YAML
    file.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [find_program("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr

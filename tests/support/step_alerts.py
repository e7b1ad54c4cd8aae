"""Which alerts of the shipped rules fire over scrapes of a daemon whose clock was set: by promtool, in its own time.

promtool's time begins in 1970 and has a scrape each minute. The scrapes are put there one after the other, and the
times in them are moved by as much. So the true distance between the clock of Prometheus and that of the daemon stays.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import find_program

RULES = Path(__file__).parent.parent.parent / "prometheus" / "tls-posture.rules.yaml"
_MOVING = (
    "tls_posture_last_scan_timestamp_seconds",
    "tls_posture_exporter_clock_timestamp_seconds",
    "tls_posture_exporter_oldest_fact_timestamp_seconds",
    "tls_posture_exporter_next_due_timestamp_seconds",
)
"""Times that go on while a daemon runs; others, such as the end of a certificate, stay."""


@dataclass(frozen=True)
class Scrape:
    """One answer of `/metrics`.

    Attributes:
        at: when it was scraped, by the clock of Prometheus, in seconds since 1970.
        values: series -> value.
        minutes: how long the daemon goes on like this.
    """

    at: float
    values: Mapping[str, float]
    minutes: int = 1

    @classmethod
    def of(cls, page: str, at: float) -> "Scrape":
        return cls(at, dict(_samples(page)))

    def lasting(self, minutes: int, ahead_seconds: float = 0) -> "Scrape":
        """The same for this long, by a clock of Prometheus that is ahead by this."""
        return replace(self, minutes=minutes, at=self.at + ahead_seconds)

    def says_as(self, other: "Scrape") -> bool:
        """Whether both say the same of the targets."""
        return _of_targets(self) == _of_targets(other)


def _of_targets(scrape: Scrape) -> dict[str, float]:
    return {name: value for name, value in scrape.values.items() if not name.startswith("tls_posture_exporter_")}


def _samples(page: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(page):
        for one in family.samples:
            if one.name.startswith("tls_posture_"):
                labels = ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(one.labels.items()))
                yield f"{one.name}{{{labels}}}", one.value


def firing(folder: Path, histories: Mapping[str, Sequence[Scrape]]) -> dict[str, set[str]]:
    """The alerts that fire at any time of each history, each of which is some hours long at most."""
    file = folder / "alerts.json"  # JSON is YAML
    tests = [_test(name, scrapes) for name, scrapes in histories.items()]
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    command = [find_program("promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    found = re.findall(r'{alertname=\\*"(\w+)\\*", history=\\*"([^"\\]+)', said)
    assert bool(found) == bool(done.returncode), said
    return {name: {alert for alert, history in found if history == name} for name in histories}


def _test(name: str, scrapes: Sequence[Scrape]) -> dict[str, Any]:
    """No alert is expected: promtool says which there are."""
    minutes = sum(one.minutes for one in scrapes)
    series = sorted({name for one in scrapes for name in one.values})
    shown = [{"series": _as_scraped(one), "values": _values(one, scrapes)} for one in series]
    fired = 'count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[9h]))'
    asked = {"expr": f'label_replace({fired}, "history", "{name}", "", "")', "eval_time": f"{minutes - 1}m"}
    return {
        "interval": "1m",
        "input_series": [*shown, {"series": 'up{job="tls",instance="exporter"}', "values": f"1x{minutes}"}],
        "promql_expr_test": [{**asked, "exp_samples": []}],
    }


def _as_scraped(series: str) -> str:
    return series.replace("{", '{job="tls",instance="exporter",', 1).replace(",}", "}")


def _values(series: str, scrapes: Sequence[Scrape]) -> str:
    """The values of one series, in promtool's notation."""
    moves, is_time = series.startswith(_MOVING), "timestamp_seconds{" in series
    parts, minute = [], 0
    for one in scrapes:
        more = one.minutes - 1
        value = one.values.get(series)
        if value is None:
            parts.append(f"_x{one.minutes}")
        else:
            if moves:
                value += 60 * minute - one.at
            elif is_time:
                value -= scrapes[0].at
            parts.append(f"{value:.3f}" + (f"{'+60' if moves else ''}x{more}" if more else ""))
        minute += one.minutes
    return " ".join(parts)

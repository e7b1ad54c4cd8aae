"""Writes what deploy/ has of other folders, and the version of the exporter: `python tools/write_chart.py`.

Helm reads only files below the folder of a chart, so the chart has copies of the rules and the dashboards.
"""

import json
import re
from pathlib import Path

from exporter import __version__

ROOT = Path(__file__).resolve().parent.parent
CHART = Path("deploy/chart")
RULES = Path("prometheus/tls-posture.rules.yaml")
PLAIN = Path("deploy/kubernetes/exporter.yaml")
COMPOSE = Path("compose.yaml")
PAGE = Path("docs/kubernetes.md")
PLAIN_RULE = Path("deploy/kubernetes/prometheusrule.yaml")

_RULE_HEAD = """# The alerts as an object of the Prometheus Operator: tools/write_chart.py makes it of {rules}.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tls-posture-exporter
  labels:
    app.kubernetes.io/name: tls-posture-exporter
spec:
"""


def compact(dashboard: str) -> str:
    """The dashboard on one line: a release of Helm, and what `kubectl apply` remembers of an object, have limits."""
    return json.dumps(json.loads(dashboard), separators=(",", ":"), ensure_ascii=False) + "\n"


def plain_rule(rules: str) -> str:
    """A PrometheusRule with these rules and their comments."""
    lines = "".join(f"  {line}" if line.strip() else line for line in rules.splitlines(keepends=True))
    return _RULE_HEAD.format(rules=RULES) + lines


def _versions(chart: str) -> str:
    return re.sub(r"^((?:appV|v)ersion:) .*$", rf"\1 {__version__}", chart, flags=re.MULTILINE)


def _tag(manifests: str) -> str:
    return re.sub(
        r"^( +image: (?:\S+/)?tls-posture-exporter:).*$", rf"\g<1>{__version__}", manifests, flags=re.MULTILINE
    )


def written() -> dict[Path, str]:
    """The content of each file, by its path from the root."""

    def text(file: Path) -> str:
        return (ROOT / file).read_text(encoding="utf-8")

    files = {
        CHART / "Chart.yaml": _versions(text(CHART / "Chart.yaml")),
        CHART / "files" / RULES.name: text(RULES),
        PLAIN: _tag(text(PLAIN)),
        COMPOSE: _tag(text(COMPOSE)),
        PAGE: re.sub(r"(example\.com/tls-posture-exporter:)[\w.-]+", rf"\g<1>{__version__}", text(PAGE)),
        PLAIN_RULE: plain_rule(text(RULES)),
    }
    for file in sorted((ROOT / "grafana").glob("*.json")):
        files[CHART / "files" / "dashboards" / file.name] = compact(file.read_text(encoding="utf-8"))
    return files


def main() -> None:
    """Write all of them."""
    for file, text in written().items():
        (ROOT / file).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

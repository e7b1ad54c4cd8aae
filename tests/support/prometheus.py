"""A Prometheus server of our own, and what PromQL expressions ask for."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest

from exporter.demo import alerts
from tests.support.processes import find_program, free_port, running


class Expression(NamedTuple):
    """What an expression asks for: its selectors, and the labels that its operators group and join by."""

    selectors: list[Any]
    grouped: set[str]


def read(expr: str) -> Expression:
    """Take an expression apart."""
    selectors: list[Any] = []
    grouped: set[str] = set()

    def visit(node: Any) -> None:  # noqa: ANN401 - a node of any class of promql_parser
        match type(node).__name__:
            case "VectorSelector":
                selectors.append(node)
            case "MatrixSelector":
                selectors.append(node.vector_selector)
            case "AggregateExpr" if node.modifier:
                grouped.update(node.modifier.labels)
            case "BinaryExpr" if node.modifier and node.modifier.matching:
                grouped.update(node.modifier.matching.labels)

    promql_parser.walk(promql_parser.parse(expr), visit)
    return Expression(selectors, grouped)


class Prometheus:
    """The query interface of a Prometheus server."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, path: str) -> Any:  # noqa: ANN401 - the `data` of any answer
        """What the API has there."""
        with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}", timeout=5) as response:
            return json.load(response)["data"]

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The samples of an instant query, now."""
        result: list[dict[str, Any]] = self.get("query?" + urllib.parse.urlencode({"query": expr}))["result"]
        return result

    def wait_for(self, expr: str) -> None:
        """Return when the expression has samples."""
        for _ in range(300):
            try:
                if self.ask(expr):
                    return
            except urllib.error.URLError:
                pass  # it is still starting
            time.sleep(0.1)
        pytest.fail(f"no samples of {expr}")

    def number(self, expr: str) -> float | None:
        """The value of an expression that gives at most one sample."""
        samples = self.ask(expr)
        return float(samples[0]["value"][1]) if samples else None


def hastened(rules: Path, folder: Path) -> Path:
    """A copy of the file that is hastened as in the demonstration."""
    text = alerts.hastened(rules.read_text(encoding="utf-8"))
    copy = folder / rules.name
    copy.write_text(text, encoding="utf-8")
    return copy


@contextmanager
def scraping(
    folder: Path,
    address: str,
    *,
    rules: Sequence[Path] = (),
    alertmanager: str | None = None,
    client: Mapping[str, Any] | None = None,
) -> Iterator[Prometheus]:
    """A Prometheus server that scrapes this address each second, and goes by these rules as often.

    `client` has more keys of its `scrape_config`.
    """
    jobs = [{"job_name": "tls-posture", "static_configs": [{"targets": [address]}], **(client or {})}]
    settings: Mapping[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": jobs,
    }
    if alertmanager is not None:
        managers = [{"static_configs": [{"targets": [alertmanager]}]}]
        settings = {**settings, "alerting": {"alertmanagers": managers}}
    config, port = folder / "prometheus.yml", free_port()
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    command = [
        find_program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]
    with running(command, folder / "prometheus.log", port=port):
        yield Prometheus(f"127.0.0.1:{port}")

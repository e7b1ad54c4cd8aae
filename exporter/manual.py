"""The alerts with their pages, as they come with the program: the rules in `prometheus/`, the pages in `docs/runbooks`.

A wheel has copies of both in `exporter/data/alerts`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from exporter.yamlfile import parse_document, read_text

_PACKAGE = Path(str(files("exporter")))
_PACKAGED = _PACKAGE / "data" / "alerts"
_RULES = "tls-posture.rules.yaml"


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One alert.

    Attributes:
        summary: what has happened, in a sentence.
        severities: the severity of each of its rules; `by policy` where the policy of the target decides.
        held_for: how long before it fires, in Prometheus' spelling; of its first rule.
        checks: the checks of policies that ask for the same.
        page: its runbook, as Markdown, without the first heading.
    """

    name: str
    summary: str
    severities: tuple[str, ...]
    held_for: str
    checks: tuple[str, ...]
    page: str


@lru_cache(maxsize=1)
def alerts() -> Mapping[str, AlertPage]:
    """All alerts by name, in the order of the rules.

    Raises:
        ConfigError: the rules or a page cannot be read.
    """
    rules, pages = places()
    of_name: dict[str, list[dict[str, Any]]] = {}
    for rule in _rules(parse_document(str(rules), read_text(rules), only_text=True).data):
        of_name.setdefault(rule["alert"], []).append(rule)
    return {name: _alert(name, those, read_text(pages / f"{name}.md")) for name, those in of_name.items()}


def places() -> tuple[Path, Path]:
    """The file of the rules and the folder of the pages."""
    if _PACKAGED.is_dir():
        return _PACKAGED / _RULES, _PACKAGED / "runbooks"
    return _PACKAGE.parent / "prometheus" / _RULES, _PACKAGE.parent / "docs" / "runbooks"


def _rules(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - our own file
    for group in document["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


def _alert(name: str, rules: list[dict[str, Any]], page: str) -> AlertPage:
    labels = [rule["labels"] for rule in rules]
    return AlertPage(
        name,
        rules[0]["annotations"]["summary"],
        tuple("by policy" if "$" in one["severity"] else one["severity"] for one in labels),
        rules[0].get("for", "0s"),
        tuple(dict.fromkeys(one["check"] for one in labels if "check" in one)),
        page.partition("\n")[2].strip(),
    )

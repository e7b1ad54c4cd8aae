"""docs/own-policy.md works as described: its files are written, loaded and used for judging."""

import json
import re
from pathlib import Path

import pytest

from exporter.__main__ import main
from exporter.checks.registry import CHECKS
from exporter.errors import ConfigError
from exporter.facts.handshake import HandshakeFacts
from exporter.judge import findings_of
from exporter.judging.names import EXTENSIONS, iana_name
from exporter.model import Protocol
from exporter.policies import load_policy, read_config
from exporter.policies.form import json_schema
from exporter.yamlfile import read_document
from tests.support.facts import case, handshake
from tests.support.json_schema import violations

PAGE = (Path(__file__).parent.parent / "docs" / "own-policy.md").read_text(encoding="utf-8")
FILES = {name: text for text, name in re.findall(r"```yaml\n(# (\S+)\n.*?)```", PAGE, flags=re.DOTALL)}
VERDICTS = re.compile(
    r"^\| (?:`(?P<server>[^`|]+)`)? ?"
    r"\| `(?P<check>\w+)`(?: (?P<severity>\w+))? \| (?P<verdict>\w+) \| (?P<why>[^|]+) \|$"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files, in the working folder."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def server(text: str) -> HandshakeFacts:
    """`TLSv1.0 unknown; TLSv1.2 AES128-SHA`."""
    parts = {Protocol(name): suite for name, suite in (part.split(" ") for part in text.split("; "))}
    accepted = {protocol: (iana_name(suite),) for protocol, suite in parts.items() if suite != "unknown"}
    return handshake(accepted, open_protocols=[protocol for protocol, suite in parts.items() if suite == "unknown"])


def told(name: str) -> list[tuple[str, re.Match[str]]]:
    """What the page says about servers after this file: the server, and a row of the table."""
    rows = [VERDICTS.match(line) for line in PAGE.partition(f"# {name}\n")[2].partition("\n## ")[0].splitlines()]
    found: list[tuple[str, re.Match[str]]] = []
    for row in rows:
        if row is not None:
            found.append((row["server"] or found[-1][0], row))
    return found


@pytest.mark.parametrize(("name", "count"), [("own.yaml", 6), ("stricter.yaml", 3)])
@pytest.mark.usefixtures("folder")
def test_servers_are_judged_as_the_page_says(name: str, count: int) -> None:
    policy = load_policy(f"./{name}")
    rows = told(name)
    assert len(rows) == count
    for seen, row in rows:
        findings = [
            finding
            for finding in findings_of(case(server(seen)), policy)
            if finding.check == row["check"] and row["severity"] in {None, finding.severity}
        ]
        assert [(one.verdict, one.summary) for one in findings] == [(row["verdict"], row["why"])]


@pytest.mark.usefixtures("folder")
def test_mistakes_are_named_as_the_page_says() -> None:
    (said,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    with pytest.raises(ConfigError) as raised:
        load_policy("./wrong.yaml")
    assert [str(problem) for problem in raised.value.problems] == said.splitlines()


def test_the_configuration_of_the_page_is_one(folder: Path) -> None:
    config = read_config(folder / "config.yaml")
    assert [target.host for target in config.targets] == ["www.example.com"]


def test_a_scan_under_the_policy_of_the_page_speaks_of_its_checks(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody listens there: everything is unknown, and nothing passes."""
    main(["scan", "127.0.0.1:1", "--policy=./own.yaml", "--format=json"])
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    assert [(one["policy"], one["check"], one["verdict"]) for one in report["findings"]] == [
        ("own", "protocols", "unknown"),
        ("own", "cipher_suites", "unknown"),
    ]


@pytest.mark.parametrize("name", ["own.yaml", "stricter.yaml"])
def test_policies_of_the_page_are_of_the_published_form(folder: Path, name: str) -> None:
    assert list(violations(read_document(folder / name).data, json_schema())) == []


def test_the_page_speaks_of_every_check_and_its_keys() -> None:
    table = PAGE[PAGE.index("## What the checks take") :]
    for check in CHECKS:
        (row,) = [line for line in table.splitlines() if re.match(rf"\| [^|]*`{check.name}`", line)]
        keys = {field.alias or name for name, field in check.demand.model_fields.items()}
        for key in keys - {"severity", "source", "from", "until"}:
            assert re.search(rf"`{key}\b", row) or key == "min_max_age_seconds", (check.name, key)
    assert all(f"`{name}`" in table for name in EXTENSIONS)

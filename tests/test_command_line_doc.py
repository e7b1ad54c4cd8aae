"""docs/command-line.md: its examples run, and print what the page shows."""

import copy
import json
import re
import shlex
from pathlib import Path

import pytest

from exporter.cli.parser import make_parser
from exporter.report import reports_json
from tests.cli.test_command import run
from tests.support.facts import report

PAGE = (Path(__file__).parent.parent / "docs" / "command-line.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
SESSIONS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, flags=re.DOTALL)
SCANS = ("serve", "scan", "report", "worker", "demo", "healthcheck")
"""What starts servers, asks others or reads their folders is only parsed here."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    document = json.loads(reports_json([report()]))
    (first,) = document["reports"]
    first["target"] = "www.example.com:443"
    leaf = first["facts"]["certificate"]["deployments"][0]["chain"][0]
    leaf["subject"] = "CN=www.example.com"
    document["reports"].append(copy.deepcopy(first) | {"target": "mail.example.com:587"})
    (tmp_path / "old.json").write_text(json.dumps(document))
    changed = copy.deepcopy(document)
    worse = changed["reports"][0]
    worse["facts"]["protocols"]["TLSv1.0"] = True
    worse["facts"]["certificate"]["deployments"][0]["chain"][0] |= {
        "fingerprint_sha256": "00",
        "not_after": "2027-02-01T00:00:00+00:00",
    }
    worse["grade"]["letter"] = "C"
    worse["findings"][0] |= {"verdict": "fail", "summary": "accepts TLSv1.0"}
    (tmp_path / "new.json").write_text(json.dumps(changed))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def arguments(line: str) -> list[str]:
    program, *rest = shlex.split(line.partition(" > ")[0])
    assert program == "tls-posture-exporter"
    return rest


@pytest.mark.parametrize("line", SHELL)
def test_examples_run(line: str) -> None:
    words = arguments(line)
    make_parser().parse_args(words)
    if words[0] not in SCANS:
        done = run(*words)
        assert done.returncode in {0, 1}
        assert done.stderr == ""
        assert done.stdout


@pytest.mark.parametrize(("line", "shown"), SESSIONS, ids=[line for line, _ in SESSIONS])
def test_sessions_print_what_the_page_shows(folder: Path, line: str, shown: str) -> None:
    done = run(*arguments(line))
    printed = (done.stdout + done.stderr).replace(f"{folder}/", "")
    if " ...\n" in shown:  # usage is cut
        assert printed.splitlines()[-1] == shown.splitlines()[-1]
    else:
        assert printed == shown


def test_every_command_has_its_section() -> None:
    sections = re.findall(r"^## (\S+)$", PAGE, flags=re.MULTILINE)
    help_text = run("--help").stdout
    commands = re.findall(r"^    ([a-z-]+)  ", help_text, flags=re.MULTILINE)
    assert commands
    assert set(commands) <= set(sections)

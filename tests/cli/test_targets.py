"""`targets`: what discovery gives now, what is rejected, and which sources fail."""

import json
import socket
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from exporter.cli import targets as command
from exporter.config import Config
from exporter.policies import read_config
from exporter.targets.discovery import FIRST_WITHIN
from tests.cli.test_command import run
from tests.support.processes import free_port

CONFIG = """\
targets:
  - www.example.com
  - {host: mail.example.com, port: 587, starttls: smtp, labels: {team: mail}}
  - {host: shop.example.com, name: shop, policies: [mozilla-modern, ./own.yaml]}
file_sd_configs: [{files: [list.yaml]}]
relabel_configs: [{source_labels: [__address__], regex: test.*, action: drop}]
"""
OWN = "{name: ours, title: a, version: '1', source: a, extends: mozilla-old, checks: {}}"
LIST = "- targets: [www.example.com, b.example, test.example, 'c.example:0']\n  labels: {team: \"we\\u202eb\"}\n"


def write(folder: Path, text: str = CONFIG, listed: str = LIST) -> str:
    (folder / "own.yaml").write_text(OWN)
    (folder / "list.yaml").write_text(listed)
    (folder / "config.yaml").write_text(text)
    return f"--config.file={folder}/config.yaml"


def test_a_target_is_one_line_in_a_pipe(tmp_path: Path) -> None:
    done = run("targets", write(tmp_path))
    assert (done.returncode, done.stderr) == (1, ""), "one is rejected"
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.stdout.splitlines()[0] == "4 targets (3 configured, 1 found), 1 rejected."
    assert ["mail.example.com:587", "smtp", "(STARTTLS)", "kopano-checklist", "targets", "team=mail"] in lines
    assert ["shop", "shop.example.com:443", "https", "mozilla-modern,", "ours", "targets"] in lines
    assert ["b.example:443", "https", "kopano-checklist", "file_sd_configs.0", "team=we\\u202eb"] in lines
    assert "file_sd_configs.0: 1 used, 1 merged, 1 dropped, 1 rejected" in done.stdout
    assert f"file_sd_configs.0: {tmp_path}/list.yaml: rejected c.example:0: '0' is not a port" in done.stdout


def test_the_same_as_json(tmp_path: Path) -> None:
    done = run("targets", write(tmp_path), "--format=json")
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert data["targets"][1] == {
        "target": "mail.example.com:587",
        "host": "mail.example.com",
        "port": 587,
        "protocol": "smtp",
        "starttls": "smtp",
        "policies": ["kopano-checklist"],
        "labels": {"team": "mail"},
        "found_in": ["targets"],
    }
    assert data["targets"][2]["policies"] == ["mozilla-modern", "ours"]
    (source,) = data["sources"]
    assert (source["source"], source["error"], source["targets"]) == ("file_sd_configs.0", None, 4)
    assert source["outcomes"] == {"used": 1, "merged": 1, "dropped": 1, "rejected": 1}
    (rejected,) = data["rejected"]
    assert rejected["labels"]["__address__"] == "c.example:0"


def test_what_all_have_in_common_is_said_once(tmp_path: Path) -> None:
    done = run("targets", write(tmp_path, "targets: [www.example.com, imaps://mail.example.com]"))
    assert done.returncode == 0
    assert done.stdout == (
        "2 targets.\nPolicy: kopano-checklist.\n\n"
        "Target                Protocol  Found in\n"
        "www.example.com:443   https     targets\n"
        "mail.example.com:993  imaps     targets\n"
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_on_a_terminal_lines_fit_and_nothing_is_cut(tmp_path: Path, width: int) -> None:
    write(tmp_path)
    config = read_config(tmp_path / "config.yaml")
    console = Console(width=width, force_terminal=True, no_color=True, record=True, file=StringIO())
    found = command.find(config, FIRST_WITHIN)
    console.print(*command._page(found, console), sep="\n")  # noqa: SLF001 - in a console of this width
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    for word in ("shop.example.com:443", "mozilla-modern", "team=we\\u202eb", "file_sd_configs.0"):
        assert word in "".join(text.split()) or word in text


def test_a_source_that_fails_or_is_late_is_3_and_never_an_empty_list(tmp_path: Path) -> None:
    text = f"targets: [a.example]\nhttp_sd_configs: [{{url: 'http://127.0.0.1:{free_port()}/x.json'}}]\n"
    done = run("targets", write(tmp_path, text))
    assert (done.returncode, done.stderr) == (3, "")
    first = "1 target (1 configured, 0 found). 1 of 1 sources failed: the list is not complete."
    assert done.stdout.splitlines()[0] == first
    assert "http_sd_configs.0: failed: http://127.0.0.1" in done.stdout

    with socket.create_server(("127.0.0.1", 0)) as silent:
        listed = write(tmp_path, f"http_sd_configs: [{{url: 'http://127.0.0.1:{silent.getsockname()[1]}'}}]")
        late = run("targets", listed, "--timeout=100ms", "--format=json")
    assert late.returncode == 3
    assert json.loads(late.stdout)["sources"][0]["error"] == "has not answered in time"


def test_no_targets_are_said(tmp_path: Path) -> None:
    done = run("targets", write(tmp_path, "targets: []"))
    assert (done.returncode, done.stdout) == (0, "No targets.\n")
    assert command.find(Config(), FIRST_WITHIN).listing.targets == ()


def test_a_wrong_configuration_is_2(tmp_path: Path) -> None:
    done = run("targets", write(tmp_path, "target: []"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean targets?" in done.stderr

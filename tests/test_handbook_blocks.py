"""Every command and every configuration in the documents is tried, or says why it is not.

Commands of this program are read by its parser, and other commands are programs that readers can have. Configurations
are read as the program reads them, those of Prometheus and Alertmanager by their own tools. Several pages have tests
that run them completely, such as tests/real/test_tutorial.py.
"""

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from exporter.cli.parser import make_parser
from exporter.metrics import FAMILIES, OwnMetrics
from exporter.metrics.own import OWN_FAMILIES
from exporter.metrics.zone_worker import FAMILIES as WORKER_FAMILIES
from exporter.policies import load_policy, read_config
from exporter.web.access.sections import WebFile
from exporter.yamlfile import parse_document, validate
from tests.support.certificates import issue, pem_file
from tests.support.handbook import Block, blocks
from tests.support.processes import find_program
from tests.support.prometheus import read

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks(page)]
TYPED = ("sh", "bash", "console")
LANGUAGES = {*TYPED, "yaml", "promql", "json", "nginx", "text", ""}
OURS = "tls-posture-exporter"
PROGRAMS = {
    *("amtool", "bash", "cat", "cd", "chmod", "chronyc", "cp", "curl", "cut", "df", "dig", "docker", "done", "echo"),
    *("export", "for", "getent", "grep", "head", "journalctl", "jq", "kill", "ls", "make", "mkdir", "nginx", "openssl"),
    *("pip", "prometheus", "prometheus-alertmanager", "promtool", "python3", "rm", "sed", "sort", "source", "stat"),
    *("sysctl", "systemctl", "timedatectl", "top", "tr", "uniq", "wait", "while"),
}
"""Programs and words of the shell in the documents, besides our own."""
NOT_RUN = {
    "tests/real/test_pip.py installs it like this; it needs a package index": 1,
    "tests/real/test_zones.py starts it, on a machine of its own": 1,
    "it needs Docker and the image of Grafana; tests/dashboards check the mounted files": 1,
}
"""Blocks that no test runs or reads: the reason, and how often it is given."""
FOLLOWED = {
    "install.md": "tools/bare",
    "kubernetes.md": "tests/kubernetes/chart.py",
    "discovery-kubernetes.md": "tests/targets/test_kubernetes_doc.py",
    "releases.md": "tools/supply",
}
"""Pages with programs or configurations of other tools, and what follows them. Our own commands are read here, too."""
OF_PROMETHEUS = {"scrape_configs", "rule_files", "alerting"}


def name(block: Block) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"


def named(*languages: str) -> list[Any]:
    return [
        pytest.param(block, id=name(block)) for block in BLOCKS if block.language in languages and not block.not_run
    ]


def test_blocks_that_are_not_run_are_these(capsys: pytest.CaptureFixture[str]) -> None:
    found = Counter(block.not_run for block in BLOCKS if block.not_run)
    with capsys.disabled():
        for why, count in found.items():
            sys.stdout.write(f"\nnot run in the documents ({count}): {why}\n")
    assert found == NOT_RUN


@pytest.mark.parametrize("block", named(*LANGUAGES - {*TYPED}))
def test_only_typed_blocks_have_commands(block: Block) -> None:
    assert not re.search(rf"^(?:\$ |{OURS} )", block.text, re.MULTILINE)


def test_all_blocks_have_a_known_language() -> None:
    assert [name(block) for block in BLOCKS if block.language not in LANGUAGES] == []


def segments(command: str) -> Iterator[list[str]]:
    """The simple commands of a line, as words, without redirections and assignments."""
    words = shlex.shlex(command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    simple: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("();<>|&") and word not in {"<", ">", ">>", "<<", ">&"}:
            yield simple
            simple = []
        else:
            simple.append(word)


@pytest.mark.parametrize("block", named(*TYPED))
def test_commands_can_be_typed(block: Block) -> None:
    text = block.text
    done = subprocess.run(
        ["bash", "-n"],
        input="\n".join(block.commands) if block.language == "console" else text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for command in block.commands if "<<" not in text and "$(" not in text and "while" not in text else ():
        for words in segments(command):
            with pytest.raises(SystemExit) if ": error: " in text else nullcontext():
                typed(words, is_followed=block.page.name in FOLLOWED)


def typed(words: list[str], *, is_followed: bool) -> None:
    """Hold one simple command against what can be typed."""
    while words and (words[0] == "do" or re.fullmatch(r"\w+=.*", words[0])):
        words = words[1:]
    if not words or words[0] in {"]", "["}:
        return
    program, arguments = words[0].removeprefix("~/tls-venv/bin/"), words[1:]
    if program.rpartition("/")[2] == OURS and (program == OURS or "/bin/" in program):
        try:
            make_parser().parse_args(until_redirection(arguments))
        except SystemExit as end:
            if end.code:  # it is 0 after --version
                raise
    else:
        assert is_followed or program in PROGRAMS, program
    if program == "curl":
        for url in (one for one in arguments if ":19443" in one):
            assert urlsplit(url).path in {"/probe", "/metrics", "/-/reload", "/-/healthy", "/"} or api_path(url), url


def until_redirection(words: list[str]) -> list[str]:
    ends = [at for at, word in enumerate(words) if word in {"<", ">", ">>", "2", "2>"}]
    return words[: ends[0]] if ends else words


def api_path(url: str) -> bool:
    """Whether the API has the path."""
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    return any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), urlsplit(url).path) for path in paths)


@pytest.mark.parametrize(("page", "by"), FOLLOWED.items())
def test_pages_with_tests_of_their_own_have_them(page: str, by: str) -> None:
    if (ROOT / "docs" / page).exists():
        files = [ROOT / by] if (ROOT / by).is_file() else [*(ROOT / by).rglob("*.py")]
        assert any(page in file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("block", named("promql"))
def test_queries_ask_for_metrics_that_there_are(block: Block) -> None:
    rules = yaml.safe_load((ROOT / "prometheus" / "tls-posture.rules.yaml").read_text(encoding="utf-8"))
    known = {family.name for family in (*FAMILIES, *OWN_FAMILIES)} | WORKER_FAMILIES.keys()
    known |= {sample.name for family in OwnMetrics().registry.collect() for sample in family.samples}
    known |= {rule["record"] for group in rules["groups"] for rule in group["rules"] if "record" in rule} | {"up"}
    for query in block.text.splitlines():
        asked = {re.sub(r"_(?:bucket|count|sum)$", "", selector.name) for selector in read(query).selectors}
        assert {one for one in asked if one.startswith("tls_")} <= known, query


@pytest.mark.parametrize("block", named("json"))
def test_json_is_json(block: Block) -> None:
    for line in block.text.splitlines():
        json.loads(line)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """What files have whose names end so."""
    folder = tmp_path_factory.mktemp("certificates")
    one = issue("scanner")
    pem_file(folder / "scanner.pem", one)
    certificate = (folder / "scanner.pem").read_bytes()
    policy = (
        b"{name: NAME, title: T, version: '1', source: s, checks: {caa: {severity: info, source: s, required: true}}}"
    )
    return {
        "cert_file": certificate,
        "ca_file": certificate,
        "key_file": one.key_pem(),
        "": b"k" * 32,
        "policy": policy,
    }


def named_files(key: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any YAML
    """The paths that a configuration names, each with the key that it is below."""
    if isinstance(value, dict):
        for below, inner in value.items():
            yield from named_files("ca_file" if key == "trust_stores" else str(below), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named_files(key, inner)
    elif isinstance(value, str):
        if key in {"policy", "policies", "policy_files"} and re.search(r"/|\.ya?ml$", value):
            yield "policy", value
        elif key.endswith("_file"):
            yield key, value


def with_files(folder: Path, data: Any, files: Mapping[str, bytes]) -> None:  # noqa: ANN401 - any YAML
    for key, path in named_files("", data):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(files.get(key, files[""]).replace(b"NAME", file.stem.encode()))


def of_kind(*, prometheus: bool = False) -> list[Any]:
    """Blocks of YAML for these tools."""
    return [one for one in named("yaml") if is_of_prometheus(one.values[0]) is prometheus]


def is_of_prometheus(block: Block) -> bool:
    data = next(iter(yaml.load_all(block.text, yaml.BaseLoader)))
    return (
        isinstance(data, dict)
        and block.page.name not in FOLLOWED
        and bool(data.keys() & OF_PROMETHEUS or {"route", "receivers"} <= data.keys())
    )


@pytest.mark.parametrize("block", of_kind())
def test_configurations_are_accepted(
    block: Block, tmp_path: Path, files: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_PASSWORD", "secret")
    file = tmp_path / (block.file_name or "config.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text, encoding="utf-8")
    data = next(iter(yaml.load_all(block.text, yaml.BaseLoader)))
    with_files(tmp_path, data, files)
    match data:
        case [{"names": _}, *_]:  # a part of the section
            file.write_text(f"dns_sd_configs:\n{block.text}", encoding="utf-8")
            read_config(file)
        case list():
            assert all(group.keys() == {"targets", "labels"} for group in data)
        case _ if block.page.name in FOLLOWED and not data.keys() <= {"targets", "kubernetes_sd_configs"}:
            pass
        case {"name": _, "checks": _} if file.name == "wrong.yaml":
            pass  # tests/test_own_policy.py expects its mistakes
        case {"name": _, "checks": _}:
            load_policy(str(file))
        case {"checks": checks} | {"clients": {"severity": _} as checks}:
            section = checks if "checks" in data else {"clients": checks}
            text = json.dumps({"name": "part", "title": "T", "version": "1", "source": "s", "checks": section})
            file.write_text(text.replace('"false"', "false"), encoding="utf-8")
            load_policy(str(file))
        case {"tls_server_config": _} | {"http_server_config": _} | {"basic_auth_users": _}:
            _, problems = validate(parse_document("web.yml", block.text), WebFile)
            assert problems == []
        case _:
            read_config(file)


@pytest.mark.real
@pytest.mark.parametrize("block", of_kind(prometheus=True))
def test_tools_of_prometheus_accept_their_configurations(
    block: Block, tmp_path: Path, files: Mapping[str, bytes]
) -> None:
    file = tmp_path / "file.yml"
    file.write_text(block.text, encoding="utf-8")
    with_files(tmp_path, yaml.safe_load(block.text), files)
    rules = ROOT / "prometheus" / "tls-posture.rules.yaml"
    (tmp_path / rules.name).write_bytes(rules.read_bytes())
    tool = ["amtool", "check-config"] if "receivers" in yaml.safe_load(block.text) else ["promtool", "check", "config"]
    command = [find_program(tool[0]), *tool[1:], str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

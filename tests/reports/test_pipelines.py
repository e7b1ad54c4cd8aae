"""The examples in docs/pipelines: they are read as their programs read them, and their commands run."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli.parser import make_parser
from tests.support.processes import free_port
from tests.support.servers import SEED_NGINX, WEAK_NGINX, make_pki, nginx

PIPELINES = Path(__file__).parent.parent.parent / "docs" / "pipelines"
COMMAND = "tls-posture-exporter"


def github_steps() -> list[dict[str, Any]]:
    workflow = yaml.safe_load((PIPELINES / "github.yml").read_text(encoding="utf-8"))
    steps: list[dict[str, Any]] = workflow["jobs"]["scan"]["steps"]
    return steps


def gitlab_script() -> list[str]:
    job = yaml.safe_load((PIPELINES / "gitlab.yml").read_text(encoding="utf-8"))["tls"]
    script: list[str] = job["script"]
    return script


def commands(text: str) -> Iterator[list[str]]:
    """Our commands in a script."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == [COMMAND]:
            yield words[1:]


SCRIPTS = {
    "github": "\n".join(step.get("run", "") for step in github_steps()),
    "gitlab": "\n".join(gitlab_script()),
    "shell": (PIPELINES / "scan.sh").read_text(encoding="utf-8"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_command_is_one_of_ours(name: str) -> None:
    found = list(commands(SCRIPTS[name].replace("|| code=$?", "")))
    assert any(words[0] == "scan" for words in found)
    for words in found:
        make_parser().parse_args(words)


def test_what_is_kept_is_what_was_written() -> None:
    (scan,) = (words for words in commands(SCRIPTS["gitlab"]) if words[0] == "scan")
    written = {word.partition(":")[2] for word in scan if word.startswith("--output=")}
    job = yaml.safe_load((PIPELINES / "gitlab.yml").read_text(encoding="utf-8"))["tls"]
    assert {*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]} == written
    (scan,) = (words for words in commands(SCRIPTS["github"]) if words[0] == "scan")
    written = {word.partition(":")[2] for word in scan if word.startswith("--output=")}
    kept = {path for step in github_steps() for path in step.get("with", {}).get("path", "").split()}
    assert kept <= written
    assert "tls.md" in written


def environment(folder: Path) -> dict[str, str]:
    """With our command, and stand-ins for those of the CI system that are not here."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / COMMAND).write_text(f'#!/bin/sh\nexec {sys.executable} -m exporter "$@"\n')
    (programs / "gh").write_text('#!/bin/sh\necho "$@" >gh.log\n')
    (programs / "pipx").write_text("#!/bin/sh\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


def shell(script: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As GitHub and GitLab run it."""
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def write_config(folder: Path, port: int, bundle: Path | None = None) -> None:
    (folder / "tls").mkdir(exist_ok=True)
    trusted = f", ca_file: {bundle}" if bundle else ""
    (folder / "tls" / "config.yaml").write_text(
        f"global: {{resolver: {{nameservers: [127.0.0.1], port: 9, timeout: 200ms}}, timeout: 2s{trusted}}}\n"
        f"targets: [{{name: web, host: www.test.example, port: {port}, connect_address: 127.0.0.1}}]\n"
    )


@pytest.mark.real
def test_pipelines_run_against_a_server_that_fails_and_keep_their_reports(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    env = environment(tmp_path)
    (tmp_path / "server").mkdir()
    with nginx(tmp_path / "server", WEAK_NGINX, [pki.rsa]) as port:
        write_config(tmp_path, port, pki.bundle)
        for step in (step for step in github_steps() if "run" in step):
            script = step["run"].replace("${{ github.event.pull_request.number }}", "7")
            done = shell(script, tmp_path, env)
            assert done.returncode == (1 if step["name"] == "Scan" else 0), (step, done)
        assert (tmp_path / "summary.md").read_text().startswith("## TLS posture: 1 of 1 target fails\n")
        assert (tmp_path / "gh.log").read_text() == "pr comment 7 --body-file tls.md\n"
        assert "<failure " in (tmp_path / "tls.xml").read_text()
        codes = [shell(line, tmp_path, env).returncode for line in gitlab_script()]
        assert codes == [0, 1]
        assert '"bomFormat"' in (tmp_path / "tls.cdx.json").read_text()
        done = subprocess.run(
            [str(PIPELINES / "scan.sh"), "tls/config.yaml", "out"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "a critical check fails; see out/tls.html\n")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "tls.cdx.json",
            "tls.csv",
            "tls.html",
            "tls.xml",
        ]


@pytest.mark.real
def test_a_pipeline_tells_what_passes_from_what_is_not_known(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    env = environment(tmp_path)
    (tmp_path / "server").mkdir()
    script = f"{PIPELINES / 'scan.sh'} tls/config.yaml out"
    with nginx(tmp_path / "server", SEED_NGINX, [pki.ecdsa, pki.rsa]) as port:
        write_config(tmp_path, port, pki.bundle)
        good = shell(script, tmp_path, env)
    write_config(tmp_path, free_port())
    gone = shell(script, tmp_path, env)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "no critical check fails")
    assert (gone.returncode, gone.stderr) == (3, "not everything is known; see out/tls.html\n")
    assert "<error " in (tmp_path / "out" / "tls.xml").read_text()

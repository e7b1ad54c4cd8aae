"""Completion, by real shells, and the manual page."""

import shutil
import subprocess
from pathlib import Path

import pytest
import shtab

from exporter.cli.completion import completed_parser
from exporter.cli.parser import make_parser
from exporter.policies import shipped
from tests.cli.test_command import run
from tools import write_man

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p tls-posture-exporter | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" tls-posture-exporter "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("completion") / "completion.bash"
    file.write_text(run("completion", "bash").stdout)
    return file


@pytest.mark.real
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["s"], {"serve", "scan"}),
        (["ex"], {"explain"}),
        (["policies", ""], {"list", "show"}),
        (["policies", "show", "kop"], {"kopano-checklist"}),
        (["scan", "--po"], {"--policy"}),
        (["scan", "--policy", "mozilla-"], {"mozilla-intermediate", "mozilla-modern", "mozilla-old"}),
        (["scan", "--policy", "=", "kop"], {"kopano-checklist"}),
        (["scan", "--policy", "="], {*shipped()}),
        (["targets", "--format", "=", "j"], {"json"}),
        (["serve", "--log.level", "w"], {"warning"}),
        (["explain", "hsts"], {"hsts", "hsts_on_errors", "hsts_preload"}),
        (["explain", "TLSPostureHSTS"], {"TLSPostureHSTSMissing", "TLSPostureHSTSShort"}),
        (["completion", "z"], {"zsh"}),
        (["diff", "/etc/passw"], {"/etc/passwd"}),
        (["check-config", "--config.file", "=", "/etc/passw"], {"/etc/passwd"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bash_completes(bash: Path, words: list[str], expected: set[str]) -> None:
    command = ["bash", "-c", ASK, "bash", str(bash), "tls-posture-exporter", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert {found for found in done.stdout.split() if not found.startswith("/etc/passwd-")} == expected


@pytest.mark.real
@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh", "fish"])
def test_the_shell_reads_its_script(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "script"
    file.write_text(run("completion", shell).stdout)
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish"])
def test_scripts_of_other_shells_have_commands_and_names(shell: str) -> None:
    done = run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("check-config", "config.file", "kopano-checklist", "TLSPostureVulnerable", "prometheus"):
        assert word in done.stdout
    assert shell in shtab.SUPPORTED_SHELLS


def test_names_are_only_for_completion() -> None:
    """A policy on the command line may be a file, and a new format needs no change here."""
    assert make_parser().parse_args(["scan", "--policy=./own.yaml", "a"]).policy == ["./own.yaml"]
    assert completed_parser() is not completed_parser()


def test_the_manual_page_is_as_generated() -> None:
    assert write_man.FILE.read_text(encoding="utf-8") == write_man.page()


def test_the_manual_page_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert write_man.FILE.read_text(encoding="utf-8") == write_man.page()


@pytest.mark.real
def test_groff_has_no_warnings_and_the_page_has_every_command() -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    command = ["groff", "-man", "-Tutf8", "-ww", str(write_man.FILE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    for name in (
        "serve",
        "scan",
        "report",
        "check-config",
        "targets",
        "diff",
        "explain",
        "policies",
        "completion",
        "demo",
    ):
        assert f"tls-posture-exporter {name}" in done.stdout.replace("\u2010", "-").replace("\x1b[0m", "")

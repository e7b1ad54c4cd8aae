"""The unit file of systemd: it is valid, as closed as the page says, and fits the program."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli.parser import make_parser
from exporter.stopping import LIMIT_SECONDS
from tests.support.processes import find_program

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "deploy/systemd/tls-posture-exporter.service"
PAGE = (ROOT / "docs/install.md").read_text(encoding="utf-8")
LINES = UNIT.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def values(key: str) -> list[str]:
    return [line.partition("=")[2] for line in LINES if line.startswith(f"{key}=")]


def exposure(unit: Path) -> tuple[float, bool]:
    """The figure of `systemd-analyze security`, and whether it is at most the one of the page."""
    [promised] = re.findall(r"`systemd-analyze security` gives it (\d+\.\d) of 10", PAGE)
    analyze = find_program("systemd-analyze")
    flags = ["--offline=yes", "--no-pager", f"--threshold={round(float(promised) * 10)}"]
    done = subprocess.run([analyze, "security", *flags, unit], capture_output=True, text=True, timeout=60, check=False)
    [figure] = re.findall(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert (done.returncode == 0) is (float(figure) <= float(promised)), done
    return float(figure), done.returncode == 0


@pytest.mark.real
def test_the_figure_of_the_page_is_that_of_systemd(tmp_path: Path) -> None:
    figure, held = exposure(UNIT)
    assert held
    assert f"gives it {figure} of 10" in PAGE
    loose = tmp_path / UNIT.name
    loose.write_text(UNIT.read_text().replace("\nSystemCallFilter=", "\n#").replace("DynamicUser=yes", ""))
    assert not exposure(loose)[1], "a looser unit is noticed"


@pytest.mark.real
def test_systemd_finds_no_mistake(tmp_path: Path) -> None:
    [command] = values("ExecStart")
    program = command.split()[0]
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(program, sys.executable))
    verify = [find_program("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    copy.write_text(copy.read_text().replace("ProtectClock", "ProtectTime"))
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert "ProtectTime" in done.stderr, "a mistake is noticed"


def test_it_starts_the_daemon_with_what_the_page_puts_in_its_place() -> None:
    [command] = values("ExecStart")
    [state] = values("StateDirectory")
    program, *words = shlex.split(command.replace("${STATE_DIRECTORY}", f"/var/lib/{state}").replace("$ARGS", ""))
    options = make_parser().parse_args(words)
    assert options.module == "serve"
    assert f"tools/install {Path(program).parent.parent}\n" in PAGE
    assert f"install -D -m 644 config.yaml {options.config_file}\n" in PAGE
    assert f"`{options.storage_path}`" in PAGE
    [[environment]] = [values("EnvironmentFile")]
    assert f"`{environment.removeprefix('-')}`" in PAGE
    [flags] = re.findall(r'`ARGS="(.*?)"`', PAGE)
    make_parser().parse_args([*words, *shlex.split(flags)])


def test_systemd_waits_longer_than_the_daemon_takes_to_end() -> None:
    [seconds] = values("TimeoutStopSec")
    assert float(seconds) > LIMIT_SECONDS
    assert values("Type") == ["notify"]
    assert values("WatchdogSec") == ["60"]


def test_processes_that_try_attacks_can_give_up_their_rights() -> None:
    allowed = " ".join(values("SystemCallFilter")).split()
    assert {"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} <= set(allowed)

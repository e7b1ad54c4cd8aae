"""`explain`: everything that has a name is explained, in the width of a terminal, and in the installed package."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exporter import manual
from exporter.checks.registry import CHECKS
from exporter.cli.explain import names
from exporter.manual import alerts
from exporter.policies import load_policy, shipped
from tests.cli.test_command import run

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", names())
def test_everything_is_explained_on_80_columns_without_markup(name: str) -> None:
    done = run("explain", name)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{name} (")
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []
    for markup in ("**", "](", "```", "\x1b", "SUMMARY"):
        assert markup not in done.stdout
    page = done.stdout.rpartition("In the handbook\n  ")[2].strip()
    assert (ROOT / "docs" / page).with_suffix(".md").is_file()


def test_names_of_checks_alerts_and_policies_are_all_different() -> None:
    assert len({*names()}) == len(names()) == len(CHECKS) + len(alerts()) + len(shipped())


def test_a_check_says_who_asks_what_how_to_meet_it_and_where_it_shows() -> None:
    text = run("explain", "hsts").stdout
    for part in (
        "The first response carries an HSTS policy",
        "Without HSTS, a browser may ask over plain HTTP first.",
        "kopano-checklist (warning)\n      an HSTS header with a max-age of 31536000 seconds or more",
        "nginx, as kopano-checklist asks\n      add_header Strict-Transport-Security",
        'tls_posture_check_passed{check="hsts"}',
        "TLSPostureHSTSShort\n      The HSTS policy of a web server is short.",
        "In the handbook\n  checks/hsts.html\n",
    ):
        assert part in text
    assert "No policy that comes with the program asks for it." in run("explain", "certificate_expiry").stdout


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_names_each_policy_that_asks_for_it(check: object) -> None:
    name = check.name  # type: ignore[attr-defined]
    text = run("explain", name).stdout
    asking = {policy for policy in shipped() if name in load_policy(policy).demands}
    assert {policy for policy in shipped() if f"\n  {policy} (" in text} == asking


def test_an_alert_has_its_severity_its_check_and_its_runbook() -> None:
    text = run("explain", "TLSPostureCertificateExpiring").stdout
    assert "Severity: warning, critical. Fires after 5m." in text
    assert "Check of policies: certificate_expiry." in text
    for heading in ("What it means", "Impact", "How to look", "What to do", "False alarms"):
        assert f"\n{heading}\n" in text
    assert "openssl s_client" in text
    assert run("explain", "CertificateExpiring").stdout == text, "the prefix is the same for all"


def test_a_policy_has_its_source_its_demands_and_what_it_leaves_out(tmp_path: Path) -> None:
    text = run("explain", "mozilla-modern").stdout
    assert "What it asks\n  protocols (critical)\n      TLSv1.3 only\n" in text
    assert "What is not judged\n" in text
    own = tmp_path / "own.yaml"
    own.write_text(
        "{name: own, title: 'Ours \u202e', version: '1', source: our handbook, extends: mozilla-old, "
        "checks: {hsts: {severity: info, source: page 3, min_max_age_seconds: 60}}}"
    )
    text = run("explain", str(own)).stdout
    assert "Ours \\u202e, version 1." in text
    assert "It extends mozilla-old." in text
    assert "a max-age of 60 seconds or more\n      source: page 3" in text


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("hst", "did you mean hsts?"),
        ("mozila-modern", "did you mean mozilla-modern?"),
        ("TLSPostureHSTShort", "did you mean TLSPostureHSTSShort?"),
        ("CertificateExpire", "did you mean"),
        ("zzzzzzzz", "`tls-posture-exporter explain --help` says what can be explained"),
    ],
)
def test_an_unknown_name_is_2_with_the_name_that_was_meant(name: str, hint: str) -> None:
    done = run("explain", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is neither a check, an alert nor a policy; " in done.stderr
    assert hint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_policy_file_that_is_not_there_is_2() -> None:
    done = run("explain", "./missing.yaml")
    assert done.returncode == 2
    assert "missing.yaml:1:1: cannot be read" in done.stderr


@pytest.mark.timeout(300)
def test_the_wheel_has_the_alerts_and_the_manual_page(tmp_path: Path) -> None:
    """Unpacked apart from the sources, so that nothing else can be found."""
    options = ("--quiet", "--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", str(tmp_path))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    (page,) = (tmp_path / "unpacked").rglob("share/man/man1/tls-posture-exporter.1")
    assert page.read_bytes() == (ROOT / "docs/man/tls-posture-exporter.1").read_bytes()

    program = "import exporter.manual as m; print(m.__file__, *m.alerts())"
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path / "unpacked", env={"PYTHONPATH": "."}, capture_output=True, text=True, check=True
    )
    file, *found = done.stdout.split()
    assert file.startswith(str(tmp_path / "unpacked"))
    assert found == [*alerts()]
    assert manual.__file__ != file

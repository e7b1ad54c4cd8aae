"""The command line, run as a program: output and exit codes."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.__main__ import _exit_code, _parser, _scan_targets
from exporter.errors import ExporterError
from exporter.model import Finding, Severity, Target, Verdict
from exporter.policies import read_config, shipped
from exporter.report import ReportsForm
from tests.support.facts import report
from tests.support.processes import free_port
from tests.support.servers import SEED_NGINX, WEAK_NGINX, Pki, make_pki, nginx


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exporter", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def write_config(folder: Path, *targets: str, head: str = "") -> str:
    file = folder / "config.yaml"
    lines = "".join(f"  - {target}\n" for target in targets)
    resolver = "resolver: {nameservers: [127.0.0.1], port: 9, timeout: 200ms}"
    file.write_text(f"global: {{{resolver}, timeout: 2s{head}}}\ntargets:\n{lines or '  []'}")
    return str(file)


def target(name: str, port: int) -> str:
    return f"{{name: {name}, host: www.test.example, port: {port}, connect_address: 127.0.0.1}}"


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("serve", "scan", "check-config", "policies", "demo"):
        assert command in done.stdout


@pytest.mark.parametrize("arguments", [(), ("scan", "--format=xml", "h"), ("serve",), ("scan",), ("nothing",)])
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["host:0", "ftp://h", "smtp+starttls://", "a b", "https://h/path", "tls://h"])
def test_a_target_that_cannot_be_read_is_2(text: str) -> None:
    done = run("scan", text)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_check_config_says_how_many_targets(tmp_path: Path) -> None:
    done = run("check-config", f"--config.file={write_config(tmp_path, 'a.example', 'imaps://b.example')}")
    assert done.returncode == 0
    assert done.stdout.endswith("valid, 2 targets\n")


def test_check_config_names_every_mistake(tmp_path: Path) -> None:
    file = write_config(tmp_path, "{host: a, prot: 1}", "{host: b, port: 0}")
    done = run("check-config", f"--config.file={file}")
    assert done.returncode == 2
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{file}:3:15", f"{file}:4:21"]


def test_a_missing_config_is_2() -> None:
    done = run("serve", "--config.file=/nonexistent.yaml")
    assert done.returncode == 2
    assert done.stderr == "/nonexistent.yaml:1:1: cannot be read: No such file or directory\n"


def test_policies_are_listed_and_shown() -> None:
    assert "\nkopano-checklist  " in run("policies", "list").stdout
    assert "ECDHE-RSA-AES128-SHA256" in run("policies", "show", "kopano-checklist").stdout
    missing = run("policies", "show", "kopano-check")
    assert missing.returncode == 2
    assert "did you mean kopano-checklist?" in missing.stderr


def test_a_target_that_cannot_be_scanned_is_3() -> None:
    done = run("scan", f"127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert "connect_refused" in done.stdout


def test_a_target_is_held_against_each_policy_named() -> None:
    policies = ("--policy=kopano-checklist", "--policy=mozilla-modern")
    done = run("scan", *policies, "--explain", f"127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert "\nkopano-checklist  unknown\n" in done.stdout
    assert "\nmozilla-modern  unknown\n" in done.stdout
    assert "  asked   TLSv1.2, TLSv1.3 only" in done.stdout


@pytest.mark.parametrize("second", ["kopano-checklist", str(shipped()["kopano-checklist"])])
def test_a_policy_named_twice_is_2(second: str) -> None:
    done = run("scan", "--policy=kopano-checklist", f"--policy={second}", f"127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tls-posture-exporter: policy given twice: kopano-checklist\n"


@pytest.mark.parametrize(
    ("strict", "lax", "code"),
    [
        *((Verdict.PASS, Verdict.PASS, 0), (Verdict.PASS, Verdict.FAIL, 1), (Verdict.UNKNOWN, Verdict.FAIL, 1)),
        *((Verdict.PASS, Verdict.UNKNOWN, 3), (Verdict.NOT_APPLICABLE, Verdict.PASS, 3)),
    ],
)
def test_the_exit_code_goes_by_all_policies_together(strict: Verdict, lax: Verdict, code: int) -> None:
    findings = [Finding("check", strict, Severity.INFO, "", policy="strict")]
    findings.append(Finding("check", lax, Severity.INFO, "", policy="lax"))
    one = replace(report(), policies=("strict", "lax"), findings=tuple(findings))
    assert _exit_code([one]) == code
    assert _exit_code([report(), one]) == code


def test_a_reader_that_has_gone_is_no_verdict() -> None:
    command = f"{sys.executable} -m exporter policies list"
    script = f"({command}; echo code $? >&2) | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr in {"code 141\n", "code 0\n"}, "0 when it was written before the reader left"


def _chosen(*arguments: str) -> list[Target]:
    """The targets that `scan` with these arguments would scan."""
    options = _parser().parse_args(["scan", *arguments])
    return _scan_targets(options, read_config(options.config_file))


@pytest.fixture
def mail_config(tmp_path: Path) -> str:
    smtp = "{host: mail.example.com, port: 587, starttls: smtp, connect_address: 127.0.0.1, scan_timeout: 90s}"
    return f"--config.file={write_config(tmp_path, smtp, '{host: mail.example.com, name: web}')}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("mail.example.com", ["mail.example.com:587", "web"]),
        ("Mail.Example.COM.", ["mail.example.com:587", "web"]),
        ("smtp+starttls://mail.example.com:587", ["mail.example.com:587"]),
        ("mail.example.com:587", ["mail.example.com:587"]),
        ("https://mail.example.com", ["web"]),
        ("web", ["web"]),
    ],
)
def test_a_target_of_the_configuration_is_scanned_as_it_says_however_it_is_spelt(
    mail_config: str, text: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    configured = {target.name: target for target in _chosen(mail_config)}
    assert _chosen(mail_config, text) == [configured[name] for name in names]
    assert capsys.readouterr().err == ""


def test_options_of_the_command_line_go_before_the_target_s_own(mail_config: str) -> None:
    smtp, web = _chosen(mail_config, "--timeout=7s", "--policy=mozilla-old", "mail.example.com")
    assert smtp.scan_timeout == web.scan_timeout == timedelta(seconds=7)
    assert smtp.policies == web.policies == ("mozilla-old",)
    assert smtp.connect_address == "127.0.0.1"


def test_a_target_of_no_configuration_has_its_global_settings(tmp_path: Path) -> None:
    (plain,) = _chosen(f"--config.file={write_config(tmp_path)}", "www.example.com")
    (patient,) = _chosen(f"--config.file={write_config(tmp_path, head=', scan_timeout: 5m')}", "www.example.com")
    assert plain.timeout_seconds == patient.timeout_seconds == 2.0
    assert (plain.scan_timeout, patient.scan_timeout) == (timedelta(seconds=60), timedelta(minutes=5))


def test_another_service_of_a_configured_host_is_scanned_and_said_to_be_another(
    mail_config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (target,) = _chosen(mail_config, "imaps://mail.example.com")
    assert (target.name, target.protocol, target.connect_address) == ("mail.example.com:993", "imaps", None)
    assert capsys.readouterr().err == (
        "tls-posture-exporter: imaps://mail.example.com is none of the configured targets of this host "
        "(mail.example.com:587 (smtp), web (https)); only global settings apply to it\n"
    )


def test_what_two_texts_mean_is_not_scanned_twice(mail_config: str) -> None:
    with pytest.raises(ExporterError, match="named twice: web"):
        _chosen(mail_config, "mail.example.com", "web")


@pytest.mark.real
def test_scan_in_every_format_against_nginx(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "weak").mkdir()
    with (
        nginx(tmp_path / "good", SEED_NGINX, [pki.ecdsa, pki.rsa]) as good,
        nginx(tmp_path / "weak", WEAK_NGINX, [pki.rsa]) as weak,
    ):
        file = write_config(tmp_path, target("good", good), target("weak", weak), head=f", ca_file: {pki.bundle}")
        flag = f"--config.file={file}"

        weak_table = run("scan", flag, "weak")
        assert weak_table.returncode == 1
        assert "DOES NOT COMPLY" in weak_table.stdout

        table = run("scan", flag, "good")
        assert table.returncode == 3, "the CAA lookup fails here, and unknown is not a pass"
        assert "accepts TLSv1.2, TLSv1.3 only" in table.stdout

        document = run("scan", flag, "--format=json")
        assert document.returncode == 1
        form = ReportsForm.model_validate(json.loads(document.stdout))
        assert [(report.target, report.compliant) for report in form.reports] == [("good", None), ("weak", False)]
        assert form.reports[0].facts.certificate is not None
        assert form.reports[0].facts.certificate["trusted"] is True

        page = run("scan", flag, "--format=prometheus")
        families = {family.name: family for family in text_string_to_metric_families(page.stdout)}
        weak_protocols = {s.labels["target"]: s.value for s in families["tls_posture_weak_protocols"].samples}
        assert weak_protocols == {"good": 0, "weak": 2}


def test_demo_shows_one_that_complies_and_one_that_does_not() -> None:
    done = run("demo", "--once", "--web.listen-address=127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    assert "meets-the-checklist  complies" in done.stdout
    assert "fails-the-checklist  DOES NOT COMPLY" in done.stdout
    assert "/metrics" in done.stdout
    assert done.stdout.count("FAIL ") >= 5, "most of the checklist"
    assert done.stderr == ""

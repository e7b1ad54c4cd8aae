"""The command line: output and exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.__main__ import main
from exporter.policies import shipped
from exporter.report import ReportsForm
from tests.support.processes import free_port
from tests.support.servers import SEED_NGINX, WEAK_NGINX, Pki, make_pki, nginx


class Done(NamedTuple):
    """What a command came to; named as in `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str) -> Done:
    """The command in this process: a second less each time than a process of its own."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        try:
            code = main(arguments)
        except SystemExit as ended:  # as argparse ends a program
            code = int(ended.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def run_alone(*arguments: str) -> Done:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "exporter", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


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
    done = run_alone("--help")
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


def test_check_config_says_what_becomes_of_targets_in_other_files(tmp_path: Path) -> None:
    file, listed = Path(write_config(tmp_path, "a.example")), tmp_path / "list.yaml"
    file.write_text(
        f"{file.read_text()}file_sd_configs: [{{files: [list.yaml]}}]\n"
        "relabel_configs: [{source_labels: [__address__], regex: test.*, action: drop}]\n"
    )
    listed.write_text("- targets: [a.example, b.example, test.example, 'c.example:0']\n")
    done = run("check-config", f"--config.file={file}")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == [
        "file_sd_configs.0: 1 used, 1 merged, 1 dropped, 1 rejected",
        "file_sd_configs.0: rejected c.example:0: '0' is not a port (1 to 65535) in 'c.example:0'",
    ]
    listed.write_text("- targts: [a.example]\n")
    done = run("check-config", f"--config.file={file}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{listed}:1:11: 0.targts: unknown key" in done.stderr


def test_check_config_says_which_exceptions_have_no_effect(tmp_path: Path) -> None:
    file, listed = Path(write_config(tmp_path, "a.example")), tmp_path / "list.yaml"
    others = "until: 2999-12-31, reason: x, accepted_by: y"
    file.write_text(
        f"{file.read_text()}file_sd_configs: [{{files: [list.yaml]}}]\nexceptions:\n"
        f"- {{match: '{{host=\"a.example\"}}', check: hsts, {others}}}\n"
        "- {match: '{}', check: hsts, until: 2026-10-31, reason: x, accepted_by: y}\n"
        f"- {{match: '{{team=\"none\"}}', check: hsts, {others}}}\n"
        f"- {{match: '{{team=\"web\"}}', check: [dane, hsts], {others}}}\n"
        f"- {{match: '{{}}', check: dane, {others}}}\n"
        f"- {{match: '{{}}', check: hsts, severity: critical, {others}}}\n"
    )
    listed.write_text("- {targets: [b.example], labels: {team: web}}\n")
    hints = [
        "exceptions.1: ended on 2026-10-31",
        "exceptions.2: matches no target",
        "exceptions.4: no target that it matches is judged by such a check",
        "exceptions.5: no target that it matches is judged by such a check",
    ]
    done = run("check-config", f"--config.file={file}")
    assert (done.returncode, done.stdout.splitlines()[2:]) == (0, hints)
    file.write_text(f"{file.read_text()}http_sd_configs: [{{url: 'http://h/'}}]\n")
    done = run("check-config", f"--config.file={file}")
    assert done.stdout.splitlines()[3:4] == [f"{hints[1]}; targets of other sources are not known here"]


def test_check_config_says_how_many_sources_of_targets(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("file_sd_configs: [{files: [a.yaml]}]\nhttp_sd_configs: [{url: 'http://h/'}, {url: 'http://i/'}]\n")
    done = run("check-config", f"--config.file={file}")
    assert "valid, no targets and 3 sources of targets\n" in done.stdout


@pytest.mark.parametrize(("text", "code"), [("basic_auth_users: {}", 0), ("basic_auth_users: {alice: secret}", 2)])
def test_check_config_judges_a_web_configuration_alone_and_with_the_other(tmp_path: Path, text: str, code: int) -> None:
    web = tmp_path / "web.yml"
    web.write_text(text)
    for flags in ([], [f"--config.file={write_config(tmp_path, 'a.example')}"]):
        done = run("check-config", f"--web.config.file={web}", *flags)
        assert done.returncode == code
        assert ("config.yaml: valid, 1 target\n" in done.stdout) == bool(flags)
        assert (f"{web}: valid\n" in done.stdout) == (code == 0)
        assert (f"{web}:1:27: basic_auth_users.alice: is not a bcrypt hash" in done.stderr) == (code == 2)
        assert "secret" not in done.stderr


def test_check_config_without_a_file_is_2() -> None:
    done = run("check-config")
    assert done.returncode == 2
    assert "--web.config.file" in done.stderr


def test_serve_does_not_start_with_a_wrong_web_configuration(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_users: {alice: secret}")
    done = run("serve", f"--config.file={write_config(tmp_path, 'a.example')}", f"--web.config.file={web}")
    assert done.returncode == 2
    assert "web.yml:1:27: basic_auth_users.alice: is not a bcrypt hash" in done.stderr


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
    done = run("scan", *policies, "--format=json", f"127.0.0.1:{free_port()}")
    assert done.returncode == 3
    (one,) = json.loads(done.stdout)["reports"]
    assert one["policies"] == {"kopano-checklist": None, "mozilla-modern": None}


@pytest.mark.parametrize("second", ["kopano-checklist", str(shipped()["kopano-checklist"])])
def test_a_policy_named_twice_is_2(second: str) -> None:
    done = run("scan", "--policy=kopano-checklist", f"--policy={second}", f"127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tls-posture-exporter: policy given twice: kopano-checklist\n"


def test_a_reader_that_has_gone_is_no_verdict() -> None:
    command = f"{sys.executable} -m exporter policies list"
    script = f"({command}; echo code $? >&2) | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr in {"code 141\n", "code 0\n"}, "0 when it was written before the reader left"


@pytest.mark.parametrize("name", ["table", "csv"])
def test_a_full_disk_is_a_message(name: str) -> None:
    command = [sys.executable, "-m", "exporter", "scan", "127.0.0.1:1", f"--format={name}"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == "tls-posture-exporter: cannot write standard output: No space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize("number", [1, 2])
def test_a_table_without_a_reader_is_no_verdict(number: int) -> None:
    targets = [f"127.0.0.1:{free_port()}" for _ in range(number)]
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "exporter", "scan", *targets]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("environment", "width", "coloured"),
    [
        ({}, 80, False),
        ({"COLUMNS": "120"}, 120, False),
        ({"COLUMNS": "1"}, 40, False),
        ({"COLUMNS": "wide"}, 80, False),
        ({"FORCE_COLOR": "1"}, 80, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, 80, False),
    ],
)
def test_the_width_and_colours_of_a_pipe(environment: dict[str, str], width: int, coloured: bool) -> None:
    usual = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    targets = [f"tls://127.0.0.1:{free_port()}", f"imap+starttls://127.0.0.1:{free_port()}"]
    command = [sys.executable, "-m", "exporter", "scan", *targets]
    env = usual | {"TERM": "xterm"} | environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert done.returncode == 3
    assert done.stderr == "", "nobody sees progress there"
    assert ("\x1b[1;33munreachable" in done.stdout) == coloured
    assert re.sub("\x1b\\[[0-9;]*m", "", done.stdout).startswith("2 targets: 2 unreachable.\n")
    script = "import sys; from exporter.terminal import output_console; print(output_console().width)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True).stdout
    assert int(shown) == width


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
        assert [(report.target, report.compliant) for report in form.reports] == [("weak", False), ("good", None)]
        assert form.reports[1].facts.certificate is not None
        assert form.reports[1].facts.certificate["trusted"] is True

        page = run("scan", flag, "--format=prometheus")
        families = {family.name: family for family in text_string_to_metric_families(page.stdout)}
        weak_protocols = {s.labels["target"]: s.value for s in families["tls_posture_weak_protocols"].samples}
        assert weak_protocols == {"good": 0, "weak": 2}


def test_demo_shows_services_an_alert_and_what_ends_it() -> None:
    done = run_alone("demo", "--once", "--web.listen-address=127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    first, _, rest = done.stdout.partition("\nPrometheus starts")
    assert "\n6 targets: 3 do not comply, 3 comply.\n" in first
    assert "\nbalanced-pair      DOES NOT COMPLY  A+/B " in first
    assert "\npost-quantum-site  complies         A+\n" in first
    assert "http" not in done.stdout, "no link to a page that is gone"
    assert "It fires TLSPostureWeakProtocol for mail," in rest
    assert "\n6 targets: 2 do not comply, 4 comply.\n" in rest
    assert rest.endswith("TLSPostureWeakProtocol has ended for mail.\n")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert max(len(first.splitlines()), len(rest.splitlines())) < 24, "each part fits into the smallest terminal"
    assert done.stderr == ""


def test_demo_says_what_an_alert_would_do_where_prometheus_is_not_installed(tmp_path: Path) -> None:
    """On a terminal, it waits for Enter."""
    main_end, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    lines: list[str] = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Press Enter"):
                os.write(main_end, b"\n")
            if line.startswith("Serving until"):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0, lines
    text = "".join(lines)
    assert re.search(r"^Pages: http://[0-9.]+:[0-9]+/  Metrics: http://[0-9.]+:[0-9]+/metrics$", text, re.MULTILINE)
    assert "\ntls_posture_weak_protocols of mail is 2: Prometheus would fire TLSPostureWeakProtocol, but" in text
    assert "\ntls_posture_weak_protocols of mail is 0: the alert would end.\nServing until Ctrl-C.\n" in text
    os.close(main_end)
    os.close(terminal)

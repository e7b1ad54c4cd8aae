"""Which targets `scan` scans, its exit code, and what it imports."""

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.cli.parser import make_parser
from exporter.cli.scan import scan_targets
from exporter.errors import ExporterError
from exporter.model import Target
from exporter.policies import read_config
from tests.cli.test_command import write_config
from tests.cli.test_parser import loaded
from tests.support.processes import free_port


def _chosen(*arguments: str) -> list[Target]:
    """The targets that `scan` with these arguments would scan."""
    options = make_parser().parse_args(["scan", *arguments])
    return scan_targets(options, read_config(options.config_file))


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


@pytest.mark.parametrize("text", ["mail.exmaple.com", "https://mail.exampel.com", "mail.example.co"])
def test_a_host_that_is_spelt_almost_like_a_configured_one_is_scanned_with_a_hint(
    mail_config: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (target,) = _chosen(mail_config, text)
    assert target.host in text
    assert capsys.readouterr().err == (
        f"tls-posture-exporter: {text} is none of the configured targets; did you mean mail.example.com? "
        "Only global settings apply to it\n"
    )


def test_a_host_like_no_configured_one_gets_no_hint(mail_config: str, capsys: pytest.CaptureFixture[str]) -> None:
    _chosen(mail_config, "www.test.example")
    assert capsys.readouterr().err == ""


def test_a_name_that_is_no_host_and_almost_a_configured_one_is_refused_with_a_hint(tmp_path: Path) -> None:
    config = f"--config.file={write_config(tmp_path, '{host: a.example, name: the web shop}')}"
    with pytest.raises(ExporterError, match=r"'the webshop' is none of .* did you mean the web shop"):
        _chosen(config, "the webshop")
    with pytest.raises(ExporterError, match="is not a target; write host"):
        _chosen(config, "something else")


def test_what_two_texts_mean_is_not_scanned_twice(mail_config: str) -> None:
    with pytest.raises(ExporterError, match="named twice: web"):
        _chosen(mail_config, "mail.example.com", "web")


DAEMON = {
    "apscheduler",
    "uvicorn",
    "starlette",
    "exporter.app",
    "exporter.freshness",
    "exporter.schedule",
    "exporter.web",
}
BY_FORMAT = {
    "json": {"exporter.report"},
    "prometheus": {"exporter.metrics", "prometheus_client"},
    "table": {"exporter.terminal", "rich"},
}


@pytest.mark.parametrize("form", BY_FORMAT)
def test_a_scan_loads_nothing_of_the_daemon_and_of_other_formats(form: str) -> None:
    names = loaded("scan", f"127.0.0.1:{free_port()}", f"--format={form}")
    assert names & DAEMON == set()
    assert names & set().union(*BY_FORMAT.values()) == BY_FORMAT[form]

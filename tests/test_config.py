"""Valid configuration files and their results. The invalid ones are in `test_config_bad.py`."""

import errno
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.config import Config, KnownNames, load_config
from exporter.config.sections import GlobalSettings, MetricsSettings, TargetSettings
from exporter.config.values import RESERVED_LABELS, is_policy_path, parse_duration
from exporter.errors import ConfigError, TargetError
from exporter.policies import read_config, shipped
from exporter.targets import static_targets
from tests.support.certificates import issue, pem_file

CLIENT = issue("client")
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def _load(folder: Path, text: str) -> Config:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return read_config(file)


def _only_target(folder: Path, text: str) -> TargetSettings:
    """The one target of a file whose `targets:` is this."""
    (target,) = _load(folder, f"targets:\n{text}").targets
    return target


@pytest.mark.parametrize(
    "text", ["{}", "targets:", "targets: []", "global:\ntargets:\nmetrics:", "global: {}", "\ufefftargets: []"]
)
def test_a_file_that_says_nothing_gives_the_defaults(tmp_path: Path, text: str) -> None:
    config = _load(tmp_path, text)
    assert config == Config()
    assert config.metrics == MetricsSettings(detail="default")
    assert config.global_.model_dump() == {
        "policy": "kopano-checklist",
        "policies": None,
        "scan_interval": 6 * HOUR,
        "scan_timeout": None,
        "timeout": 5 * SECOND,
        "max_age": None,
        "vulnerability_interval": None,
        "connections_per_host": 4,
        "connection_gap": None,
        "proxy_url": None,
        "ehlo_name": None,
        "addresses": "one",
        "ip_protocol": "any",
        "max_concurrent_scans": 10,
        "ca_file": None,
        "trust_store": None,
        "trust_stores": {},
        "tls_config": None,
        "http": None,
        "contact": None,
        "clients": None,
        "zone": None,
        "backend": "local",
        "resolver": None,
    }


def test_a_key_without_a_value_is_as_good_as_none(tmp_path: Path) -> None:
    text = "global:\n  policy:\n  timeout: ~\n  resolver:\ntargets:\n  - host: a.example\n    name:\n    labels:\n"
    assert _load(tmp_path, text) == Config(targets=[TargetSettings(host="a.example")])


def test_every_global_option_is_taken(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    (tmp_path / "office.key").write_text("k" * 32)
    client = str(pem_file(tmp_path / "client.pem", CLIENT, key=CLIENT))
    config = _load(
        tmp_path,
        """
global:
  policy: kopano-checklist
  scan_interval: 1h
  scan_timeout: 1m
  timeout: 2s
  max_age: 5h
  vulnerability_interval: 7d
  connections_per_host: 2
  connection_gap: 20ms
  proxy_url: http://proxy.example.com:3128
  ehlo_name: Scanner.example.com.
  addresses: all
  ip_protocol: ip6
  max_concurrent_scans: 3
  backend: celery
  zone: office
  ca_file: ca.pem
  trust_stores: {internal: ca.pem}
  tls_config: {cert_file: client.pem, key_file: client.pem}
  contact: https://example.com/scans
  clients: [android-4.4.2, java-8u161]
  http: {path: "/a?b=c", host: Other.example.com, user_agent: "scanner/1 (x)", port: off}
  resolver:
    nameservers: [192.0.2.53, "2001:db8::53"]
    port: 5353
    timeout: 1s
celery:
  broker_url: redis://127.0.0.1
  zones: {office: {key_file: office.key}}
metrics:
  detail: full
""",
    )
    usual = config.global_
    assert usual.model_dump(exclude={"resolver"}) == {
        "policy": "kopano-checklist",
        "policies": None,
        "scan_interval": HOUR,
        "scan_timeout": MINUTE,
        "timeout": 2 * SECOND,
        "max_age": 5 * HOUR,
        "vulnerability_interval": 7 * 24 * HOUR,
        "connections_per_host": 2,
        "connection_gap": timedelta(milliseconds=20),
        "proxy_url": "http://proxy.example.com:3128",
        "ehlo_name": "scanner.example.com",
        "addresses": "all",
        "ip_protocol": "ip6",
        "max_concurrent_scans": 3,
        "ca_file": str(tmp_path / "ca.pem"),
        "trust_store": None,
        "trust_stores": {"internal": str(tmp_path / "ca.pem")},
        "tls_config": {"cert_file": client, "key_file": client},
        "contact": "https://example.com/scans",
        "clients": ["android-4.4.2", "java-8u161"],
        "zone": "office",
        "backend": "celery",
        "http": {"path": "/a?b=c", "host": "other.example.com", "user_agent": "scanner/1 (x)", "port": "off"},
    }
    assert usual.resolver is not None
    assert usual.resolver.nameservers == ["192.0.2.53", "2001:db8::53"]
    assert (usual.resolver.port, usual.resolver.timeout) == (5353, SECOND)
    assert usual.resolver.validating is False
    assert config.metrics.detail == "full"


@pytest.mark.parametrize(
    ("text", "name", "protocol", "starttls"),
    [
        ("www.example.com", "www.example.com:443", "https", None),
        ("www.example.com:8443", "www.example.com:8443", "https", None),
        ("mail.example.com:993", "mail.example.com:993", "imaps", None),
        ("192.0.2.1:636", "192.0.2.1:636", "ldaps", None),
        ("'[2001:db8::1]:443'", "[2001:db8::1]:443", "https", None),
        ("2001:DB8::1", "[2001:db8::1]:443", "https", None),
        ("https://www.example.com:993", "www.example.com:993", "https", None),
        ("imaps://mail.example.com", "mail.example.com:993", "imaps", None),
        ("tls://mqtt.example.com:8883", "mqtt.example.com:8883", "tls", None),
        ("smtp+starttls://mail.example.com", "mail.example.com:25", "smtp", "smtp"),
        ("smtp+starttls://mail.example.com:587", "mail.example.com:587", "smtp", "smtp"),
        ("lmtp+starttls://mail.example.com", "mail.example.com:24", "lmtp", "lmtp"),
        ("imap+starttls://mail.example.com", "mail.example.com:143", "imap", "imap"),
        ("pop3+starttls://mail.example.com", "mail.example.com:110", "pop3", "pop3"),
        ("postgres+starttls://db.example.com", "db.example.com:5432", "postgres", "postgres"),
        ("bücher.example", "xn--bcher-kva.example:443", "https", None),
        ("{host: www.example.com}", "www.example.com:443", "https", None),
        ("{host: WWW.example.com., port: 8443}", "www.example.com:8443", "https", None),
        ("{host: mail.example.com, protocol: smtps}", "mail.example.com:465", "smtps", None),
        ("{host: mail.example.com, port: 2465, protocol: smtps}", "mail.example.com:2465", "smtps", None),
        ("{host: mail.example.com, starttls: imap}", "mail.example.com:143", "imap", "imap"),
        ("{host: mqtt.example.com, protocol: tls, port: 8883}", "mqtt.example.com:8883", "tls", None),
        ("{host: 'bücher.example'}", "xn--bcher-kva.example:443", "https", None),
        ("{host: '[2001:db8::1]'}", "[2001:db8::1]:443", "https", None),
        ("{host: www.example.com, name: shop}", "shop", "https", None),
    ],
)
def test_every_form_of_a_target_is_understood(
    tmp_path: Path, text: str, name: str, protocol: str, starttls: str | None
) -> None:
    target = _only_target(tmp_path, f"  - {text}\n")
    assert (target.effective_name, target.effective_protocol, target.starttls) == (name, protocol, starttls)


def test_a_target_keeps_what_it_says_of_itself(tmp_path: Path) -> None:
    target = _only_target(
        tmp_path,
        """
  - host: www.example.com
    server_name: Shop.Example.com
    connect_address: 192.0.2.10
    labels: {team: web, _rack: "12"}
    scan_interval: 1h
    scan_timeout: 1h
    connections_per_host: 1
""",
    )
    assert target.server_name == "shop.example.com"
    assert target.connect_address == "192.0.2.10"
    assert target.labels == {"team": "web", "_rack": "12"}
    assert target.scan_timeout == target.scan_interval == HOUR
    assert target.connections_per_host == 1


@pytest.mark.parametrize(
    "word",
    ["no", "yes", "on", "off", "y", "12:30", "017", "0x1F", "0o17", "1_000", "2026-11-22", "1e3", ".inf", ".nan", "="],
)
def test_words_that_yaml_once_took_for_something_else_stay_text(tmp_path: Path, word: str) -> None:
    target = _only_target(tmp_path, f"  - host: www.example.com\n    name: {word}\n    labels: {{a: {word}}}\n")
    assert target.name == word
    assert target.labels == {"a": word}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1ms", timedelta(milliseconds=1)),
        ("90s", 90 * SECOND),
        ("5m", 5 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("2d", timedelta(days=2)),
        ("3w", timedelta(weeks=3)),
        ("10y", timedelta(days=3650)),
        ("0h5m", 5 * MINUTE),
        ("007s", 7 * SECOND),
        ("1y2w3d4h5m6s7ms", timedelta(days=365 + 14 + 3, hours=4, minutes=5, seconds=6, milliseconds=7)),
    ],
)
def test_durations_are_spelt_as_in_prometheus(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "5", "s", "5 s", "5s ", "5s\n", "-5s", "+5s", "1.5h", "5S", "30m1h", "5s5s", "٥s", "5sec"),
        *("0s", "0ms", "10y1ms", "11y", "9" * 400 + "s", "9" * 400 + "ms", "1e3s"),
        *(5, 0, 1.5, True, None, [], {}, b"5s"),
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|is out of range"):
        parse_duration(value)


@given(st.text() | st.from_regex(r"\A(?:\d{0,15}(?:y|w|d|h|ms|m|s)){0,8}\Z") | st.integers() | st.none() | st.binary())
@example("99999999999y99999999999w")
@example("²s")
def test_whatever_a_duration_is_given_as_it_is_positive_or_refused(value: object) -> None:
    duration, refused = None, None
    try:
        duration = parse_duration(value)
    except ValueError as error:
        refused = error
    if duration is None:
        assert type(refused) is ValueError
        assert "duration" in str(refused)
    else:
        assert timedelta(0) < duration <= timedelta(days=3650)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", timedelta(0)),
        ("1ms", timedelta(milliseconds=1)),
        ("100ms", timedelta(milliseconds=100)),
        ("10s", 10 * SECOND),
    ],
)
def test_a_gap_may_be_none_and_is_at_most_ten_seconds(text: str, expected: timedelta) -> None:
    assert GlobalSettings.model_validate({"connection_gap": text}).connection_gap == expected
    with pytest.raises(ValidationError, match="is too long for a gap"):
        GlobalSettings.model_validate({"connection_gap": "10s1ms"})


def test_no_word_about_a_configuration_holds_the_password_of_a_proxy(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        "global: {proxy_url: 'http://scanner:hunter2@a.example:1'}\n"
        "targets: [{host: www.example.com, proxy_url: 'socks5://scanner:hunter2@b.example:1'}]\n",
    )
    assert all(target.proxy and target.proxy.password == "hunter2" for target in static_targets(config))  # noqa: S105
    assert "hunter2" not in f"{config!r} {config} {static_targets(config)}"


@given(st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=3650)))
def test_a_duration_in_milliseconds_is_read_exactly(duration: timedelta) -> None:
    milliseconds = duration // timedelta(milliseconds=1)
    seconds, rest = divmod(milliseconds, 1000)
    assert parse_duration(f"{seconds}s{rest}ms") == timedelta(milliseconds=milliseconds)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a CA bundle and a policy in it, which is not the current one."""
    folder = tmp_path / "etc"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "ca.pem").touch()
    (folder / "sub" / "own.yaml").write_bytes(shipped()["kopano-checklist"].read_bytes())
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("section", ["global:\n  ", "targets:\n- host: www.example.com\n  "])
@pytest.mark.parametrize("absolute", [False, True])
def test_paths_start_at_the_folder_of_the_file(elsewhere: Path, section: str, absolute: bool) -> None:
    before = f"{elsewhere}/" if absolute else ""
    (elsewhere / "config.yaml").write_text(f"{section}ca_file: {before}sub/ca.pem\n  policy: {before}sub/own.yaml\n")
    config = read_config(Path("etc/config.yaml"))
    settings = config.targets[0] if config.targets else config.global_
    assert settings.ca_file == str(elsewhere / "sub" / "ca.pem")
    assert settings.policy == str(elsewhere / "sub" / "own.yaml")


def test_a_file_that_may_not_be_read_is_a_problem(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, opens = elsewhere / "config.yaml", os.open

    def refuse(path: str, flags: int) -> int:
        if path == str(config):
            return opens(path, flags)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match=r"2:12: global\.ca_file: .*/sub/ca\.pem cannot be read: Permission denied$"):
        _load(elsewhere, "global:\n  ca_file: sub/ca.pem\n")


@pytest.mark.parametrize(
    ("policy", "is_path"),
    [("kopano-checklist", False), ("own.yaml", True), ("own.yml", True), ("./own", True), ("yaml", False)],
)
def test_a_policy_is_a_path_by_its_look(policy: str, is_path: bool) -> None:
    assert is_policy_path(policy) is is_path


def test_a_policy_is_looked_at_once_however_many_targets_name_it(tmp_path: Path) -> None:
    asked: list[str] = []

    def wrong_policy(policy: str) -> str:
        asked.append(policy)
        return "is wrong"

    file = tmp_path / "config.yaml"
    file.write_text("targets:\n" + "".join(f"- {{host: h{n}, policy: strict}}\n" for n in range(3)), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file, KnownNames(wrong_policy, str))
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]
    assert asked == ["strict"]


def test_a_target_can_build_on_another(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        """
targets:
  - &web
    host: www.example.com
    timeout: 3s
    labels: &labels {team: web}
  - <<: *web
    host: shop.example.com
    timeout: 9s
  - host: mail.example.com
    labels: *labels
""",
    )
    assert [(target.host, target.timeout, target.labels) for target in config.targets] == [
        ("www.example.com", 3 * SECOND, {"team": "web"}),
        ("shop.example.com", 9 * SECOND, {"team": "web"}),
        ("mail.example.com", None, {"team": "web"}),
    ]


@pytest.mark.parametrize(
    ("usual", "own"),
    [
        ("", "scan_timeout: 6h"),
        ("", "scan_interval: 30s"),
        ("scan_timeout: 5m", "scan_interval: 5m"),
        ("scan_timeout: 5m", "{scan_interval: 1m, scan_timeout: 1m}"),
        ("scan_interval: 1m", "{scan_interval: 1h, scan_timeout: 5m}"),
    ],
)
def test_a_scan_may_take_as_long_as_its_interval(tmp_path: Path, usual: str, own: str) -> None:
    text = f"global: {{{usual}}}\ntargets:\n- {{host: www.example.com, {own.strip('{}')}}}\n"
    (target,) = static_targets(_load(tmp_path, text))
    assert target.scan_timeout <= target.scan_interval


def test_two_services_of_one_host_are_two_targets(tmp_path: Path) -> None:
    text = "targets: [www.example.com, 'www.example.com:8443', {host: www.example.com, name: again}]"
    assert len(_load(tmp_path, text).targets) == 3


def test_problems_are_placed_by_line_and_column_counted_from_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, "colour: red\nglobal:\n  timeout:   fast\n")
    assert [(p.line, p.column, p.path) for p in caught.value.problems] == [(1, 1, "colour"), (3, 14, "global.timeout")]
    assert str(caught.value).splitlines()[0] == f"{tmp_path}/config.yaml:1:1: colour: unknown key"


def test_a_file_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        read_config(tmp_path / "config.yaml")
    with pytest.raises(ConfigError, match="cannot be read: it is a directory"):
        read_config(tmp_path)


@pytest.mark.parametrize("label", sorted(RESERVED_LABELS))
def test_labels_of_our_own_series_are_not_the_operators(label: str) -> None:
    with pytest.raises(ValidationError, match="is a label that the exporter or Prometheus sets"):
        TargetSettings(host="www.example.com", labels={label: "a"})


def test_a_target_named_on_the_command_line_is_read_as_in_the_file(tmp_path: Path) -> None:
    for text in ("www.example.com", "mail.example.com:993", "imap+starttls://mail.example.com", "tls://a.example:1"):
        assert TargetSettings.from_text(text) == _only_target(tmp_path, f"  - {text}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls://www.example.com", "^'tls://www.example.com': protocol tls has no usual port: port is required$"),
        ("www.example.com:0", "^'0' is not a port"),
    ],
)
def test_a_bad_target_on_the_command_line_is_a_target_error(text: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        TargetSettings.from_text(text)


def test_a_configuration_does_not_change_after_it_was_read() -> None:
    with pytest.raises(ValidationError):
        setattr(GlobalSettings(), "policy", "other")  # noqa: B010 - the type checker knows it cannot be set


# --- client certificates ----------------------------------------------------------------------------------------------


def test_a_key_of_another_certificate_is_refused_where_it_is_named(tmp_path: Path) -> None:
    other = issue("other")
    pem_file(tmp_path / "client.pem", CLIENT, key=CLIENT)
    pem_file(tmp_path / "other.pem", other, key=other)
    text = "targets:\n  - host: a.example\n    tls_config:\n      cert_file: client.pem\n      key_file: other.pem\n"
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert str(caught.value) == (
        f"{tmp_path}/config.yaml:5:17: targets.0.tls_config.key_file: "
        f"{tmp_path}/other.pem is not the key of the certificate in {tmp_path}/client.pem"
    )


def test_a_file_that_holds_no_key_is_not_quoted(tmp_path: Path) -> None:
    pem_file(tmp_path / "client.pem", CLIENT, key=CLIENT)
    (tmp_path / "key.pem").write_bytes(CLIENT.key_pem().replace(b"BEGIN PRIVATE KEY", b"BEGIN SECRET"))
    text = "global:\n  tls_config: {cert_file: client.pem, key_file: key.pem}\n"
    with pytest.raises(
        ConfigError, match=r"2:49: global\.tls_config\.key_file: .*key\.pem holds no private key"
    ) as caught:
        _load(tmp_path, text)
    assert CLIENT.key_pem().decode().split("\n")[1] not in str(caught.value)


def test_a_target_can_have_several_policies(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_bytes(shipped()["kopano-checklist"].read_bytes().replace(b"name: kopano-checklist", b"name: own"))
    text = """
global:
  policies: [kopano-checklist, own.yaml]
targets:
  - a.example
  - {host: b.example, policy: own.yaml}
  - {host: c.example, policies: [own.yaml]}
"""
    targets = static_targets(_load(tmp_path, text))
    assert [target.policies for target in targets] == [("kopano-checklist", str(own)), (str(own),), (str(own),)]


def test_a_target_without_policies_of_its_own_has_the_checklist() -> None:
    assert static_targets(Config(targets=[TargetSettings(host="a.example")]))[0].policies == ("kopano-checklist",)

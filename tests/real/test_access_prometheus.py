"""The same web configuration file for our daemon and for a real Prometheus: the same requests get the same answers."""

import base64
import contextlib
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import bcrypt
import pytest

from exporter.errors import ConfigError
from exporter.web.access import read_web_config
from tests.support.processes import find_program, free_port, running, wait_for
from tests.support.prometheus import scraping
from tests.web.access.served import MUTUAL, NAME, PASSWORD, TLS, USERS, Files

pytestmark = pytest.mark.real

LONG = b"x" * 72
ACCENT = "pässwörd"
ACCOUNTS = {
    **USERS,
    "long": bcrypt.hashpw(LONG, bcrypt.gensalt(4)).decode(),
    "é": bcrypt.hashpw(ACCENT.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "empty": bcrypt.hashpw(b"", bcrypt.gensalt(4)).decode().replace("$2b$", "$2a$"),
}
CLOSED = "closed"
OLD = "ignore:ssl.TLSVersion.TLSv1:DeprecationWarning"


class Ports(NamedTuple):
    """Of two servers with the same web configuration."""

    ours: int
    prometheus: int


class Site(NamedTuple):
    """A web configuration, and the two servers."""

    files: Files
    ports: Ports


def _command(program: list[str], web: Path, port: int) -> list[str]:
    return [*program, f"--web.config.file={web}", f"--web.listen-address=127.0.0.1:{port}"]


@contextmanager
def site(folder: Path, settings: dict[str, Any]) -> Iterator[Site]:
    files, ports = Files(folder), Ports(free_port(), free_port())
    web = files.write(settings)
    ours, theirs = folder / "exporter.yml", folder / "prometheus.yml"
    ours.write_text("targets: []\n")
    theirs.write_text("global: {}\n")
    prometheus = [find_program("prometheus"), f"--config.file={theirs}", f"--storage.tsdb.path={folder}/data"]
    exporter = [sys.executable, "-m", "exporter", "serve", f"--config.file={ours}", "--log.level=debug"]
    with (
        running(_command(prometheus, web, ports.prometheus), folder / "prometheus.log", port=ports.prometheus),
        running(_command(exporter, web, ports.ours), folder / "exporter.log", port=ports.ours),
    ):
        yield Site(files, ports)


def ask(port: int, lines: list[bytes], tls: ssl.SSLContext | None = None) -> tuple[str, dict[str, str]]:
    """The status of a health check with these lines in its head, and the fields of the answer."""
    head = b"\r\n".join([b"GET /-/healthy HTTP/1.1", b"Host: test", b"Connection: close", *lines, b"", b""])
    data = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        tls.wrap_socket(plain, server_hostname=NAME) if tls else contextlib.nullcontext(plain) as connection,
    ):
        connection.sendall(head)
        while more := connection.recv(65536):
            data += more
    if not data:
        return CLOSED, {}
    first, *rest = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return first.split(" ")[1], fields


def basic(user: str, password: bytes, scheme: bytes = b"Basic ") -> list[bytes]:
    return [b"Authorization: " + scheme + base64.b64encode(user.encode() + b":" + password)]


FIELDS = {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=1", "Content-Security-Policy": "none"}
ACCOUNT_REQUESTS: list[tuple[str, list[bytes], str]] = [
    ("no password", [], "401"),
    ("right", basic("alice", PASSWORD), "200"),
    ("right, again", basic("alice", PASSWORD), "200"),
    ("wrong", basic("alice", b"wrong"), "401"),
    ("wrong, again", basic("alice", b"wrong"), "401"),
    ("unknown user", basic("carol", PASSWORD), "401"),
    ("the password of the fake hash", basic("carol", b"fakepassword"), "401"),
    ("user in upper case", basic("ALICE", PASSWORD), "401"),
    ("user with a space", basic("alice ", PASSWORD), "401"),
    ("password with a space", basic("alice", PASSWORD + b" "), "401"),
    ("password with a NUL", basic("alice", PASSWORD + b"\0"), "401"),
    ("empty password", basic("alice", b""), "401"),
    ("empty user", basic("", PASSWORD), "401"),
    ("empty user and password", basic("", b""), "401"),
    ("a user whose password is empty", basic("empty", b""), "200"),
    ("a user whose password is empty, with one", basic("empty", b"x"), "401"),
    ("UTF-8", basic("é", ACCENT.encode()), "200"),
    ("Latin-1", [b"Authorization: Basic " + base64.b64encode("é:pässwörd".encode("latin-1"))], "401"),
    ("72 bytes", basic("long", LONG), "200"),
    ("71 bytes", basic("long", LONG[1:]), "401"),
    ("the password of another user", basic("alice", LONG), "401"),
    ("scheme in lower case", basic("alice", PASSWORD, b"basic "), "200"),
    ("scheme in upper case", basic("alice", PASSWORD, b"BASIC "), "200"),
    ("two spaces after the scheme", basic("alice", PASSWORD, b"Basic  "), "401"),
    ("a tab after the scheme", basic("alice", PASSWORD, b"Basic\t"), "401"),
    ("no space after the scheme", basic("alice", PASSWORD, b"Basic"), "401"),
    ("no scheme", basic("alice", PASSWORD, b""), "401"),
    ("another scheme", basic("alice", PASSWORD, b"Bearer "), "401"),
    ("scheme only", [b"Authorization: Basic"], "401"),
    ("empty field", [b"Authorization:"], "401"),
    ("no base64", [b"Authorization: Basic ####"], "401"),
    ("base64 without padding", [basic("alice", PASSWORD + b"x")[0].rstrip(b"=")], "401"),
    ("right without padding", [basic("alice", PASSWORD)[0].rstrip(b"=")], "401"),
    ("right with too much padding", [basic("alice", PASSWORD)[0] + b"="], "401"),
    ("base64 of no colon", [b"Authorization: Basic " + base64.b64encode(b"alice")], "401"),
    ("plain text", [b"Authorization: Basic alice:" + PASSWORD], "401"),
    ("spaces around the value", [basic("alice", PASSWORD)[0].replace(b": ", b":   ") + b"  "], "200"),
    ("field in lower case", [basic("alice", PASSWORD)[0].replace(b"Authorization", b"authorization")], "200"),
    ("right, then wrong", [*basic("alice", PASSWORD), *basic("alice", b"wrong")], "200"),
    ("wrong, then right", [*basic("alice", b"wrong"), *basic("alice", PASSWORD)], "401"),
    ("in another field", [basic("alice", PASSWORD)[0].replace(b"Authorization", b"Proxy-Authorization")], "401"),
    ("two users in one field", [basic("alice", PASSWORD)[0] + b", " + basic("alice", PASSWORD)[0]], "401"),
]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"basic_auth_users": ACCOUNTS, "http_server_config": {"headers": FIELDS}}
    with site(tmp_path_factory.mktemp("accounts"), settings) as both:
        yield both


@pytest.mark.parametrize(
    ("lines", "status"), [row[1:] for row in ACCOUNT_REQUESTS], ids=[row[0] for row in ACCOUNT_REQUESTS]
)
def test_passwords(accounts: Site, lines: list[bytes], status: str) -> None:
    ours, theirs = (ask(port, lines) for port in accounts.ports)
    assert ours[0] == theirs[0] == status
    for name in ("www-authenticate", *map(str.lower, FIELDS)):
        assert ours[1].get(name) == theirs[1].get(name), name


def test_no_secret_is_logged(accounts: Site) -> None:
    for _, lines, _ in ACCOUNT_REQUESTS:
        ask(accounts.ports.ours, lines)
    accounts.files.write({"basic_auth_users": {**ACCOUNTS, "bad": "topsecret"}})
    log = accounts.files.folder / "exporter.log"

    def said() -> bool:
        ask(accounts.ports.ours, [])
        return "basic_auth_users.bad" in log.read_text()

    wait_for("the mistake", 60, said)
    accounts.files.write({"basic_auth_users": ACCOUNTS, "http_server_config": {"headers": FIELDS}})
    text = log.read_text()
    secrets = (
        PASSWORD.decode(),
        ACCENT,
        "topsecret",
        *ACCOUNTS.values(),
        LONG.decode(),
        basic("alice", PASSWORD)[0][21:].decode(),
    )
    assert [secret for secret in secrets if secret in text] == []


def test_only_we_refuse_a_password_longer_than_bcrypt_reads(accounts: Site) -> None:
    lines = basic("long", LONG + b"more")
    assert [ask(port, lines)[0] for port in accounts.ports] == ["401", "200"]


def test_a_changed_password_counts_for_both(tmp_path: Path) -> None:
    with site(tmp_path, {"basic_auth_users": USERS}) as both:
        assert [ask(port, basic("alice", PASSWORD))[0] for port in both.ports] == ["200", "200"]
        both.files.write({"basic_auth_users": {"bob": USERS["alice"]}})
        for port in both.ports:
            assert _settled(port, basic("alice", PASSWORD), "401")
            assert _settled(port, basic("bob", PASSWORD), "200")


def _settled(port: int, lines: list[bytes], status: str) -> bool:
    """Whether the answer becomes this one; we look at the files once a second."""
    return wait_for(status, 60, lambda: ask(port, lines)[0] == status)


V10, V11, V12, V13 = (
    ssl.TLSVersion.TLSv1,
    ssl.TLSVersion.TLSv1_1,
    ssl.TLSVersion.TLSv1_2,
    ssl.TLSVersion.TLSv1_3,
)
GCM128, GCM256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
CHACHA, CBC = "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA"


class Client(NamedTuple):
    """How a client connects; `certificate` is whose authority has issued its own."""

    version: ssl.TLSVersion = V13
    suites: str = "ALL"
    certificate: str | None = None
    curve: str | None = None

    def context(self, files: Files) -> ssl.SSLContext:
        by = {None: None, "ours": files.authority, "other": files.other}[self.certificate]
        context = files.trust(files.client(by=by) if by else None)
        context.set_ciphers(f"{self.suites}:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = self.version
        if self.curve:
            context.set_ecdh_curve(self.curve)
        return context


GO = "TLS_ECDHE_ECDSA_WITH_"
TLS_TABLE: list[tuple[str, dict[str, Any], list[tuple[Client, str]]]] = [
    (
        "usual",
        TLS,
        [
            (Client(V10), CLOSED),
            (Client(V11), CLOSED),
            (Client(V12), "200"),
            (Client(V13), "200"),
            (Client(V12, GCM128), "200"),
            (Client(V12, GCM256), "200"),
            (Client(V12, CHACHA), "200"),
            (Client(V12, "DHE-RSA-AES128-GCM-SHA256:AES128-SHA256"), CLOSED),
            (Client(V12, "ECDHE-RSA-AES128-GCM-SHA256"), CLOSED),
            (Client(V13, certificate="other"), "200"),
            (Client(V13, curve="prime256v1"), "200"),
            (Client(V13, curve="secp521r1"), "200"),
        ],
    ),
    (
        "old",
        {**TLS, "min_version": "TLS10", "max_version": "TLS12"},
        [(Client(V10), "200"), (Client(V11), "200"), (Client(V12), "200"), (Client(V13), CLOSED)],
    ),
    ("new", {**TLS, "min_version": "TLS13"}, [(Client(V12), CLOSED), (Client(V13), "200")]),
    (
        "suites",
        {**TLS, "cipher_suites": [f"{GO}AES_128_GCM_SHA256", f"{GO}AES_128_CBC_SHA"]},
        [
            (Client(V12, GCM128), "200"),
            (Client(V12, GCM256), CLOSED),
            (Client(V12, CHACHA), CLOSED),
            (Client(V12, CBC), "200"),
            (Client(V13), "200"),
        ],
    ),
    (
        "curve",
        {**TLS, "curve_preferences": ["CurveP384"]},
        [
            (Client(V13, curve="secp384r1"), "200"),
            (Client(V13, curve="prime256v1"), CLOSED),
            (Client(V12, curve="secp384r1"), CLOSED),  # it does not accept the certificate, whose curve is another one
            (Client(V12, curve="prime256v1"), CLOSED),
        ],
    ),
    (
        "required",
        MUTUAL,
        [
            *((Client(version), CLOSED) for version in (V12, V13)),
            *((Client(version, certificate="other"), CLOSED) for version in (V12, V13)),
            *((Client(version, certificate="ours"), "200") for version in (V12, V13)),
        ],
    ),
    (
        "if given",
        {**MUTUAL, "client_auth_type": "VerifyClientCertIfGiven"},
        [
            *((Client(version), "200") for version in (V12, V13)),
            *((Client(version, certificate="other"), CLOSED) for version in (V12, V13)),
            *((Client(version, certificate="ours"), "200") for version in (V12, V13)),
        ],
    ),
]


@pytest.mark.filterwarnings(OLD)
@pytest.mark.parametrize(("settings", "rows"), [row[1:] for row in TLS_TABLE], ids=[row[0] for row in TLS_TABLE])
def test_tls(tmp_path: Path, settings: dict[str, Any], rows: list[tuple[Client, str]]) -> None:
    with site(tmp_path, {"tls_server_config": settings}) as both:
        for client, status in rows:
            context = client.context(both.files)
            assert [ask(port, [], context)[0] for port in both.ports] == [status, status], client
        assert [ask(port, [])[0] for port in both.ports] == ["400", "400"], "HTTP where TLS should be"


def test_only_prometheus_accepts_cbc_without_being_asked_to(tmp_path: Path) -> None:
    with site(tmp_path, {"tls_server_config": TLS}) as both:
        context = Client(V12, CBC).context(both.files)
        assert [ask(port, [], context)[0] for port in both.ports] == [CLOSED, "200"]


def test_the_tables_have_enough_rows() -> None:
    assert len(ACCOUNT_REQUESTS) + sum(len(rows) + 1 for _, _, rows in TLS_TABLE) >= 80


FILES: list[tuple[str, bool]] = [
    ("", True),
    ("tls_server_config:", True),
    (json.dumps({"tls_server_config": TLS}), True),
    (json.dumps({"tls_server_config": MUTUAL}), True),
    (json.dumps({"basic_auth_users": USERS}), True),
    ("http_server_config: {http2: false, headers: {X-Frame-Options: sameorigin}}", True),
    ("http_server_config: {http2: no, headers: {X-XSS-Protection: 0}}", True),
    ("http_server_config: {http2: 0}", False),
    ("basic_auth_users: {}", True),
    ("tls_server_config: {cert_file: server.pem, key_file: server.key, cipher_suites: [TLS_AES_128_GCM_SHA256]}", True),
    ("a: 1", False),
    ("tls_server_config: {a: 1}", False),
    ("- a", False),
    ("a: [", False),
    ("tls_server_config: {cert_file: server.pem}", False),
    ("tls_server_config: {key_file: server.key}", False),
    ("tls_server_config: {cert_file: no.pem, key_file: server.key}", False),
    ("tls_server_config: {cert_file: ca.pem, key_file: server.key}", False),
    ("tls_server_config: {cert_file: web.yml, key_file: server.key}", False),
    ("tls_server_config: {cert_file: server.pem, key_file: server.key, min_version: TLS9}", False),
    ("tls_server_config: {cert_file: server.pem, key_file: server.key, cipher_suites: [a]}", False),
    ("tls_server_config: {cert_file: server.pem, key_file: server.key, curve_preferences: [a]}", False),
    ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: a}", False),
    ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem}", False),
    ("http_server_config: {headers: {Server: a}}", False),
    ("http_server_config: {headers: {X-Frame-Options: a}}", False),
    ("http_server_config: {headers: {X-Content-Type-Options: a}}", False),
    ("basic_auth_users: {alice: secret}", False),
    ("basic_auth_users: {alice: }", False),
    ("basic_auth_users: [alice]", False),
]
STRICTER: list[str] = [
    "tls_server_config: {min_version: TLS13}",
    "tls_server_config: {cert_file: server.pem, key_file: server.key, min_version: TLS13, max_version: TLS12}",
    "tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequestClientCert}",
    "tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequireAnyClientCert}",
    "tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequireAndVerifyClientCert}",
    "tls_server_config: {cert_file: server.pem, key_file: server.key, curve_preferences: [CurveP256, X25519]}",
    "basic_auth_users: {alice: $2y$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde}",
]
"""Files that Prometheus accepts and we refuse; docs/access.md has the reasons."""


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [*((text, good, good) for text, good in FILES), *((text, False, True) for text in STRICTER)],
)
def test_files_are_judged_as_promtool_does(tmp_path: Path, text: str, ours: bool, theirs: bool) -> None:
    files = Files(tmp_path)
    files.path.write_text(text, encoding="utf-8")
    command = [find_program("promtool"), "check", "web-config", str(files.path)]
    assert (subprocess.run(command, capture_output=True, check=False).returncode == 0) == theirs
    assert _is_good(lambda: read_web_config(files.path)) == ours


def _is_good(read: Callable[[], object]) -> bool:
    try:
        read()
    except ConfigError:
        return False
    return True


def test_prometheus_scrapes_us_by_tls_with_a_certificate_and_a_password(tmp_path: Path) -> None:
    with site(tmp_path, {"tls_server_config": MUTUAL, "basic_auth_users": USERS}) as both:
        certificate = str(both.files.client())
        files = {"ca_file": str(tmp_path / "ca.pem"), "cert_file": certificate, "key_file": certificate}
        client = {
            "scheme": "https",
            "tls_config": {**files, "server_name": NAME},
            "basic_auth": {"username": "alice", "password": PASSWORD.decode()},
        }
        (tmp_path / "scraping").mkdir()
        with scraping(tmp_path / "scraping", f"127.0.0.1:{both.ports.ours}", client=client) as prometheus:
            prometheus.wait_for("up == 1")
            prometheus.wait_for("tls_posture_exporter_web_config_last_reload_successful == 1")

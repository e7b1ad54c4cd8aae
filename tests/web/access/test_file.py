"""Web configuration files: what each mistake leads to, and what is accepted."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from exporter.errors import ConfigError
from exporter.web.access import WebConfig, read_web_config
from tests.support.certificates import issue
from tests.web.access.served import HASH, Files

TLS_LINES = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
REQUIRED = f"{TLS_LINES}  client_auth_type: RequireAndVerifyClientCert\n"
SUITES = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "
    "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256"
)
MORE_CURVES = "more than one curve is not supported; name one, or leave the key out for the usual ones"
AUTH_TYPES = "NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
UNVERIFIED = "accepts certificates of anybody, which is not supported; use RequireAndVerifyClientCert"
FIELDS = "Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, Content-Security-Policy"
NOT_A_HASH = "is not a bcrypt hash such as `htpasswd -nBC 10 USER` prints"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files(tmp_path_factory.mktemp("web"))
    (files.folder / "text.pem").write_text("topsecret")
    (files.folder / "other.key").write_bytes(issue("other").key_pem())
    (files.folder / "both.pem").write_bytes(
        (files.folder / "server.pem").read_bytes() + (files.folder / "server.key").read_bytes()
    )
    return files


BAD = [
    ("unknown: 1", "1:1: unknown: unknown key"),
    ("- a", "1:1: the file is not a mapping"),
    ("a: [", "2:1: not valid YAML: while parsing a flow node, did not find expected node content"),
    ("tls_server_config: 1", "1:20: tls_server_config: is not a mapping"),
    ("tls_server_config: {cert_file: server.pem}", "1:20: tls_server_config: key_file or key is required"),
    ("tls_server_config: {key_file: server.key}", "1:20: tls_server_config: cert_file or cert is required"),
    ("tls_server_config: {min_version: TLS12}", "1:20: tls_server_config: cert_file or cert is required"),
    (f"{TLS_LINES}  cert: abc", "2:3: tls_server_config: cert and cert_file exclude each other"),
    (f"{TLS_LINES}  key: abc", "2:3: tls_server_config: key and key_file exclude each other"),
    (f"{TLS_LINES}  key: 12345", "4:8: tls_server_config.key: is not text; put it in quotes"),
    (
        "tls_server_config: {cert_file: no.pem, key_file: server.key}",
        "1:32: tls_server_config.cert_file: cannot be read: No such file or directory",
    ),
    (
        "tls_server_config: {cert_file: /dev/null, key_file: server.key}",
        "1:32: tls_server_config.cert_file: cannot be read: it is a device, not a regular file",
    ),
    (
        'tls_server_config: {cert_file: "a\\0b", key_file: server.key}',
        "1:32: tls_server_config.cert_file: cannot be read: it is not a path",
    ),
    (
        "tls_server_config: {cert_file: text.pem, key_file: server.key}",
        "1:32: tls_server_config.cert_file: text.pem holds no certificate in PEM form",
    ),
    (
        "tls_server_config: {cert_file: server.pem, key_file: text.pem}",
        "1:54: tls_server_config.key_file: text.pem holds no private key in PEM form",
    ),
    (
        "tls_server_config: {cert_file: server.pem, key_file: other.key}",
        "1:54: tls_server_config.key_file: key_file is not the key of the certificate in cert_file",
    ),
    (
        "tls_server_config: {cert: topsecret, key: topsecret}",
        "1:27: tls_server_config.cert: cert holds no certificate in PEM form",
    ),
    (
        f"{TLS_LINES}  min_version: TLS9",
        "4:16: tls_server_config.min_version: 'TLS9' is not one of TLS10, TLS11, TLS12, TLS13",
    ),
    (
        f"{TLS_LINES}  min_version: TLS13\n  max_version: TLS12",
        "2:3: tls_server_config: min_version is above max_version",
    ),
    (f"{TLS_LINES}  cipher_suites: [AES]", f"4:18: tls_server_config.cipher_suites: 'AES' is not one of {SUITES}"),
    (
        f"{TLS_LINES}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12",
        "2:3: tls_server_config: cipher_suites has none for TLS12 or older",
    ),
    (
        f"{TLS_LINES}  curve_preferences: [P-256]",
        "4:22: tls_server_config.curve_preferences: 'P-256' is not one of CurveP256, CurveP384, CurveP521, X25519",
    ),
    (
        f"{TLS_LINES}  curve_preferences: [CurveP256, X25519]",
        f"4:22: tls_server_config.curve_preferences: {MORE_CURVES}",
    ),
    (
        f"{TLS_LINES}  prefer_server_cipher_suites: 3",
        "4:32: tls_server_config.prefer_server_cipher_suites: is neither true nor false",
    ),
    (
        f"{TLS_LINES}  client_auth_type: Sometimes",
        f"4:21: tls_server_config.client_auth_type: 'Sometimes' is not one of {AUTH_TYPES}",
    ),
    *(
        (
            f"{TLS_LINES}  client_auth_type: {kind}",
            f"4:21: tls_server_config.client_auth_type: {kind} {UNVERIFIED}",
        )
        for kind in ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
    ),
    (
        f"{TLS_LINES}  client_ca_file: ca.pem",
        "2:3: tls_server_config: a client CA needs client_auth_type RequireAndVerifyClientCert",
    ),
    *(
        (
            f"{TLS_LINES}{kind}  client_allowed_sans: [a]",
            "2:3: tls_server_config: client_allowed_sans needs client_auth_type RequireAndVerifyClientCert",
        )
        for kind in ("", "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n")
    ),
    (REQUIRED, "2:3: tls_server_config: RequireAndVerifyClientCert needs client_ca_file or client_ca"),
    (
        f"{REQUIRED}  client_ca_file: no.pem",
        "5:19: tls_server_config.client_ca_file: cannot be read: No such file or directory",
    ),
    (
        f"{REQUIRED}  client_ca_file: text.pem",
        "5:19: tls_server_config.client_ca_file: text.pem holds no certificate in PEM form",
    ),
    ("http_server_config: {http3: true}", "1:22: http_server_config.http3: unknown key; did you mean http2?"),
    (
        "http_server_config: {headers: {Server: me}}",
        f"1:31: http_server_config.headers: the header field 'Server' cannot be set; those are {FIELDS}",
    ),
    (
        "http_server_config: {headers: {X-Frame-Options: allow}}",
        "1:31: http_server_config.headers: X-Frame-Options is one of deny, sameorigin, not 'allow'",
    ),
    (
        'http_server_config: {headers: {Content-Security-Policy: "a\\r\\nb"}}',
        "1:31: http_server_config.headers: Content-Security-Policy has characters that are not printable ASCII",
    ),
    ("basic_auth_users: {alice: topsecret}", f"1:27: basic_auth_users.alice: {NOT_A_HASH}"),
    ("basic_auth_users: {alice: 12345}", f"1:27: basic_auth_users.alice: {NOT_A_HASH}"),
    ("basic_auth_users: {alice: }", f"1:27: basic_auth_users.alice: {NOT_A_HASH}"),
    ("basic_auth_users: {alice: [topsecret]}", f"1:27: basic_auth_users.alice: {NOT_A_HASH}"),
    (f"basic_auth_users: {{alice: {HASH[:-1]}}}", f"1:27: basic_auth_users.alice: {NOT_A_HASH}"),
    (f"basic_auth_users: {{alice: {HASH}x}}", f"1:27: basic_auth_users.alice: {NOT_A_HASH}"),
    (f"basic_auth_users: {{alice: $2x{HASH[3:]}}}", f"1:27: basic_auth_users.alice: {NOT_A_HASH}"),
    (
        f"basic_auth_users: {{alice: $2y$19{HASH[6:]}}}",
        "1:27: basic_auth_users.alice: has the cost 19; it has to be from 4 to 18",
    ),
    (
        f"basic_auth_users: {{a: {HASH}, a: {HASH}}}",
        "1:85: basic_auth_users.a: duplicate key, first on line 1",
    ),
    (
        "rate_limit: {interval: 1s}",
        "1:13: rate_limit: burst has to be at least 1; with 0, every request would be refused",
    ),
    (
        "rate_limit: {interval: soon, burst: 1}",
        "1:24: rate_limit.interval: 'soon' is not a duration such as 1s, 100ms or 1m30s",
    ),
    ("rate_limit: {interval: -1, burst: 1}", "1:24: rate_limit.interval: -1 is less than 0"),
    ("rate_limit: {interval: 1s, burst: 1.5}", "1:35: rate_limit.burst: is not a whole number"),
]


@pytest.mark.parametrize(("text", "problem"), BAD)
def test_a_mistake_is_reported_with_its_place_and_without_secrets(files: Files, text: str, problem: str) -> None:
    files.path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_web_config(files.path)
    assert str(caught.value) == f"{files.path}:{problem}"
    for secret in ("topsecret", "12345", HASH[7:-1], "BEGIN"):
        assert secret not in str(caught.value)


def test_all_mistakes_of_the_sections_are_reported_at_once(files: Files) -> None:
    files.path.write_text("a: 1\nb: 2\nrate_limit: {interval: x}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_web_config(files.path)
    assert [problem.path for problem in caught.value.problems] == ["a", "b", "rate_limit.interval"]


def test_a_key_with_a_passphrase_is_refused_and_asks_nobody(files: Files, tmp_path: Path) -> None:
    server = files.renew()
    form = serialization.PrivateFormat.PKCS8
    wrapped = server.key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"x"))
    (tmp_path / "server.pem").write_bytes(server.pem())
    (tmp_path / "server.key").write_bytes(wrapped)
    path = tmp_path / "web.yml"
    path.write_text(TLS_LINES, encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"key_file: the key in server\.key needs a passphrase, and none can be given$"
    ):
        read_web_config(path)


def read(files: Files, text: str) -> WebConfig:
    files.path.write_text(text, encoding="utf-8")
    return read_web_config(files.path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "{}",
        "tls_server_config:\n",
        "tls_server_config: {}",
        "tls_server_config: {cert_file: }",
        "basic_auth_users:\n",
        "http_server_config: {http2: false}",
        "rate_limit: {interval: 0, burst: 0}",
        "rate_limit: {interval: 0s}",
    ],
)
def test_a_file_that_says_nothing_opens_everything(files: Files, text: str) -> None:
    config = read(files, text)
    assert (config.users, config.headers, config.rate, config.tls, config.means) == ({}, (), None, None, frozenset())


@pytest.mark.parametrize(
    "text",
    [
        TLS_LINES,
        "tls_server_config: {cert_file: both.pem, key_file: both.pem}",
        f"{TLS_LINES}  cert: ''\n  key:\n  client_auth_type: ''\n",
        f"{TLS_LINES}  client_auth_type: NoClientCert",
        f"{TLS_LINES}  client_auth_type: VerifyClientCertIfGiven",
        f"{TLS_LINES}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem",
        f"{TLS_LINES}  min_version: TLS13",
        f"{TLS_LINES}  max_version: TLS12\n  prefer_server_cipher_suites: no",
        f"{TLS_LINES}  curve_preferences: [CurveP521]",
        f"{TLS_LINES}  cipher_suites: [{SUITES}]",
        f"{TLS_LINES}  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\n  max_version: TLS12",
    ],
)
def test_tls_is_accepted_as_the_toolkit_writes_it(files: Files, text: str) -> None:
    config = read(files, text)
    assert config.tls is not None
    assert not config.tls.requires_client


def test_a_curve_that_python_cannot_set_is_refused(files: Files) -> None:
    text = f"{TLS_LINES}  curve_preferences: [X25519]"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve("X25519")
    except (ssl.SSLError, ValueError):
        with pytest.raises(ConfigError, match=r"4:22: .*this Python cannot set X25519 as the only curve"):
            read(files, text)
    else:
        assert read(files, text).tls is not None


def test_required_certificates_authenticate(files: Files) -> None:
    config = read(files, f"{REQUIRED}  client_ca_file: ca.pem\n  client_allowed_sans: []")
    assert config.tls is not None
    assert config.tls.context.verify_mode is ssl.CERT_REQUIRED
    assert config.tls.allowed_sans == frozenset()
    assert config.means == {"client_auth_type", "client_allowed_sans"}


def test_certificates_and_keys_can_be_in_the_file(files: Files) -> None:
    def inline(key: str, file: str) -> str:
        text = (files.folder / file).read_text().replace("\n", "\n    ")
        return f"  {key}: |\n    {text}\n"

    required = "  client_auth_type: RequireAndVerifyClientCert\n"
    text = inline("cert", "server.pem") + inline("key", "server.key") + inline("client_ca", "ca.pem") + required
    config = read(files, f"tls_server_config:\n{text}")
    assert config.tls is not None
    assert config.tls.requires_client
    assert "PRIVATE" not in repr(config)


@pytest.mark.parametrize("version", ["2a", "2b", "2y"])
def test_hashes_of_three_versions_are_accepted(files: Files, version: str) -> None:
    hashed = f"${version}{HASH[3:]}"
    config = read(files, f"basic_auth_users: {{'é': {hashed}}}")
    assert config.users == {"é".encode(): hashed.encode()}
    assert config.means == {"basic_auth_users"}
    assert hashed not in repr(config)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("1s", 1), ("1m30s", 90), ("1.5s", 1.5), ("100ms", 0.1), (".5h", 1800), ("250us", 25e-5), ("1000000000", 1)],
)
def test_intervals_are_durations_of_go(files: Files, interval: str, seconds: float) -> None:
    config = read(files, f"rate_limit: {{interval: {interval}, burst: 3}}")
    assert config.rate is not None
    assert config.rate.seconds == pytest.approx(seconds)
    assert config.rate.burst == 3


def test_a_header_field_without_a_value_is_not_set(files: Files) -> None:
    text = (
        "http_server_config: {headers: {X-XSS-Protection: '', X-Frame-Options: deny, X-Content-Type-Options: nosniff}}"
    )
    assert read(files, text).headers == ((b"x-frame-options", b"deny"),)


def test_a_header_field_may_be_a_number(files: Files) -> None:
    assert read(files, "http_server_config: {headers: {X-XSS-Protection: 0}}").headers == ((b"x-xss-protection", b"0"),)


def test_spaces_around_a_header_field_are_not_sent(files: Files) -> None:
    """h11 refuses to send them, so every answer would be an error."""
    text = "http_server_config: {headers: {X-XSS-Protection: ' 0 ', Content-Security-Policy: '  '}}"
    assert read(files, text).headers == ((b"x-xss-protection", b"0"),)

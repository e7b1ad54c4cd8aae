"""The text forms of a target and of a proxy, and the one spelling of a host."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import TargetError
from exporter.model import Proxy, is_ip
from exporter.services import (
    BY_PORT,
    PROTOCOLS,
    SERVICES,
    STARTTLS,
    TargetText,
    default_name,
    normal_host,
    parse_ehlo_name,
    parse_proxy,
    parse_service,
)
from tests.support.targets import make_target

LONGEST_LABEL = "a" * 63


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("www.example.com", TargetText("www.example.com", None, None, None)),
        ("www.example.com/", TargetText("www.example.com", None, None, None)),
        ("WWW.Example.COM.", TargetText("www.example.com", None, None, None)),
        ("localhost:8443", TargetText("localhost", 8443, None, None)),
        ("www.example.com:1", TargetText("www.example.com", 1, None, None)),
        ("www.example.com:65535", TargetText("www.example.com", 65535, None, None)),
        ("192.0.2.1", TargetText("192.0.2.1", None, None, None)),
        ("192.0.2.1:443", TargetText("192.0.2.1", 443, None, None)),
        ("2001:db8::1", TargetText("2001:db8::1", None, None, None)),
        ("2001:db8::1:443", TargetText("2001:db8::1:443", None, None, None)),
        ("[2001:db8::1]", TargetText("2001:db8::1", None, None, None)),
        ("[2001:DB8:0::1]:443", TargetText("2001:db8::1", 443, None, None)),
        ("[fe80::1%eth0]:443", TargetText("fe80::1%eth0", 443, None, None)),
        ("https://www.example.com", TargetText("www.example.com", None, "https", None)),
        ("HTTPS://www.example.com/", TargetText("www.example.com", None, "https", None)),
        ("imaps://mail.example.com:1993", TargetText("mail.example.com", 1993, "imaps", None)),
        ("ldaps://[2001:db8::1]", TargetText("2001:db8::1", None, "ldaps", None)),
        ("https://2001:db8::1", TargetText("2001:db8::1", None, "https", None)),
        ("tls://mqtt.example.com:8883", TargetText("mqtt.example.com", 8883, "tls", None)),
        ("smtp+starttls://mail.example.com:587", TargetText("mail.example.com", 587, "smtp", "smtp")),
        ("Postgres+StartTLS://db.example.com", TargetText("db.example.com", None, "postgres", "postgres")),
        ("bücher.example:443", TargetText("xn--bcher-kva.example", 443, None, None)),
    ],
)
def test_every_text_form_is_read(text: str, expected: TargetText) -> None:
    assert parse_service(text) == expected


HINTS = [
    ("https://www.example.com/login?token=secret", "write https://www.example.com"),
    ("www.example.com:8443/login", "write www.example.com:8443"),
    ("imaps://[2001:db8::1]/INBOX", "write imaps://[2001:db8::1]"),
    ("http://www.example.com", "which has no TLS; write https://www.example.com"),
    ("http://www.example.com:80/login", "which has no TLS; write https://www.example.com"),
    ("http://[2001:db8::80]", "which has no TLS; write https://[2001:db8::80]"),
    (
        "smtp://mail.example.com",
        "write smtp+starttls://mail.example.com, or smtps://mail.example.com if TLS starts with the first byte",
    ),
    ("xmpp://example.com", "; write xmpp+starttls://example.com"),
    ("imap://mail.example.com/INBOX", "; write imap+starttls://mail.example.com, or imaps://mail.example.com if TLS"),
    ("htps://www.example.com", "did you mean https?"),
    ("postgresql+starttls://db.example.com", "did you mean postgres+starttls?"),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_what_is_not_a_target_gets_a_hint_that_is_one(text: str, hint: str) -> None:
    with pytest.raises(TargetError) as error:
        parse_service(text)
    assert hint in str(error.value)
    assert "secret" not in str(error.value)
    if "write " in hint:
        parse_service(hint.split("write ")[1].split(",", maxsplit=1)[0])


@pytest.mark.parametrize("text", ["192.0.2.0/24", "https://alice:pass/word@h/", "http://alice:pass@h/", "/etc/passwd"])
def test_no_hint_is_made_of_a_network_or_of_a_password(text: str) -> None:
    with pytest.raises(TargetError) as error:
        parse_service(text)
    assert "write https://" not in str(error.value)
    assert "write 192" not in str(error.value)
    assert "pass@" not in str(error.value).replace("/etc/", "")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_is_a_scheme(name: str) -> None:
    assert parse_service(f"{name}://host").protocol == name


@pytest.mark.parametrize("name", STARTTLS)
def test_every_starttls_service_is_a_scheme(name: str) -> None:
    assert parse_service(f"{name}+starttls://host").starttls == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a target"),
        (" ", "is not a target"),
        ("www.example.com:https", "is not a target"),
        ("www.example.com:443:443", "is not a target"),
        ("https://", "is not a target"),
        ("https:///", "is not a target"),
        ("https://www.example.com/path", "which has no path; write https://www.example.com$"),
        ("https://www.example.com?query", "is not a target"),
        ("https://user:word@www.example.com", "is not a target"),
        ("https://https://www.example.com", "is not a target"),
        ("www.example.com\n", "is not a target"),
        ("[2001:db8::1", "is not a target"),
        ("[]:443", "is not a target"),
        ("www.example.com:", "is not a port"),
        ("www.example.com:0", "is not a port"),
        ("www.example.com:65536", "is not a port"),
        ("www.example.com:" + "9" * 5000, "is not a port"),
        ("http://www.example.com", "unknown scheme 'http'"),
        ("smtp://mail.example.com", "unknown scheme 'smtp'"),
        ("https+starttls://www.example.com", "unknown scheme 'https[+]starttls'"),
        ("smtp+tls://mail.example.com", "unknown scheme 'smtp[+]tls'"),
        ("[www.example.com]:443", "neither a host name nor an IP address"),
        ("[192.0.2.1]:443", "neither a host name nor an IP address"),
        ("user@www.example.com", "is not a target"),
    ],
)
def test_what_is_no_target_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        parse_service(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", "localhost"),
        ("_dmarc.Example.com", "_dmarc.example.com"),
        ("1.example", "1.example"),
        (f"{LONGEST_LABEL}.example", f"{LONGEST_LABEL}.example"),
        ("BÜCHER.example.", "xn--bcher-kva.example"),
        ("bücher。example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("FE80::1%Eth0", "fe80::1%Eth0"),
    ],
)
def test_a_host_has_one_spelling(text: str, expected: str) -> None:
    assert normal_host(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "a..b", ".a", "a..", "-a.example", "a-.example", "a b", "a/b", "a\0b", "a\n", "a:443"),
        *("0x7f000001", "0X7F.1", "127.0.0.0x1", "www.0x"),  # which getaddrinfo reads as addresses
        *("192.0.2.256", "192.0.2", "1", "example.1", f"{LONGEST_LABEL}a.example", f"{LONGEST_LABEL}." * 4),
        *("[www.example.com]", "[192.0.2.1]", "fe80::1%", "fe80::1%a b", "fe80::1%a\nb", "fe80::1%" + "a" * 16),
        *("2001:db8::g", "a\u2024b", "\u00fc" * 64 + ".example", "\u00fc..example", "\u2028"),
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(TargetError, match=r"is neither a host name nor an IP address|is not a host name: "):
        normal_host(text)


@given(st.text() | st.from_regex(r"\A(?:[a-z+]{1,9}://)?\[?[\w.:%-]{0,20}\]?(?::\d{0,6})?/?\Z"))
@example("::1%\n")
@example("[::1%]]")
@example("ß://a")
@example("a:²")
def test_no_text_raises_anything_but_a_target_error(text: str) -> None:
    try:
        service = parse_service(text)
    except TargetError:
        service = None
    if service is not None:
        assert normal_host(service.host) == service.host
        assert service.port is None or 1 <= service.port <= 65535
        assert service.protocol is None or service.protocol in {**PROTOCOLS, **STARTTLS}
        assert service.starttls in {None, service.protocol}


@given(
    st.ip_addresses().map(str) | st.text(string.ascii_lowercase, min_size=1, max_size=63),
    st.integers(min_value=1, max_value=65535),
)
def test_the_default_name_of_a_service_reads_as_the_same_service(host: str, port: int) -> None:
    assert parse_service(default_name(host, port)) == TargetText(normal_host(host), port, None, None)


def test_a_usual_port_stands_for_one_protocol_only() -> None:
    assert {BY_PORT[port]: port for port in BY_PORT} == {name: port for name, port in PROTOCOLS.items() if port}


def test_a_greeting_is_that_of_a_dialogue() -> None:
    assert {service.greeting for service in SERVICES.values()} - {None} <= STARTTLS.keys()
    assert all(service.greeting in {None, service.name} for service in SERVICES.values() if service.starttls)


def test_only_dialogues_say_ehlo() -> None:
    assert {service.name for service in SERVICES.values() if service.says_ehlo} == {"smtp", "lmtp"}


def test_an_address_with_a_zone_is_an_address() -> None:
    assert is_ip(parse_service("[fe80::1%eth0]:443").host)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://proxy.example.com:3128", Proxy("http", "proxy.example.com", 3128)),
        ("HTTP://Proxy.Example.com.:3128/", Proxy("http", "proxy.example.com", 3128)),
        ("http://b\u00fccher.example:3128", Proxy("http", "xn--bcher-kva.example", 3128)),
        ("socks5://192.0.2.1:1080", Proxy("socks5", "192.0.2.1", 1080)),
        ("socks5h://[2001:DB8::1]:1080", Proxy("socks5", "2001:db8::1", 1080)),
        ("http://user@proxy.example.com:1", Proxy("http", "proxy.example.com", 1, "user", "")),
        ("http://user:a:b@proxy.example.com:1", Proxy("http", "proxy.example.com", 1, "user", "a:b")),
        ("socks5://u%3As%40r:p%2Fw%25d%C3%B6@[::1]:65535", Proxy("socks5", "::1", 65535, "u:s@r", "p/w%d\u00f6")),
    ],
)
def test_a_proxy_is_read_with_its_percent_encoding(text: str, expected: Proxy) -> None:
    assert parse_proxy(text) == expected


def test_a_proxy_is_shown_without_user_and_password() -> None:
    for host in ("proxy.example.com", "[2001:db8::1]"):
        proxy = parse_proxy(f"http://scanner:hunter2@{host}:3128")
        assert str(proxy) == f"http://{host}:3128"
        for shown in (repr(proxy), repr(make_target(proxy=proxy)), f"{proxy}"):
            assert "scanner" not in shown
            assert "hunter2" not in shown


@given(
    st.text() | st.from_regex(r"\A(?:http|socks5h?|ftp)://(?:[\w%:;-]{0,9}@)?\[?[\w.:%-]{0,20}\]?(?::\d{0,6})?[/?#]?\Z")
)
@example("http://::@a:1")
@example("http://a:1\n")
def test_whatever_a_proxy_is_given_as_it_is_read_or_refused_without_being_quoted(text: str) -> None:
    proxy, refused = None, None
    try:
        proxy = parse_proxy(text)
    except TargetError as error:
        refused = error
    if proxy is not None:
        assert parse_proxy(str(proxy)) == Proxy(proxy.scheme, proxy.host, proxy.port)
    else:
        assert str(refused) in PROXY_MISTAKES


PROXY_MISTAKES = {
    "is not a proxy; write http://proxy.example.com:3128 or socks5://proxy.example.com:1080",
    (
        "is not scheme://host:port or scheme://user:password@host:port; other characters in user and password are "
        "percent-encoded (RFC 3986, 2.1)"
    ),
    "has a host that is neither a host name nor an IP address",
    "has no port (1 to 65535)",
    "has no user before the @",
    "has a colon in the user, which HTTP does not allow (RFC 7617, 2)",
    "has a user or a password that is not 1 to 255 bytes long (RFC 1929, 2)",
    "has characters in user or password that must be percent-encoded (RFC 3986, 3.2.1)",
    "has a user or a password that is not UTF-8",
    "has a control character in user or password",
}
"""To the letter, so that no part of the text can be in it."""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Scanner.example.com.", "scanner.example.com"),
        ("sc\u00e4nner.example", "xn--scnner-cua.example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]"),
    ],
)
def test_a_name_for_mail_servers_has_one_spelling(text: str, name: str) -> None:
    assert parse_ehlo_name(text) == name


@pytest.mark.parametrize("text", ["", "a b", "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "[IPv6:192.0.2.1]", "[a]"])
def test_what_is_no_name_for_mail_servers_is_refused(text: str) -> None:
    with pytest.raises(TargetError):
        parse_ehlo_name(text)

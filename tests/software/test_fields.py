"""Values of `Server`, `X-Powered-By` and `Via`, as seen on the Internet, to product, version and verdict."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.software.fields import POWERED_BY, SERVER, SOURCES, VIA, read_fields
from exporter.software.files import shipped_table
from exporter.software.shown import MAX_TEXT, Shown
from exporter.software.support import support
from tests.support.facts import steady
from tests.support.targets import NOW

LABEL = re.compile(r"[A-Za-z0-9._+-]{1,40}")
YES, NO, OPEN = True, False, None
Row = tuple[str, str | None, bool | None]


def read(name: str, value: str) -> list[Shown]:
    return read_fields([(name, value)])


def judged(name: str, value: str) -> list[Row]:
    return [(one.product, one.version, support(one, shipped_table(), NOW).maintained) for one in read(name, value)]


STOCK: dict[str, list[Row]] = {
    "nginx/1.31.4": [("nginx", "1.31.4", YES)],
    "nginx/1.30.4": [("nginx", "1.30.4", YES)],
    "nginx/1.30.0": [("nginx", "1.30.0", OPEN)],
    "nginx/1.24": [("nginx", "1.24", OPEN)],
    "nginx/1.29.8": [("nginx", "1.29.8", NO)],
    "nginx/1.18.0": [("nginx", "1.18.0", NO)],
    "nginx/1.1.19": [("nginx", "1.1.19", OPEN)],
    "nginx/1.99.0": [("nginx", "1.99.0", OPEN)],
    "Apache/2.4.68 (Unix)": [("apache-http-server", "2.4.68", YES)],
    "Apache/2.4.49 (Unix)": [("apache-http-server", "2.4.49", NO)],
    "Apache/2.4.1": [("apache-http-server", "2.4.1", NO)],
    "Apache/2.4.57": [("apache-http-server", "2.4.57", OPEN)],
    "Apache/2.4": [("apache-http-server", "2.4", OPEN)],
    "Apache/2.2.22": [("apache-http-server", "2.2.22", NO)],
    "Apache/1.3.42 (Unix) mod_ssl/2.8.31 OpenSSL/0.9.8zh": [
        ("apache-http-server", "1.3.42", NO),
        ("mod_ssl", "2.8.31", OPEN),
        ("openssl", "0.9.8zh", NO),
    ],
    "Apache/2.4.54 (Win64) OpenSSL/1.1.1p PHP/8.1.12": [
        ("apache-http-server", "2.4.54", NO),
        ("openssl", "1.1.1p", NO),
        ("php", "8.1.12", NO),
    ],
    "Microsoft-IIS/10.0": [("microsoft-iis", "10.0", OPEN)],
    "Microsoft-IIS/8.5": [("microsoft-iis", "8.5", NO)],
    "Microsoft-IIS/7.5": [("microsoft-iis", "7.5", NO)],
    "Microsoft-IIS/6.0": [("microsoft-iis", "6.0", NO)],
    "Microsoft-HTTPAPI/2.0": [("Microsoft-HTTPAPI", "2.0", OPEN)],
    "Apache Tomcat/9.0.121": [("tomcat", "9.0.121", YES)],
    "Apache Tomcat/9.0.58": [("tomcat", "9.0.58", OPEN)],
    "Apache Tomcat/8.5.5": [("tomcat", "8.5.5", NO)],
    "Jetty(9.4.43.v20210629)": [("eclipse-jetty", "9.4.43.v20210629", NO)],
    "Jetty(12.0.38)": [("eclipse-jetty", "12.0.38", YES)],
    "Jetty(12.0.14)": [("eclipse-jetty", "12.0.14", OPEN)],
    "jetty(6.1.26)": [("eclipse-jetty", "6.1.26", OPEN)],
    "Caddy v1.0.5": [("caddy", "1.0.5", NO)],
    "squid/4.10": [("squid", "4.10", NO)],
    "squid/7.6": [("squid", "7.6", YES)],
    "envoy/1.39.0": [("envoy", "1.39.0", YES)],
    "HAProxy/2.5.14": [("haproxy", "2.5.14", NO)],
    "Varnish/7.2.1": [("varnish", "7.2.1", NO)],
    "Varnish/6.0.16": [("varnish", "6.0.16", OPEN)],
    "Traefik/2.9": [("traefik", "2.9", NO)],
    "lighttpd/1.4.69": [("lighttpd", "1.4.69", OPEN)],
    "openresty/1.21.4.1": [("openresty", "1.21.4.1", OPEN)],
    "IBM_HTTP_Server/8.5.5.15 (Unix)": [("IBM_HTTP_Server", "8.5.5.15", OPEN)],
    "Werkzeug/2.3.7 Python/3.11.4": [("Werkzeug", "2.3.7", OPEN), ("Python", "3.11.4", OPEN)],
    "nginx/1.14.0 + Phusion Passenger 6.0.4": [("nginx", "1.14.0", NO), ("Phusion-Passenger", "6.0.4", OPEN)],
}

DISTRIBUTIONS: dict[str, list[Row]] = {
    "nginx/1.18.0 (Ubuntu)": [("nginx", "1.18.0", OPEN)],
    "nginx/1.22.1": [("nginx", "1.22.1", OPEN)],
    "nginx/1.20.1": [("nginx", "1.20.1", OPEN)],
    "nginx/1.24.0": [("nginx", "1.24.0", OPEN)],
    "nginx/1.26.2": [("nginx", "1.26.2", OPEN)],
    "nginx/1.28.0": [("nginx", "1.28.0", OPEN)],
    "HAProxy/2.4.22": [("haproxy", "2.4.22", OPEN)],
    "Jetty(9.4.57.v20241219)": [("eclipse-jetty", "9.4.57.v20241219", OPEN)],
    "Apache/2.4.6-1.fc19": [("apache-http-server", "2.4.6-1.fc19", NO)],
    "nginx/1.10.3-1+deb9u7": [("nginx", "1.10.3-1+deb9u7", NO)],
    "nginx/1.24.0-r7": [("nginx", "1.24.0-r7", OPEN)],
    "Apache/2.4.57 (Debian)": [("apache-http-server", "2.4.57", OPEN)],
    "Apache/2.2.15 (CentOS)": [("apache-http-server", "2.2.15", OPEN)],
    "Apache/2.2.34 (Amazon)": [("apache-http-server", "2.2.34", OPEN)],
    "Apache/2.4.58 (FreeBSD) OpenSSL/3.0.13": [("apache-http-server", "2.4.58", OPEN), ("openssl", "3.0.13", OPEN)],
    "Apache/2.4.51 (Linux/SUSE)": [("apache-http-server", "2.4.51", OPEN)],
    "Apache/2.4.6 (CentOS) OpenSSL/1.0.2k-fips PHP/5.4.16": [
        ("apache-http-server", "2.4.6", OPEN),
        ("openssl", "1.0.2k-fips", OPEN),
        ("php", "5.4.16", OPEN),
    ],
    "Apache/2.4.37 (Red Hat Enterprise Linux) OpenSSL/1.1.1k": [
        ("apache-http-server", "2.4.37", OPEN),
        ("openssl", "1.1.1k", OPEN),
    ],
    "Apache/2.4.66 (Fedora Linux) mod_wsgi/5.0.2 Python/3.14": [
        ("apache-http-server", "2.4.66", OPEN),
        ("mod_wsgi", "5.0.2", OPEN),
        ("Python", "3.14", OPEN),
    ],
    "Apache/2.2.16 (Debian) PHP/5.3.3-7+squeeze19 with Suhosin-Patch mod_ssl/2.2.16": [
        ("apache-http-server", "2.2.16", OPEN),
        ("php", "5.3.3-7+squeeze19", NO),
        ("mod_ssl", "2.2.16", OPEN),
    ],
    "nginx/1.27.2 (nginx-plus-r33)": [("nginx", "1.27.2", OPEN)],
    "Apache Tomcat/7.0.52 (Ubuntu)": [("tomcat", "7.0.52", OPEN)],
}

HIDDEN: dict[str, list[Row]] = {
    "nginx": [("nginx", None, OPEN)],
    "Apache": [("apache-http-server", None, OPEN)],
    "Apache/2": [("apache-http-server", "2", OPEN)],
    "Apache-Coyote/1.1": [("tomcat", None, OPEN)],
    "Caddy": [("caddy", None, OPEN)],
    "envoy": [("envoy", None, OPEN)],
    "cloudflare": [("cloudflare", None, OPEN)],
    "gws": [("gws", None, OPEN)],
    "AkamaiGHost": [("AkamaiGHost", None, OPEN)],
    "ECS (dcb/7F83)": [("ECS", None, OPEN)],
    "LiteSpeed": [("LiteSpeed", None, OPEN)],
    "Oracle-Application-Server-11g": [("Oracle-Application-Server-11g", None, OPEN)],
}

NONSENSE: dict[str, list[Row]] = {
    "": [],
    " \t ": [],
    "/": [],
    "-": [],
    "()": [],
    "1.2.3": [],
    "you shall not pass": [("you", None, OPEN)],
    "nginx/": [("nginx", None, OPEN)],
    "nginx/latest": [("nginx", None, OPEN)],
    "ng\u00ednx/1.18.0": [],
    "<script>alert(1)</script>": [],
    "<b>nginx/1.18.0</b>": [],
    "nginx/<img src=x onerror=alert(1)>": [("nginx", None, OPEN)],
    'Apache/2.2.1{label="x"}': [("apache-http-server", None, OPEN)],
    "nginx/1.18.0\x00\x1b[31m": [("nginx", None, OPEN)],
    "nginx/1.18.0\u202e": [("nginx", None, OPEN)],
    "a" * 10_000: [],
    "a/" + "1" * 10_000: [],
    "nginx/1.27.0 " + "a" * MAX_TEXT: [],
    "nginx/1.30.4 (deb10-web.example.com)": [("nginx", "1.30.4", OPEN)],
    "nginx/1.30.4 (web.el6.example.com)": [("nginx", "1.30.4", OPEN)],
    "(" * 10_000: [],
    "nginx/1.18.0 (a noble and trusty server)": [("nginx", "1.18.0", NO)],
    "nginx/1.18.0 (a noble, trusty server for deb10 and el6)": [("nginx", "1.18.0", OPEN)],
}

SERVERS = STOCK | DISTRIBUTIONS | HIDDEN | NONSENSE


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(SERVERS) == sum(map(len, (STOCK, DISTRIBUTIONS, HIDDEN, NONSENSE))) >= 60


@pytest.mark.parametrize("value", SERVERS, ids=lambda value: ascii(value[:60]))
def test_a_server_field_is_read_to_product_version_and_verdict(value: str) -> None:
    assert judged(SERVER, value) == SERVERS[value]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("PHP/5.6.40", [("php", "5.6.40", NO)]),
        ("PHP/7.4.3", [("php", "7.4.3", NO)]),
        ("PHP/7.4.33", [("php", "7.4.33", OPEN)]),
        ("PHP/8.0.30", [("php", "8.0.30", OPEN)]),
        ("PHP/8.4.24", [("php", "8.4.24", YES)]),
        ("PHP/7.4.3-4ubuntu2.18", [("php", "7.4.3-4ubuntu2.18", OPEN)]),
        ("PHP/7.2.24-0ubuntu0.18.04.17", [("php", "7.2.24-0ubuntu0.18.04.17", NO)]),
        ("PHP/7.0.33-0+deb9u12", [("php", "7.0.33-0+deb9u12", NO)]),
        ("PHP/8.2.7-1~deb12u1", [("php", "8.2.7", OPEN)]),
        ("PHP/7.4.33-1+0~20221108.73+debian11~1.gbp60cdd1", [("php", "7.4.33", NO)]),
        ("ASP.NET", [("ASP.NET", None, OPEN)]),
        ("Express", [("Express", None, OPEN)]),
        ("Servlet/3.0 JSP/2.2", [("Servlet", "3.0", OPEN), ("JSP", "2.2", OPEN)]),
        ("PHP/5.6.40, ASP.NET", [("php", "5.6.40", NO)]),
    ],
)
def test_what_powers_a_server_is_read_alike(value: str, expected: list[Row]) -> None:
    assert judged(POWERED_BY, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.1 proxy.example.com (squid/5.7)", [("squid", "5.7", OPEN)]),
        ("1.1 proxy.example.com (squid/6.14)", [("squid", "6.14", OPEN)]),
        ("1.1 proxy.example.com (squid/4.10)", [("squid", "4.10", NO)]),
        (
            "1.1 a (squid/3.5.20), 1.1 b (Apache/2.4.68)",
            [("squid", "3.5.20", NO), ("apache-http-server", "2.4.68", YES)],
        ),
        ("1.1 Caddy", [("caddy", None, OPEN)]),
        ("1.1 varnish (Varnish/6.0)", [("varnish", "6.0", OPEN), ("varnish", None, OPEN)]),
        ("1.1 kong/3.6.1", [("kong", "3.6.1", OPEN)]),
        ("1.0 fred, 1.1 p.example.net", []),
        ("HTTP/1.1 forward.example.com:3128", []),
        ("1.1 google", []),
        ("1.1 x (see the manual)", []),
        ("squid/5.7", []),
    ],
)
def test_of_those_on_the_way_only_products_are_named_and_no_hosts(value: str, expected: list[Row]) -> None:
    assert judged(VIA, value) == expected


def test_the_first_product_of_the_server_field_is_the_server_itself() -> None:
    found = read_fields(
        [("x-powered-by", "PHP/8.4.1"), ("server", "Apache/2.4.68 OpenSSL/3.5.1"), ("via", "1.1 a (squid/7.1)")]
    )
    assert [(one.product, one.main, one.source) for one in found] == [
        ("php", False, "x-powered-by"),
        ("apache-http-server", True, "server"),
        ("openssl", False, "server"),
        ("squid", False, "via"),
    ]


def test_other_fields_say_nothing() -> None:
    assert read_fields([("date", "nginx/1.18.0"), ("x-generator", "PHP/5.6"), ("Server", "nginx/1.18.0")]) == []


@steady
@given(st.sampled_from(SOURCES), st.text() | st.text(alphabet="Apache nginx/0123456789.()<>~-+v,\"'\n"))
def test_whatever_is_said_brings_only_labels_of_the_narrow_form(name: str, value: str) -> None:
    for one in read(name, value):
        assert LABEL.fullmatch(one.product)
        assert one.version is None or LABEL.fullmatch(one.version)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "value", ["(" * 10**6, "(()" * 10**5, "\\(" * 10**5, "a/1 " * 10**5, "1.1 a(" * 10**5, "1." * 10**6]
)
def test_what_is_made_to_keep_a_parser_busy_does_not(name: str, value: str) -> None:
    started = time.thread_time()
    assert len(read(name, value)) <= MAX_TEXT
    assert time.thread_time() - started < 1

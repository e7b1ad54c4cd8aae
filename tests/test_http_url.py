"""URLs of HTTP servers in parts; what is not one is refused without a quotation."""

import re

import pytest

from exporter.config.http_url import HttpUrl, parse_http_url


@pytest.mark.parametrize(
    ("text", "url", "origin"),
    [
        ("http://a.test", HttpUrl("http", "a.test", 80, "/"), "http://a.test"),
        ("HTTPS://A.Test:443/x", HttpUrl("https", "a.test", 443, "/x"), "https://a.test"),
        ("https://a.test:80/x?y=%20z#f", HttpUrl("https", "a.test", 80, "/x?y=%20z"), "https://a.test:80"),
        ("http://a.test?x", HttpUrl("http", "a.test", 80, "/?x"), "http://a.test"),
        ("http://[2001:DB8::1]:8080/", HttpUrl("http", "2001:db8::1", 8080, "/"), "http://[2001:db8::1]:8080"),
        ("http://[::1]", HttpUrl("http", "::1", 80, "/"), "http://[::1]"),
        ("http://bücher.test/", HttpUrl("http", "xn--bcher-kva.test", 80, "/"), "http://xn--bcher-kva.test"),
    ],
)
def test_a_url_in_parts(text: str, url: HttpUrl, origin: str) -> None:
    assert parse_http_url(text) == url
    assert url.origin == origin


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a URL that starts with http:// or https://"),
        ("a.test/hunter2", "is not a URL that starts with"),
        ("ftp://a.test/hunter2", "is not a URL that starts with"),
        ("http:/a.test/hunter2", "has no host"),
        ("http:///hunter2", "has no host"),
        ("http://user:hunter2@a.test/", "has a user or a password; use basic_auth with password_file"),
        ("http://hunter2@a.test/", "has a user or a password"),
        ("http://a.test\\@hunter2/", "has a user or a password"),
        ("http://a.test:hunter2/", "has a host or a port that is not valid"),
        ("http://a.test:0/", "has a host or a port that is not valid"),
        ("http://a.test:65536/", "has a host or a port that is not valid"),
        ("http://[hunter2/", "has a host or a port that is not valid"),
        ("http://a_hunter2!/", "has a host that is neither a host name nor an IP address"),
        ("http://a.test/hunter2\r\nX: y", "has characters that must be percent-encoded"),
        ("http://a.test/a b", "has characters that must be percent-encoded"),
        ("http://a.test/é", "has characters that must be percent-encoded"),
        ("http://a.test/" + "x" * 8000, "is longer than 8000 characters"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        parse_http_url(text)
    assert "hunter2" not in str(caught.value)


def test_as_text_a_url_has_no_query() -> None:
    assert str(parse_http_url("https://a.test/sd?token=hunter2")) == "https://a.test/sd?..."

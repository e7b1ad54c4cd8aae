"""Which proxy a request takes: the rules of Go's httpproxy, which Prometheus uses."""

from typing import Any

import pytest

from exporter.config.http_client import HttpClientSettings
from exporter.config.http_url import parse_http_url
from exporter.net.http_get import HttpError
from exporter.targets.http_proxies import proxy_for

PROXY = "http://proxy.test:3128"


def _chosen(url: str, environment: dict[str, str] | None = None, **settings: Any) -> str | None:  # noqa: ANN401
    found = proxy_for(parse_http_url(url), HttpClientSettings(**settings), environment or {})
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://a.test/", True),
        ("a.test", "http://a.test/", True),
        ("a.test", "http://www.a.test/", True),
        ("a.test", "http://aa.test/", False),
        (".a.test", "http://www.a.test/", True),
        (".a.test", "http://a.test/", False),
        ("*.a.test", "http://www.a.test/", True),
        ("*.a.test", "http://a.test/", False),
        ("b.test, A.Test ,c.test", "http://a.test/", True),
        ("a.test:8080", "http://a.test:8080/", True),
        ("a.test:8080", "http://a.test/", False),
        ("a.test:443", "https://a.test/", True),
        ("192.0.2.7", "http://192.0.2.7/", True),
        ("192.0.2.7:80", "http://192.0.2.7/", True),
        ("192.0.2.7:81", "http://192.0.2.7/", False),
        ("192.0.2.0/24", "http://192.0.2.7:81/", True),
        ("192.0.2.0/24", "http://192.0.3.7/", False),
        ("192.0.2.0/24", "http://a.test/", False),
        ("2001:db8::/32", "http://[2001:db8::1]/", True),
        ("192.0.2.0/24", "http://[2001:db8::1]/", False),
        ("2001:DB8:0::1", "http://[2001:db8::1]/", True),
        ("[2001:db8::1]:80", "http://[2001:db8::1]/", True),
        ("[2001:db8::1]:81", "http://[2001:db8::1]/", False),
        ("not/a/network,:80,,x", "http://a.test/", False),
        ("x", "http://localhost:9090/", True),
        ("x", "http://127.0.0.9/", True),
        ("x", "http://[::1]/", True),
    ],
)
def test_no_proxy_names_what_is_reached_directly(no_proxy: str, url: str, direct: bool) -> None:
    expected = None if direct else PROXY
    assert _chosen(url, proxy_url=PROXY, no_proxy=no_proxy) == expected
    environment = {"http_proxy": PROXY, "HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert _chosen(url, environment, proxy_from_environment=True) == expected


def test_proxy_url_without_no_proxy_is_for_all() -> None:
    for url in ("http://localhost/", "https://127.0.0.1/", "http://a.test/"):
        assert _chosen(url, {"NO_PROXY": "*"}, proxy_url=PROXY) == PROXY


def test_the_environment_counts_only_if_it_is_asked_for() -> None:
    environment = {"HTTP_PROXY": PROXY, "https_proxy": "other.test:1080", "no_proxy": ""}
    assert _chosen("http://a.test/", environment) is None
    assert _chosen("http://a.test/", environment, proxy_from_environment=True) == PROXY
    assert _chosen("https://a.test/", environment, proxy_from_environment=True) == "http://other.test:1080"
    assert _chosen("https://a.test/", {}, proxy_from_environment=True) is None


def test_a_proxy_of_the_environment_that_cannot_be_used_is_an_error_without_its_password() -> None:
    environment = {"HTTP_PROXY": "https://user:hunter2@proxy.test"}
    with pytest.raises(HttpError, match=r"^HTTP_PROXY is not a proxy") as caught:
        _chosen("http://a.test/", environment, proxy_from_environment=True)
    assert "hunter2" not in str(caught.value)

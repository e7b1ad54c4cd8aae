"""Where people reach the pages."""

import pytest

from exporter.metrics import OwnMetrics
from exporter.web.external_url import default_external_url, parse_external_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://tls.example.com", "https://tls.example.com"),
        ("https://tls.example.com/", "https://tls.example.com"),
        ("http://TLS.example.com:19443/posture/", "http://tls.example.com:19443/posture"),
        ("https://[2001:db8::1]:443/x", "https://[2001:db8::1]/x"),
    ],
)
def test_a_url_has_no_slash_at_its_end(text: str, url: str) -> None:
    assert parse_external_url(text) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls.example.com", "is not a URL that starts with http:// or https://"),
        ("javascript:alert(1)", "is not a URL that starts with"),
        ("https://", "has no host"),
        ("https://user:secret@host/", "has a user or a password"),
        ("https://host/?x=1", "has a query or a fragment"),
        ("https://host/#x", "has a query or a fragment"),
        ("https://host/a b", "must be percent-encoded"),
        ("https://host:99999", "is not valid"),
    ],
)
def test_what_paths_cannot_be_appended_to_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_external_url(text)


def test_the_default_has_the_name_of_the_machine_and_the_port() -> None:
    assert default_external_url("host", 19443, tls=False) == "http://host:19443"
    assert default_external_url("host", 19443, tls=True) == "https://host:19443"


def test_the_metric_is_absent_until_the_url_is_known() -> None:
    metrics, name = OwnMetrics(), "tls_posture_exporter_web_info"
    assert metrics.registry.get_sample_value(name, {"external_url": "http://a:1"}) is None
    for url in ("http://a:1", "https://b"):
        metrics.note_external_url(url)
    assert metrics.registry.get_sample_value(name, {"external_url": "https://b"}) == 1
    assert metrics.registry.get_sample_value(name, {"external_url": "http://a:1"}) is None

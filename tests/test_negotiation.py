"""What `Accept` and `Accept-Encoding` ask for, by their weights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.negotiation import prefers_gzip, prefers_openmetrics

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1"
)
"""As Prometheus 3 sends it."""


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        (PROMETHEUS, True),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.0, */*", False),
        ("application/openmetrics-text; q=0.001", True),
        ("application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text;version=0.0.1", True),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0.9, text/plain;q=0.2", True),
        ("application/openmetrics-text, text/plain", True),
        ("application/openmetrics-text;q=0.5, */*;q=0.8", False),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.1, */*;q=0.8", True),
        ("application/openmetrics-text;q=0.5, text/plain;version=1.0.0, */*;q=0.1", True),
        ("application/openmetrics-text;q=high", False),
        ("application/openmetrics-text;q=2", False),
        ("text/plain", False),
        ("*/*", False),
        (",;,q=1;", False),
    ],
)
def test_openmetrics_is_for_those_who_prefer_it(accept: str, openmetrics: bool) -> None:
    assert prefers_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("gzip;q=0.5", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0.5, *;q=0", True),
        ("identity;q=0", False),
        ("identity;q=0, *", True),
        ("identity;q=0, gzip;q=0.1", True),
        ("gzip;q=0.5, identity", False),
        ("gzip, identity;q=0.5", True),
        ("br, deflate", False),
        ("notgzip", False),
        ("gzip;q=much", False),
    ],
)
def test_gzip_is_for_those_who_prefer_it(accept_encoding: str, gzip: bool) -> None:
    assert prefers_gzip(accept_encoding) is gzip


@given(st.text() | st.text("gzipapplicationopenmetrics-text/*;,=q01. "))
def test_a_field_of_any_content_is_read(field: str) -> None:
    assert prefers_gzip(field) in {True, False}
    assert prefers_openmetrics(field) in {True, False}

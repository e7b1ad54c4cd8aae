from datetime import timedelta

import pytest
from pydantic import ValidationError

from exporter.checks.hsts import CHECK, HstsDemand
from exporter.checks.hsts_on_errors import CHECK as ON_ERRORS
from exporter.checks.hsts_on_errors import HstsOnErrorsDemand
from exporter.model import TrustFailure, Verdict
from tests.support.facts import GOOD_HTTP, case, certificate, certificates, deployment, http, http_everywhere
from tests.support.targets import NOW

DEMAND = HstsDemand.model_validate({"severity": "warning", "source": "test", "min_max_age_seconds": 31536000})


@pytest.mark.parametrize(
    ("fields", "verdict", "summary", "evidence"),
    [
        (["max-age=31536000"], Verdict.PASS, "max-age is 31536000", []),
        (["max-age=63072000; includeSubDomains"], Verdict.PASS, "max-age is 63072000", []),
        (["max-age=31536000", "max-age=0"], Verdict.PASS, "max-age is 31536000", []),
        (
            ["max-age=31535999"],
            Verdict.FAIL,
            "max-age is 31535999, less than 31536000",
            ["max-age=31535999"],
        ),
        (["max-age=0"], Verdict.FAIL, "max-age is 0, less than 31536000", ["max-age=0"]),
        (
            ["max-age=0", "max-age=31536000"],
            Verdict.FAIL,
            "max-age is 0, less than 31536000",
            ["max-age=0", "max-age=31536000"],
        ),
        (["includeSubDomains"], Verdict.FAIL, "the HSTS header is not valid", ["includeSubDomains"]),
        ([""], Verdict.FAIL, "the HSTS header is not valid", [""]),
        (["junk", "max-age=31536000"], Verdict.FAIL, "the HSTS header is not valid", ["junk", "max-age=31536000"]),
        ([], Verdict.FAIL, "there is no HSTS header", []),
    ],
)
def test_the_first_response_must_carry_a_policy_of_the_demanded_length(
    fields: list[str], verdict: Verdict, summary: str, evidence: list[str]
) -> None:
    outcome = CHECK.judge(case(http(*fields), certificate()), DEMAND)
    expected = {"strict_transport_security": tuple(evidence)} if evidence else {}
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, expected)


@pytest.mark.parametrize("status", [200, 301, 404, 503])
def test_the_status_of_the_response_does_not_matter(status: int) -> None:
    """RFC 6797, 8.1."""
    assert CHECK.judge(case(http("max-age=31536000", status=status), certificate()), DEMAND).verdict is Verdict.PASS


def test_without_a_response_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "there was no response to look at")


@pytest.mark.parametrize("protocol", ["imaps", "smtp", "ldaps", "tls"])
def test_only_https_has_hsts(protocol: str) -> None:
    outcome = CHECK.judge(case(GOOD_HTTP, protocol=protocol), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.NOT_APPLICABLE, f"HSTS is for https; this is {protocol}")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_browsers_keep_no_policy_for_addresses(host: str) -> None:
    outcome = CHECK.judge(case(http(), host=host), DEMAND)
    assert outcome.verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_demand_that_every_header_meets_is_an_error(seconds: int) -> None:
    with pytest.raises(ValidationError, match="min_max_age_seconds"):
        HstsDemand.model_validate({"severity": "info", "source": "test", "min_max_age_seconds": seconds})


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ([certificate()], Verdict.PASS),
        ([certificate(trusted=False, failures=(TrustFailure.UNKNOWN_ISSUER,))], Verdict.FAIL),
        ([certificate(hostname_match=False)], Verdict.FAIL),
        ([certificate(valid_until=NOW - timedelta(seconds=1))], Verdict.UNKNOWN),
        (
            [certificate(valid_until=NOW - timedelta(seconds=1), trusted=False, failures=(TrustFailure.EXPIRED,))],
            Verdict.FAIL,
        ),
        ([certificate(trusted=None, failures=(TrustFailure.EXPIRED,))], Verdict.FAIL),
        ([certificates(deployment(), deployment(trusted=False))], Verdict.UNKNOWN),
        ([certificates(deployment(), deployment(trusted=None))], Verdict.UNKNOWN),
        ([certificates(deployment(trusted=False), deployment())], Verdict.FAIL),
        ([certificates(deployment(), deployment())], Verdict.PASS),
        ([certificate(trusted=None)], Verdict.UNKNOWN),
        ([certificate(hostname_match=None)], Verdict.UNKNOWN),
        ([certificate(trusted=None, hostname_match=False)], Verdict.FAIL),
        ([], Verdict.UNKNOWN),
    ],
)
def test_browsers_keep_no_policy_of_a_server_whose_certificate_they_refuse(
    seen: list[object], verdict: Verdict
) -> None:
    """RFC 6797, 8.1."""
    assert CHECK.judge(case(http("max-age=31536000"), *seen), DEMAND).verdict is verdict
    demand = HstsOnErrorsDemand.model_validate({"severity": "warning", "source": "test"})
    assert ON_ERRORS.judge(case(http_everywhere("max-age=31536000"), *seen), demand).verdict is verdict


def test_a_private_authority_counts_for_its_clients() -> None:
    told = CHECK.judge(case(http("max-age=31536000"), certificate(), ca_file="/etc/ssl/private-ca.pem"), DEMAND)
    assert told.verdict is Verdict.PASS

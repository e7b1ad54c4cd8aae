from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.hsts_preload import CHECK, RULES, HstsPreloadDemand
from exporter.facts.certificate import CertificateFacts
from exporter.facts.http import HttpFacts, PlainAnswer
from exporter.model import HttpOptions, Reason, TrustFailure, Verdict
from tests.support.facts import REDIRECTS, case, certificate, deployment, issuer, response

READY = "max-age=31536000; includeSubDomains; preload"
BOTH = ["registrable_domain", "www_host"]


def demand(*vouched: str) -> HstsPreloadDemand:
    return HstsPreloadDemand.model_validate({"severity": "info", "source": "test", "vouched_for": vouched})


def seen(
    *fields: str, plain: PlainAnswer | None = REDIRECTS, status: int = 200, location: str | None = None
) -> HttpFacts:
    others = {} if location is None else {"location": location}
    return HttpFacts((response(*fields, status=status, others=others),), plain)


def told(*facts: object, vouched: list[str] = BOTH, **target: Any) -> tuple[Verdict, dict[str, str]]:  # noqa: ANN401 - any field of Target
    """The verdict, and of each rule whether it is met."""
    outcome = CHECK.judge(case(*facts, **target), demand(*vouched))
    return outcome.verdict, {name: evidence[0].split(":")[0] for name, evidence in outcome.evidence.items()}


def not_met(*facts: object, vouched: list[str] = BOTH, **target: Any) -> tuple[Verdict, dict[str, str]]:  # noqa: ANN401 - any field of Target
    """The same without the rules that are met."""
    verdict, rules = told(*facts, vouched=vouched, **target)
    return verdict, {name: word for name, word in rules.items() if word != "pass"}


def test_a_host_that_meets_every_rule_is_ready_and_each_rule_is_named() -> None:
    assert told(seen(READY), certificate()) == (Verdict.PASS, dict.fromkeys(RULES, "pass"))


def test_without_the_word_of_the_policy_it_is_never_known() -> None:
    verdict, rules = not_met(seen(READY), certificate(), vouched=[])
    assert (verdict, rules) == (Verdict.UNKNOWN, dict.fromkeys(BOTH, "unknown"))
    assert not_met(seen(READY), certificate(), vouched=["www_host"])[1] == {"registrable_domain": "unknown"}


HEADER = [
    # fields, the rules that are not met
    ([READY, READY], {"one_header_field"}),
    (["max-age=31535999; includeSubDomains; preload"], {"max_age"}),
    (["max-age=0; includeSubDomains; preload"], {"max_age"}),
    (['max-age="31536000"; includeSubDomains; preload'], {"max_age"}),
    (["max-age = 31536000; includeSubDomains; preload"], {"max_age"}),
    ([f"max-age={2**64}; includeSubDomains; preload"], {"max_age"}),
    ([f"max-age={'9' * 500}; includeSubDomains; preload"], {"max_age"}),
    (['a="; max-age=31536000;"; max-age="31536000"; includeSubDomains; preload'], {"max_age"}),
    (['a="; max-age=5;"; max-age=31536000; includeSubDomains; preload'], {"max_age"}),
    (["max-age=31536000; max-ageing; includeSubDomains; preload"], {"max_age"}),
    (["max-age=31536000; preload"], {"include_subdomains"}),
    (["max-age=31536000; includeSubDomains"], {"preload"}),
    (["max-age=31536000; includeSubDomains; preload=1"], {"preload"}),
    (["max-age=1"], {"max_age", "include_subdomains", "preload"}),
    ([], {"one_header_field", "max_age", "include_subdomains", "preload"}),
    ([f"{READY}, {READY}"], {"one_header_field", "max_age", "include_subdomains", "preload"}),
]


@pytest.mark.parametrize(("fields", "broken"), HEADER)
def test_each_rule_about_the_header(fields: list[str], broken: set[str]) -> None:
    verdict, rules = not_met(seen(*fields), certificate())
    assert verdict is Verdict.FAIL
    assert rules == dict.fromkeys(broken | {"header_after_redirect"}, "fail"), "http leads to the same page"


@pytest.mark.parametrize(
    "field",
    [
        *("Preload;INCLUDESUBDOMAINS;MAX-AGE=63072000", f";{READY};", f"{READY}; a=b"),
        f"max-age={2**64 - 1}; includeSubDomains; preload",
        f"max-age={'0' * 30}31536000; includeSubDomains; preload",
    ],
)
def test_spellings_that_the_list_takes(field: str) -> None:
    assert told(seen(field), certificate())[0] is Verdict.PASS


def test_a_header_that_was_cut_is_not_known() -> None:
    assert not_met(seen(f"{READY}; a={'b' * 2000}"), certificate()) == (
        Verdict.UNKNOWN,
        {"max_age": "unknown", "header_after_redirect": "unknown"},
    )


CERTIFICATES: list[tuple[CertificateFacts | None, dict[str, str]]] = [
    (certificate(trusted=False), {"certificate": "fail"}),
    (certificate(hostname_match=False), {"certificate": "fail"}),
    (
        certificate(trusted=False, failures=(TrustFailure.EXPIRED,), valid_until=deployment().valid_from),
        {"certificate": "fail"},
    ),
    # It has ended since it was seen, and may have been renewed.
    (certificate(valid_until=deployment().valid_from), {"certificate": "unknown"}),
    (certificate(trusted=None), {"certificate": "unknown"}),
    (certificate(signature_hash="sha1"), {"no_sha1": "fail"}),
    (certificate(signature_hash=None), {"no_sha1": "unknown"}),
    (CertificateFacts((deployment(issuer(signature_hash="sha1")),)), {"no_sha1": "fail"}),
    (CertificateFacts((deployment(issuer(signature_hash="sha1", self_signed=True)),)), {}),
    (None, {"certificate": "unknown", "no_sha1": "unknown"}),
]


@pytest.mark.parametrize(("facts", "expected"), CERTIFICATES)
def test_each_rule_about_the_certificate(facts: CertificateFacts | None, expected: dict[str, str]) -> None:
    assert not_met(seen(READY), *([facts] if facts else []))[1] == expected


def test_a_chain_that_an_authority_of_ones_own_is_trusted_for_says_nothing_of_browsers() -> None:
    assert not_met(seen(READY), certificate(), ca_file="/own.pem")[1] == {"certificate": "unknown"}


BOTH_HTTP = ("redirect_from_http", "header_after_redirect")
PLAIN = [
    # port 80, the rules that are not met
    (PlainAnswer(80, reason=Reason.CONNECT_REFUSED), {}),
    (PlainAnswer(80, reason=Reason.CONNECT_TIMEOUT), dict.fromkeys(BOTH_HTTP, "unknown")),
    (PlainAnswer(80, redirects_to_https=False, status=200), dict.fromkeys(BOTH_HTTP, "fail")),
    (None, dict.fromkeys(BOTH_HTTP, "unknown")),
    (replace(REDIRECTS, port=8080), dict.fromkeys(BOTH_HTTP, "unknown")),
    (replace(REDIRECTS, location="https://www.test.example/login"), {"header_after_redirect": "unknown"}),
    (replace(REDIRECTS, location="https://www.test.example/?a"), {"header_after_redirect": "unknown"}),
    (replace(REDIRECTS, location="https://www.test.example"), {}),
    (replace(REDIRECTS, location="HTTPS://WWW.test.example:443/"), {}),
    (replace(REDIRECTS, location="https://www.test.example./"), dict.fromkeys(BOTH_HTTP, "fail")),
    (PlainAnswer(80, status=301, location="https:/", reason=Reason.HTTP_ERROR), dict.fromkeys(BOTH_HTTP, "unknown")),
]


@pytest.mark.parametrize(("plain", "expected"), PLAIN)
def test_each_rule_about_port_80(plain: PlainAnswer | None, expected: dict[str, str]) -> None:
    assert not_met(seen(READY, plain=plain), certificate())[1] == expected


@pytest.mark.parametrize(
    ("status", "location", "expected"),
    [
        (301, "http://www.test.example/a", {"secure_redirects": "fail"}),
        (301, "HTTP:/a", {"secure_redirects": "fail"}),
        (301, "https://elsewhere.example/", {"secure_redirects": "unknown"}),
        (301, "/a", {"secure_redirects": "unknown"}),
        (301, None, {}),
        (200, "http://www.test.example/", {}),
        (300, "http://www.test.example/", {}),
        (304, "http://www.test.example/", {}),
    ],
)
def test_redirects_from_https_on(status: int, location: str | None, expected: dict[str, str]) -> None:
    assert not_met(seen(READY, status=status, location=location), certificate())[1] == expected


def test_a_top_level_domain_is_none_whatever_the_policy_says() -> None:
    assert not_met(seen(READY), certificate(), host="example")[1]["registrable_domain"] == "fail"


def test_a_name_that_the_list_does_not_take_is_none_either() -> None:
    assert not_met(seen(READY), certificate(), host="_a.example")[1]["registrable_domain"] == "fail"


def test_the_list_looks_at_the_root() -> None:
    verdict, rules = not_met(seen(READY), certificate(), http=HttpOptions(path="/shop", port=80))
    assert verdict is Verdict.UNKNOWN
    assert {"one_header_field", "max_age", "include_subdomains", "preload"} < rules.keys()


def test_what_another_host_at_the_address_answers_says_nothing_of_this_one() -> None:
    verdict, rules = not_met(seen(READY), certificate(), http=HttpOptions(host="other.test.example", port=80))
    assert verdict is Verdict.UNKNOWN
    assert rules == dict.fromkeys(
        RULES.keys() - {"registrable_domain", "www_host", "certificate", "no_sha1"}, "unknown"
    )
    same = HttpOptions(host="www.test.example", port=80)
    assert told(seen(READY), certificate(), http=same)[0] is Verdict.PASS


def test_without_facts_nothing_is_known() -> None:
    assert told() == (Verdict.UNKNOWN, {})
    assert told(certificate())[0] is Verdict.UNKNOWN


@pytest.mark.parametrize("changes", [{"protocol": "imaps"}, {"port": 8443}, {"host": "192.0.2.1"}])
def test_the_list_is_for_names_with_https_on_its_port(changes: dict[str, Any]) -> None:
    assert told(seen(READY), certificate(), **changes)[0] is Verdict.NOT_APPLICABLE


def test_only_what_is_not_looked_at_can_be_vouched_for() -> None:
    with pytest.raises(ValidationError):
        demand("max_age")

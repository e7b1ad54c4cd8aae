import pytest
from pydantic import ValidationError

from exporter.checks.hsts_on_errors import CHECK, HstsOnErrorsDemand
from exporter.facts.http import Asked, HttpFacts
from exporter.model import Verdict
from tests.support.facts import GOOD_HTTP, case, certificate, http, http_everywhere, response


def demand(**changes: object) -> HstsOnErrorsDemand:
    return HstsOnErrorsDemand.model_validate({"severity": "warning", "source": "test", **changes})


def seen(*statuses: tuple[Asked, int, str | None]) -> HttpFacts:
    """A good first response, and others with these fields."""
    others = (
        response(*([] if field is None else [field]), request=asked, status=status) for asked, status, field in statuses
    )
    return HttpFacts((response("max-age=31536000"), *others))


NOT_FOUND, MALFORMED = Asked.NOT_FOUND, Asked.MALFORMED
YEAR = "max-age=31536000"
CASES = [
    # responses after the first, verdict, summary, evidence
    ([(NOT_FOUND, 404, YEAR), (MALFORMED, 400, YEAR)], Verdict.PASS, "2 error responses carry the HSTS policy", {}),
    ([(NOT_FOUND, 404, YEAR)], Verdict.PASS, "1 error response carries the HSTS policy", {}),
    ([(NOT_FOUND, 404, "max-age=1")], Verdict.PASS, "1 error response carries the HSTS policy", {}),
    (
        *([(NOT_FOUND, 404, YEAR), (MALFORMED, 400, None)], Verdict.FAIL),
        *("1 of 2 error responses lack the HSTS policy", {"malformed (400)": ("no HSTS header",)}),
    ),
    (
        *([(NOT_FOUND, 404, None), (MALFORMED, 400, "max-age=junk")], Verdict.FAIL),
        "2 of 2 error responses lack the HSTS policy",
        {"not_found (404)": ("no HSTS header",), "malformed (400)": ("max-age=junk",)},
    ),
    (
        *([(NOT_FOUND, 503, "max-age=0")], Verdict.FAIL),
        *("1 of 1 error responses lack the HSTS policy", {"not_found (503)": ("max-age=0",)}),
    ),
    ([(NOT_FOUND, 404, YEAR), (MALFORMED, 421, None)], Verdict.PASS, "1 error response carries the HSTS policy", {}),
    ([(NOT_FOUND, 200, None), (MALFORMED, 404, None)], Verdict.UNKNOWN, "no error response was seen that counts", {}),
    ([(NOT_FOUND, 200, None), (MALFORMED, 302, None)], Verdict.UNKNOWN, "no error response was seen that counts", {}),
    ([], Verdict.UNKNOWN, "no error response was seen that counts", {}),
]


@pytest.mark.parametrize(("others", "verdict", "summary", "evidence"), CASES)
def test_each_error_response_that_was_seen_must_carry_a_policy(
    others: list[tuple[Asked, int, str | None]], verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = CHECK.judge(case(seen(*others), certificate()), demand())
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


@pytest.mark.parametrize(("least", "verdict"), [(31536000, Verdict.PASS), (31536001, Verdict.FAIL)])
def test_it_must_be_of_the_demanded_length(least: int, verdict: Verdict) -> None:
    assert CHECK.judge(case(http_everywhere(YEAR), certificate()), demand(min_max_age_seconds=least)).verdict is verdict


def test_a_policy_may_leave_out_what_browsers_never_send() -> None:
    facts = seen((NOT_FOUND, 404, YEAR), (MALFORMED, 400, None))
    assert CHECK.judge(case(facts, certificate()), demand(requests=["root", "not_found"])).verdict is Verdict.PASS
    assert CHECK.judge(case(facts, certificate()), demand(requests=["malformed"])).verdict is Verdict.FAIL
    assert CHECK.judge(case(facts, certificate()), demand(requests=["root"])).verdict is Verdict.UNKNOWN


def test_the_first_response_counts_where_it_is_an_error() -> None:
    assert CHECK.judge(case(http(YEAR, status=403), certificate()), demand()).verdict is Verdict.PASS
    assert CHECK.judge(case(http(status=403)), demand()).verdict is Verdict.FAIL


def test_without_a_response_nothing_is_known() -> None:
    assert CHECK.judge(case(), demand()).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("changes", [{"protocol": "imaps"}, {"host": "192.0.2.1"}, {"host": "2001:db8::1"}])
def test_it_is_for_names_with_https(changes: dict[str, str]) -> None:
    assert CHECK.judge(case(GOOD_HTTP, **changes), demand()).verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("wrong", [{"min_max_age_seconds": 0}, {"requests": []}, {"requests": ["root", "teapot"]}])
def test_a_demand_that_means_nothing_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        demand(**wrong)


@pytest.mark.parametrize(
    ("field", "verdict"), [(YEAR, Verdict.PASS), (None, Verdict.UNKNOWN), ("max-age=0", Verdict.UNKNOWN)]
)
def test_where_every_path_has_a_page_what_is_left_out_may_speak_for_it(field: str | None, verdict: Verdict) -> None:
    facts = seen((NOT_FOUND, 200, YEAR), (MALFORMED, 400, field))
    assert CHECK.judge(case(facts, certificate()), demand(requests=["root", "not_found"])).verdict is verdict

import pytest
from pydantic import ValidationError

from exporter.checks.http_redirect import CHECK, HttpRedirectDemand
from exporter.facts.http import PlainAnswer
from exporter.model import HttpOptions, Reason, Verdict
from tests.support.facts import GOOD_HTTP, case, http, http_everywhere

DEMAND = HttpRedirectDemand.model_validate({"severity": "warning", "source": "test", "required": True})

CASES = [
    # what the port does, verdict, summary, evidence
    (
        PlainAnswer(80, redirects_to_https=True, status=301, location="https://www.test.example/"),
        *(Verdict.PASS, "port 80 redirects to https on the same host", {}),
    ),
    (
        PlainAnswer(80, redirects_to_https=False, status=200),
        *(Verdict.FAIL, "port 80 answers 200 and does not redirect to https on the same host", {}),
    ),
    (
        PlainAnswer(8080, redirects_to_https=False, status=302, location="/login"),
        Verdict.FAIL,
        "port 8080 answers 302 and does not redirect to https on the same host",
        {"location": ("/login",)},
    ),
    (
        PlainAnswer(80, reason=Reason.CONNECT_REFUSED, detail="refused"),
        *(Verdict.NOT_APPLICABLE, "nobody listens on port 80", {}),
    ),
    (
        PlainAnswer(80, reason=Reason.CONNECT_TIMEOUT, detail="192.0.2.1 port 80: no answer"),
        *(Verdict.UNKNOWN, "what port 80 does is not known: connect_timeout"),
        {"port": ("192.0.2.1 port 80: no answer",)},
    ),
    (
        PlainAnswer(80, reason=Reason.HTTP_ERROR, detail="not an HTTP response"),
        *(Verdict.UNKNOWN, "what port 80 does is not known: http_error", {"port": ("not an HTTP response",)}),
    ),
    (None, Verdict.UNKNOWN, "the port without TLS was not looked at", {}),
]


@pytest.mark.parametrize(("plain", "verdict", "summary", "evidence"), CASES)
def test_the_first_answer_must_be_the_redirect(
    plain: PlainAnswer | None, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = CHECK.judge(case(http_everywhere(plain=plain)), DEMAND)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_a_response_nothing_is_known() -> None:
    assert CHECK.judge(case(), DEMAND).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("changes", [{"protocol": "imaps"}, {"http": HttpOptions(port=None)}])
def test_it_is_for_https_where_that_port_is_looked_at(changes: dict[str, object]) -> None:
    assert CHECK.judge(case(GOOD_HTTP, **changes), DEMAND).verdict is Verdict.NOT_APPLICABLE


def test_the_status_and_the_header_of_https_do_not_matter() -> None:
    assert CHECK.judge(case(http(status=500)), DEMAND).verdict is Verdict.UNKNOWN


def test_not_to_require_it_is_no_demand() -> None:
    with pytest.raises(ValidationError):
        HttpRedirectDemand.model_validate({"severity": "info", "source": "test", "required": False})

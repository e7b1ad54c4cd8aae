import pytest

from exporter.checks.caa import CHECK, CaaDemand
from exporter.model import Verdict
from tests.support.facts import GOOD_CAA, caa, case

DEMAND = CaaDemand.model_validate({"severity": "warning", "source": "test", "required": True})
OPEN = "the CAA records restrict no certification authority for this name"


@pytest.mark.parametrize(
    ("records", "verdict", "summary", "evidence"),
    [
        ([("issue", "ca.example")], Verdict.PASS, "1 CAA record at test.example", ()),
        ([("issue", ";")], Verdict.PASS, "1 CAA record at test.example", ()),
        (
            [("issue", "ca.example"), ("issuewild", ";"), ("iodef", "mailto:x@test.example")],
            Verdict.PASS,
            "3 CAA records at test.example",
            (),
        ),
        ([], Verdict.FAIL, "there are no CAA records", ()),
        ([("issuewild", ";")], Verdict.FAIL, OPEN, ('0 issuewild ";"',)),
        ([("iodef", "mailto:x@test.example")], Verdict.FAIL, OPEN, ('0 iodef "mailto:x@test.example"',)),
        (
            [("contactemail", "x@test.example"), ("tbs", "")],
            Verdict.FAIL,
            OPEN,
            ('0 contactemail "x@test.example"', '0 tbs ""'),
        ),
    ],
)
def test_the_records_must_restrict_who_may_issue_for_the_host(
    records: list[tuple[str, str]], verdict: Verdict, summary: str, evidence: tuple[str, ...]
) -> None:
    """RFC 8659, 4.2: without issue every CA may; 4.3: issuewild is for wildcards alone."""
    outcome = CHECK.judge(case(caa(*records)), DEMAND)
    expected = {"test.example": evidence} if evidence else {}
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, expected)


def test_a_failed_lookup_is_unknown() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "the CAA records could not be looked up")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_addresses_have_no_caa_records(host: str) -> None:
    outcome = CHECK.judge(case(GOOD_CAA, host=host), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.NOT_APPLICABLE, "CAA is for domain names")

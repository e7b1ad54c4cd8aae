import pytest

from exporter.checks.mta_sts import CHECK, MtaStsDemand
from exporter.facts.dns import MtaStsFacts
from exporter.model import DnsQuestion, Verdict
from tests.support.facts import case

DOMAIN = "shop.example"
BOTH = ["mta_sts", "tls_rpt"]


def demand(*records: str) -> MtaStsDemand:
    return MtaStsDemand.model_validate({"severity": "info", "source": "test", "records": list(records)})


@pytest.mark.parametrize(
    ("facts", "records", "verdict", "summary"),
    [
        (
            MtaStsFacts(DOMAIN, "x", "y"),
            BOTH,
            Verdict.PASS,
            "shop.example has mta_sts, tls_rpt",
        ),
        (MtaStsFacts(DOMAIN, None, "y"), BOTH, Verdict.FAIL, "shop.example has no valid record for mta_sts"),
        (MtaStsFacts(DOMAIN, None, None), BOTH, Verdict.FAIL, "shop.example has no valid record for mta_sts, tls_rpt"),
        (
            MtaStsFacts(DOMAIN, "x", None),
            ["mta_sts"],
            Verdict.PASS,
            "shop.example has mta_sts",
        ),
        (
            MtaStsFacts("other.example", "x", "y"),
            BOTH,
            Verdict.UNKNOWN,
            "the records of the mail domain could not be looked up",
        ),
        (None, BOTH, Verdict.UNKNOWN, "the records of the mail domain could not be looked up"),
    ],
)
def test_the_mail_domain_must_have_the_records_asked_for(
    facts: MtaStsFacts | None, records: list[str], verdict: Verdict, summary: str
) -> None:
    parts = [facts] if facts else []
    outcome = CHECK.judge(case(*parts, mail_domain=DOMAIN, protocol="smtp"), demand(*records))
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


@pytest.mark.parametrize(
    ("protocol", "verdict"),
    [("smtp", Verdict.UNKNOWN), ("https", Verdict.NOT_APPLICABLE), ("imaps", Verdict.NOT_APPLICABLE)],
)
def test_without_a_mail_domain_only_mail_servers_are_in_question(protocol: str, verdict: Verdict) -> None:
    assert CHECK.judge(case(protocol=protocol), demand(*BOTH)).verdict is verdict


def test_only_this_check_has_them_looked_up() -> None:
    assert CHECK.questions == {DnsQuestion.MTA_STS}

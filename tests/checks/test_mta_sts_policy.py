import pytest

from exporter.checks.mta_sts_policy import CHECK, MtaStsPolicyDemand
from exporter.facts.dns import StsPolicy, StsPolicyFacts
from exporter.model import DnsQuestion, Verdict
from tests.support.facts import case

DOMAIN, HOST = "shop.example", "mail.shop.example"


def demand(*modes: str) -> MtaStsPolicyDemand:
    return MtaStsPolicyDemand.model_validate({"severity": "info", "source": "test", "modes": list(modes)})


def having(mode: str = "enforce", *, mx: tuple[str, ...] = (HOST,), plain_text: bool = True) -> StsPolicyFacts:
    return StsPolicyFacts(DOMAIN, StsPolicy(mode, 86_400, mx), plain_text=plain_text)


CASES: list[tuple[StsPolicyFacts | None, Verdict, str]] = [
    (having(), Verdict.PASS, f"the MTA-STS policy of {DOMAIN} covers {HOST}, mode enforce"),
    (having(mx=("*.shop.example",)), Verdict.PASS, f"the MTA-STS policy of {DOMAIN} covers {HOST}, mode enforce"),
    (having("testing"), Verdict.FAIL, f"the MTA-STS policy of {DOMAIN} is in mode testing"),
    (having("none", mx=()), Verdict.FAIL, f"the MTA-STS policy of {DOMAIN} is in mode none"),
    (having(mx=("*.example",)), Verdict.FAIL, f"the MTA-STS policy of {DOMAIN} does not cover {HOST}"),
    (
        having(plain_text=False),
        Verdict.UNKNOWN,
        f"the MTA-STS policy of {DOMAIN} is not text/plain, and senders need not accept it",
    ),
    (
        StsPolicyFacts(DOMAIN, None, "its policy has no mode"),
        Verdict.FAIL,
        f"{DOMAIN} has no valid MTA-STS policy: its policy has no mode",
    ),
    (StsPolicyFacts("other.example", None, "x"), Verdict.UNKNOWN, "the policy of the mail domain could not be fetched"),
    (None, Verdict.UNKNOWN, "the policy of the mail domain could not be fetched"),
]


@pytest.mark.parametrize(("facts", "verdict", "summary"), CASES)
def test_the_policy_must_cover_the_server(facts: StsPolicyFacts | None, verdict: Verdict, summary: str) -> None:
    one = case(*([facts] if facts else []), host=HOST, mail_domain=DOMAIN, protocol="smtp")
    outcome = CHECK.judge(one, demand("enforce"))
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


def test_a_policy_on_trial_will_do_where_that_is_said() -> None:
    one = case(having("testing"), host=HOST, mail_domain=DOMAIN)
    assert CHECK.judge(one, demand("enforce", "testing")).verdict is Verdict.PASS


def test_a_server_without_a_name_can_be_any_of_them() -> None:
    outcome = CHECK.judge(case(having(), host="192.0.2.1", mail_domain=DOMAIN), demand("enforce"))
    assert outcome.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("protocol", "verdict"), [("smtp", Verdict.UNKNOWN), ("smtps", Verdict.UNKNOWN), ("https", Verdict.NOT_APPLICABLE)]
)
def test_without_a_mail_domain_it_is_for_mail_servers_alone(protocol: str, verdict: Verdict) -> None:
    assert CHECK.judge(case(having(), protocol=protocol), demand("enforce")).verdict is verdict


def test_only_this_check_has_it_fetched() -> None:
    assert CHECK.questions == {DnsQuestion.MTA_STS_POLICY}

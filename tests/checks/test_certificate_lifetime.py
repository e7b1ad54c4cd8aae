from datetime import UTC, datetime, timedelta

import pytest

from exporter.checks.certificate_lifetime import CHECK, CertificateLifetimeDemand
from exporter.facts.certificate import CertificateFacts
from exporter.model import Verdict
from tests.support.facts import case, certificate, certificates, deployment, issuer

DEMAND = CertificateLifetimeDemand.model_validate({"severity": "warning", "source": "test", "max_days": 90})
START = datetime(2026, 10, 1, tzinfo=UTC)


def made_for(**length: float) -> CertificateFacts:
    return certificate(not_before=START, not_after=START + timedelta(**length))


@pytest.mark.parametrize(
    ("seen", "verdict", "summary"),
    [
        (made_for(days=90), Verdict.PASS, "is made for 90 days"),
        (made_for(days=89, hours=12), Verdict.PASS, "is made for 89.5 days"),
        (made_for(days=90, seconds=1), Verdict.FAIL, "is made for 90.01 days, more than 90"),
        (made_for(days=397), Verdict.FAIL, "is made for 397 days, more than 90"),
        (
            certificates(deployment(issuer(not_after=START + timedelta(days=3650)), not_before=START)),
            Verdict.PASS,
            "is made for 91 days",
        ),
        (
            certificates(
                deployment(not_before=START, not_after=START + timedelta(days=6)),
                deployment(not_before=START, not_after=START + timedelta(days=100), key_algorithm="RSA"),
            ),
            Verdict.FAIL,
            "is made for 100 days, more than 90",
        ),
        (
            certificates(deployment(not_before=START, not_after=START + timedelta(days=6)), complete=False),
            Verdict.UNKNOWN,
            "is made for 6 days, but there may be other certificates",
        ),
    ],
)
def test_no_leaf_is_made_for_longer_than_demanded(seen: CertificateFacts, verdict: Verdict, summary: str) -> None:
    demand = DEMAND.model_copy(update={"max_days": 91}) if summary == "is made for 91 days" else DEMAND
    outcome = CHECK.judge(case(seen), demand)
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


def test_evidence_names_the_certificate() -> None:
    assert dict(CHECK.judge(case(made_for(days=91)), DEMAND).evidence) == {"EC abababab": ("91 days",)}


def test_without_facts_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "the certificate could not be looked at")


def test_a_demand_is_said_in_words() -> None:
    assert CHECK.asks(DEMAND) == "a certificate made for 90 days at most"

from dataclasses import replace

import pytest

from exporter.case import Case
from exporter.checks.caa_issuer import CHANGED, CHECK, CaaIssuerDemand
from exporter.derived.caa import DERIVATION
from exporter.facts.dns import DnsFacts
from exporter.judging.check import Outcome
from exporter.model import Verdict
from tests.support.facts import caa, case, certificate, certificates, deployment, facts
from tests.support.targets import NOW

DEMAND = CaaIssuerDemand.model_validate({"severity": "warning", "source": "test", "required": True})
LETTER = "C=US,O=Let's Encrypt,CN=E7"


def judge(*parts: object, **target: str) -> Outcome:
    one: Case = case(*parts, **target)
    derived = DERIVATION.derive(one)
    return CHECK.judge(replace(one, facts=facts(*parts, *([derived] if derived else []), at=NOW)), DEMAND)


CASES: list[tuple[str, DnsFacts | None, Verdict, str]] = [
    (
        LETTER,
        caa(("issue", "letsencrypt.org")),
        Verdict.PASS,
        "the CAA records at test.example allow Let's Encrypt (letsencrypt.org)",
    ),
    (
        LETTER,
        caa(("issue", "ca.example.net"), ("issue", ";")),
        Verdict.FAIL,
        f"the CAA records at test.example do not allow Let's Encrypt (letsencrypt.org), but ca.example.net; {CHANGED}",
    ),
    (
        LETTER,
        caa(("issue", ";")),
        Verdict.FAIL,
        f"the CAA records at test.example do not allow Let's Encrypt (letsencrypt.org), nor anybody; {CHANGED}",
    ),
    (
        LETTER,
        caa(("tbs", "x"), flags=128),
        Verdict.FAIL,
        (
            "the CAA records at test.example do not allow Let's Encrypt (letsencrypt.org), "
            f"nor anybody: tbs is critical and not known; {CHANGED}"
        ),
    ),
    (LETTER, caa(), Verdict.NOT_APPLICABLE, "there are no CAA records, so any CA may issue it"),
    (LETTER, None, Verdict.UNKNOWN, "the CAA records that count for it could not be looked up"),
    (
        "O=Test",
        caa(("issue", "letsencrypt.org")),
        Verdict.UNKNOWN,
        "it is not known which domain its issuer uses in CAA records",
    ),
]


@pytest.mark.parametrize(("issuer", "records", "verdict", "summary"), CASES)
def test_the_records_must_allow_the_issuer(
    issuer: str, records: DnsFacts | None, verdict: Verdict, summary: str
) -> None:
    outcome = judge(certificate(issuer=issuer), *([records] if records else []))
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


def test_a_pass_needs_all_certificates() -> None:
    some = certificates(deployment(issuer=LETTER), complete=False)
    outcome = judge(some, caa(("issue", "letsencrypt.org")))
    assert (outcome.verdict, outcome.summary) == (
        Verdict.UNKNOWN,
        "the CAA records allow the CAs that were seen, and there may be other certificates",
    )
    assert judge(some, caa(("issue", ";"))).verdict is Verdict.FAIL


def test_a_mismatch_names_the_certificate() -> None:
    outcome = judge(certificate(issuer=LETTER), caa(("issue", ";")))
    assert list(outcome.evidence) == ["EC abababab www.test.example"]


def test_without_a_certificate_that_has_the_name_it_is_unknown() -> None:
    assert judge(caa()).summary == "the certificate is not known"
    other = judge(certificate(subject_alternative_names=("DNS:x.example",)), caa())
    assert (other.verdict, other.summary) == (Verdict.UNKNOWN, "no certificate here carries the host's name")


def test_addresses_have_no_caa_records() -> None:
    assert judge(certificate(issuer=LETTER), host="192.0.2.1").verdict is Verdict.NOT_APPLICABLE

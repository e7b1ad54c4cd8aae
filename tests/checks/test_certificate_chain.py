from typing import Any

import pytest

from exporter.checks.certificate_chain import CHECK, CertificateChainDemand
from exporter.facts.certificate import CertificateFacts
from exporter.model import Verdict
from tests.support.facts import case, certificate, certificates, deployment

V = Verdict
STRICT = {"complete": True, "ordered": True, "allow_surplus": False, "allow_root": False}
LAX = {"complete": False, "ordered": False, "allow_surplus": True, "allow_root": True}
EC = "EC abababab"


def demand(**fields: bool) -> CertificateChainDemand:
    return CertificateChainDemand.model_validate({"severity": "warning", "source": "test", **fields})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"complete": False}, "an issuer is missing"),
    ({"ordered": False}, "not in order"),
    ({"surplus": (1, 2)}, "2 surplus"),
    ({"root_served": True}, "the root is sent as well"),
    (
        {"complete": False, "ordered": False, "surplus": (3,), "root_served": True},
        "an issuer is missing; not in order; 1 surplus; the root is sent as well",
    ),
]


@pytest.mark.parametrize(("changes", "summary"), WRONG)
def test_what_is_wrong_is_named_unless_it_is_allowed(changes: dict[str, Any], summary: str) -> None:
    outcome = CHECK.judge(case(certificate(**changes)), demand(**STRICT))
    assert (outcome.verdict, outcome.summary) == (V.FAIL, summary)
    assert dict(outcome.evidence) == {EC: tuple(summary.split("; "))}
    assert CHECK.judge(case(certificate(**changes)), demand(**LAX)).verdict is V.PASS


@pytest.mark.parametrize(
    ("seen", "verdict", "summary"),
    [
        (certificate(), V.PASS, "2 certificates, as it should be"),
        (
            certificates(deployment(), deployment(fingerprint_sha256="12" * 32, ordered=False)),
            V.FAIL,
            "not in order",
        ),
        (
            certificate(complete=None),
            V.UNKNOWN,
            "without the trust store it is not known whether an intermediate is missing",
        ),
        (certificate(complete=None, ordered=False), V.FAIL, "not in order"),
        (
            certificates(deployment(), complete=False),
            V.UNKNOWN,
            "what was seen is as it should be, but there may be other certificates",
        ),
    ],
)
def test_every_chain_counts_and_what_is_unknown_is_no_pass(
    seen: CertificateFacts, verdict: Verdict, summary: str
) -> None:
    outcome = CHECK.judge(case(seen), demand(**STRICT))
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


def test_a_missing_intermediate_that_is_not_asked_about_needs_no_trust_store() -> None:
    assert CHECK.judge(case(certificate(complete=None)), demand(**LAX)).verdict is V.PASS


def test_without_facts_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), demand(**STRICT))
    assert (outcome.verdict, outcome.summary) == (V.UNKNOWN, "the certificate could not be looked at")

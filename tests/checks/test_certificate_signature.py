from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.certificate_signature import CHECK, CertificateSignatureDemand
from exporter.facts.certificate import CertificateFacts
from exporter.model import Verdict
from tests.support.facts import case, certificate, certificates, deployment, issuer

V = Verdict
EC = "EC abababab"
FORBIDDEN = {"forbidden": ["md5", {"is": "sha1", "source": "4.2"}]}
ALLOWED = {"allowed": ["sha256", {"is": "sha384", "until": "2026-11-21", "source": "4.3"}]}
BY = {"allowed_algorithms": ["ecdsa-with-SHA256", "ED25519"]}
NOT_IN_FORCE = V.NOT_APPLICABLE, "nothing of it is in force today", ()
PURE = {"signature_hash": "intrinsic", "signature_algorithm": "ED25519"}


def demand(asked: dict[str, Any]) -> CertificateSignatureDemand:
    return CertificateSignatureDemand.model_validate({"severity": "warning", "source": "test"} | asked)


@pytest.mark.parametrize(
    ("asked", "seen", "verdict", "summary", "sources"),
    [
        (FORBIDDEN, certificate(), V.PASS, "ecdsa-with-SHA256", ()),
        (FORBIDDEN, certificate(signature_hash="sha1"), V.FAIL, "sha1 signature", ("4.2",)),
        (FORBIDDEN, certificate(signature_hash="sha1", self_signed=True), V.PASS, "self-signed", ()),
        (
            FORBIDDEN,
            certificates(deployment(issuer(signature_hash="sha1"))),
            V.FAIL,
            "sha1 signature of the issuer efefefef",
            ("4.2",),
        ),
        (
            FORBIDDEN,
            certificates(deployment(issuer(signature_hash="sha1"), path=(0,))),
            V.PASS,
            "ecdsa-with-SHA256",
            (),
        ),
        ({"forbidden": [{"is": "sha1", "from": "2026-11-23"}]}, certificate(), *NOT_IN_FORCE),
        ({"forbidden": [{"is": "sha1", "until": "2026-11-21"}]}, certificate(signature_hash=None), *NOT_IN_FORCE),
        (
            {"forbidden": [{"is": "sha1", "until": "2026-11-21"}]} | BY,
            certificate(signature_hash=None),
            V.PASS,
            "ecdsa-with-SHA256",
            (),
        ),
        (FORBIDDEN, certificate(signature_hash=None), V.UNKNOWN, "signature with an unknown hash", ()),
        (
            FORBIDDEN,
            certificates(deployment(), complete=False),
            V.UNKNOWN,
            "ecdsa-with-SHA256, but there may be other certificates",
            (),
        ),
        (ALLOWED, certificate(), V.PASS, "ecdsa-with-SHA256", ()),
        (ALLOWED, certificate(signature_hash="sha384"), V.FAIL, "sha384 signature", ("4.3",)),
        (ALLOWED, certificate(signature_hash="sm3"), V.FAIL, "sm3 signature", ()),
        (ALLOWED, certificate(**PURE), V.PASS, "ED25519", ()),
        (BY, certificates(deployment(**PURE)), V.PASS, "ED25519", ()),
        (
            BY,
            certificate(signature_algorithm="sha256WithRSAEncryption"),
            V.FAIL,
            "signature by sha256WithRSAEncryption",
            (),
        ),
        (BY, certificate(signature_algorithm="1.2.3.4"), V.UNKNOWN, "signature by 1.2.3.4", ()),
        (BY, certificate(signature_algorithm="unknown"), V.UNKNOWN, "signature by unknown", ()),
        (BY, certificate(signature_hash=None), V.PASS, "ecdsa-with-SHA256", ()),
    ],
)
def test_signatures_are_as_demanded(
    asked: dict[str, Any], seen: CertificateFacts, verdict: Verdict, summary: str, sources: tuple[str, ...]
) -> None:
    outcome = CHECK.judge(case(seen), demand(asked))
    assert (outcome.verdict, outcome.summary, outcome.sources) == (verdict, summary, sources)


def test_evidence_stands_under_the_name_of_the_certificate() -> None:
    outcome = CHECK.judge(case(certificate(signature_hash="md5")), demand(FORBIDDEN))
    assert dict(outcome.evidence) == {EC: ("md5 signature",)}


def test_without_facts_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), demand(FORBIDDEN))
    assert (outcome.verdict, outcome.summary) == (V.UNKNOWN, "the certificate could not be looked at")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "asks for nothing; give it allowed, forbidden or allowed_algorithms"),
        ({"forbidden": ["SHA-1"]}, "'SHA-1' is not a hash; did you mean sha1?"),
        (
            {"allowed_algorithms": ["ecdsa-with-sha-256"]},
            "'ecdsa-with-sha-256' is not a signature algorithm; did you mean ecdsa-with-SHA256?",
        ),
    ],
)
def test_a_demand_that_cannot_be_meant_is_an_error(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        demand(asked)
    assert [error["msg"] for error in raised.value.errors()] == [f"Value error, {message}"]


def test_a_demand_is_said_in_words() -> None:
    assert CHECK.asks(demand(FORBIDDEN | BY)) == (
        "no signatures with md5, sha1; signatures by ecdsa-with-SHA256, ED25519 only"
    )

from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.certificate_key import CHECK, CertificateKeyDemand
from exporter.model import Verdict
from exporter.probes.certificate import CertificateFacts
from tests.support.facts import case, certificate, certificates, deployment, issuer

V = Verdict
FIELDS: dict[str, Any] = {
    "severity": "warning",
    "source": "test",
    "allowed": ["RSA", "EC", "Ed25519"],
    "min_rsa_bits": 2048,
    "min_ec_bits": 256,
    "forbidden_signature_hashes": ["md5", "sha1"],
}
DEMAND = CertificateKeyDemand.model_validate(FIELDS)
EC = "EC abababab"


def rsa(bits: int | None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of ServedCertificate
    return {"key_algorithm": "RSA", "key_size_bits": bits, "curve": None} | changes


@pytest.mark.parametrize(
    ("seen", "verdict", "summary", "evidence"),
    [
        (certificate(), V.PASS, "EC P-256", {}),
        (certificate(**rsa(2048)), V.PASS, "RSA 2048", {}),
        (certificate(**rsa(None, key_algorithm="Ed25519")), V.PASS, "Ed25519", {}),
        (certificates(deployment(), deployment(**rsa(4096))), V.PASS, "EC P-256 and RSA 4096", {}),
        (certificate(**rsa(2047)), V.FAIL, "RSA key of 2047 bits", {"RSA abababab": ("RSA key of 2047 bits",)}),
        (
            certificate(key_size_bits=224, curve="secp224r1"),
            V.FAIL,
            "EC key of 224 bits",
            {EC: ("EC key of 224 bits",)},
        ),
        (
            certificate(key_algorithm="DSA", curve=None),
            V.FAIL,
            "DSA key",
            {"DSA abababab": ("DSA key",)},
        ),
        (
            certificate(key_algorithm="1.2.3", key_size_bits=None, curve=None),
            V.FAIL,
            "1.2.3 key",
            {"1.2.3 abababab": ("1.2.3 key",)},
        ),
        (certificate(signature_hash="sha1"), V.FAIL, "sha1 signature", {EC: ("sha1 signature",)}),
        (certificate(signature_hash="sha1", self_signed=True), V.PASS, "EC P-256", {}),
        (certificate(signature_hash="intrinsic"), V.PASS, "EC P-256", {}),
        (
            certificates(deployment(issuer(signature_hash="sha1", **rsa(1024)))),
            V.FAIL,
            "RSA key of 1024 bits of the issuer efefefef; sha1 signature of the issuer efefefef",
            {EC: ("RSA key of 1024 bits of the issuer efefefef", "sha1 signature of the issuer efefefef")},
        ),
        (certificates(deployment(issuer(signature_hash="sha1"), path=(0,))), V.PASS, "EC P-256", {}),
        (
            certificate(**rsa(None)),
            V.UNKNOWN,
            "RSA key of unknown size",
            {"RSA abababab": ("RSA key of unknown size",)},
        ),
        (
            certificate(signature_hash=None),
            V.UNKNOWN,
            "signature with an unknown hash",
            {EC: ("signature with an unknown hash",)},
        ),
        (
            certificate(signature_hash=None, key_size_bits=192),
            V.FAIL,
            "EC key of 192 bits",
            {EC: ("EC key of 192 bits",)},
        ),
        (
            certificates(deployment(), complete=False),
            V.UNKNOWN,
            "EC P-256, but there may be other certificates",
            {},
        ),
    ],
)
def test_keys_and_signatures_are_as_strong_as_demanded(
    seen: CertificateFacts, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = CHECK.judge(case(seen), DEMAND)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_facts_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (V.UNKNOWN, "the certificate could not be looked at")


@pytest.mark.parametrize(
    "wrong",
    [{"allowed": []}, {"allowed": ["ECDSA"]}, {"min_rsa_bits": 0}, {"forbidden_signature_hashes": ["SHA-1"]}],
    ids=str,
)
def test_a_demand_that_means_nothing_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        CertificateKeyDemand.model_validate(FIELDS | wrong)

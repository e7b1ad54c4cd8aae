from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.certificate_key import CHECK, CertificateKeyDemand
from exporter.facts.certificate import CertificateFacts
from exporter.model import Verdict
from tests.support.facts import case, certificate, certificates, deployment, issuer

V = Verdict
FIELDS: dict[str, Any] = {
    "severity": "warning",
    "source": "test",
    "allowed": ["RSA", "EC", "Ed25519"],
    "min_rsa_bits": 2048,
    "min_ec_bits": 256,
    "curves": ["P-256", "P-384", {"is": "P-521", "until": "2026-11-21", "source": "3.4"}],
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
        (
            certificate(key_size_bits=521, curve="P-521"),
            V.FAIL,
            "EC key on P-521",
            {EC: ("EC key on P-521",)},
        ),
        (
            certificate(key_algorithm="unknown", key_size_bits=None, curve=None),
            V.UNKNOWN,
            "key of a kind that cannot be read",
            {"unknown abababab": ("key of a kind that cannot be read",)},
        ),
        (certificate(curve=None), V.UNKNOWN, "EC key on an unknown curve", {EC: ("EC key on an unknown curve",)}),
        (
            certificates(deployment(issuer(**rsa(1024)))),
            V.FAIL,
            "RSA key of 1024 bits of the issuer efefefef",
            {EC: ("RSA key of 1024 bits of the issuer efefefef",)},
        ),
        (certificates(deployment(issuer(**rsa(1024)), path=(0,))), V.PASS, "EC P-256", {}),
        (
            certificate(**rsa(None)),
            V.UNKNOWN,
            "RSA key of unknown size",
            {"RSA abababab": ("RSA key of unknown size",)},
        ),
        (
            certificates(deployment(), complete=False),
            V.UNKNOWN,
            "EC P-256, but there may be other certificates",
            {},
        ),
    ],
)
def test_keys_are_as_strong_as_demanded(
    seen: CertificateFacts, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = CHECK.judge(case(seen), DEMAND)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_facts_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (V.UNKNOWN, "the certificate could not be looked at")


@pytest.mark.parametrize(
    ("asked", "seen", "verdict"),
    [
        ({"min_rsa_bits": 2048}, certificate(key_algorithm="DSA", curve=None), V.PASS),
        ({"curves": ["P-384"]}, certificates(deployment(issuer(**rsa(1024)), **rsa(1024))), V.PASS),
        ({"allowed": ["EC"]}, certificate(key_size_bits=None, curve=None), V.PASS),
        ({"min_ec_bits": 384}, certificate(), V.FAIL),
        ({"allowed": ["RSA"]}, certificate(**rsa(None)), V.FAIL),
        ({"allowed": ["RSA"], "leaf_only": True}, certificate(**rsa(None)), V.PASS),
        ({"allowed": ["RSA"], "leaf_only": True}, certificate(), V.FAIL),
    ],
)
def test_what_is_left_out_may_be_anything_and_so_may_issuers_where_only_the_leaf_counts(
    asked: dict[str, Any], seen: CertificateFacts, verdict: Verdict
) -> None:
    demand = CertificateKeyDemand.model_validate({"severity": "info", "source": "test"} | asked)
    assert CHECK.judge(case(seen), demand).verdict is verdict


def test_a_lapsed_entry_says_where_it_is_written() -> None:
    assert CHECK.judge(case(certificate(key_size_bits=521, curve="P-521")), DEMAND).sources == ("3.4",)


def test_a_demand_is_said_in_words() -> None:
    assert CHECK.asks(DEMAND) == (
        "keys of RSA, EC, Ed25519 only, RSA of 2048 bits or more, EC of 256 bits or more, "
        "on P-256, P-384, P-521 until 2026-11-21 only"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"allowed": []}, "is empty"),
        ({"allowed": ["ECDSA"]}, "'ECDSA' is not a kind of key; did you mean DSA?"),
        ({"curves": ["P256"]}, "'P256' is not a curve of keys; did you mean P-256?"),
        ({"min_rsa_bits": 0}, "greater than or equal to 1"),
    ],
    ids=str,
)
def test_a_demand_that_means_nothing_is_an_error(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))) as raised:
        CertificateKeyDemand.model_validate(FIELDS | wrong)
    assert [message in error["msg"] for error in raised.value.errors()] == [True]


def test_a_demand_must_ask_for_something() -> None:
    with pytest.raises(ValidationError, match="asks for nothing"):
        CertificateKeyDemand.model_validate({"severity": "info", "source": "test"})

from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.signature_schemes import CHECK, SignatureSchemesDemand
from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.model import Protocol, Verdict
from tests.support.facts import CBC_RSA, GCM, TLS13_AES, case, handshake

TLS1_2, TLS1_3 = Protocol.TLS1_2, Protocol.TLS1_3
V = Verdict
PSS, SHA1 = "rsa_pss_rsae_sha256", "rsa_pkcs1_sha1"
FORBIDDEN = {"forbidden": [{"is": SHA1, "source": "3.2"}]}
ALLOWED = {"allowed": [PSS, {"is": "rsa_pkcs1_sha256", "until": "2026-11-21", "source": "3.3"}]}


def seen(*names: str, complete: bool = True) -> HandshakeFacts:
    return handshake({TLS1_2: (GCM,)}, signature_schemes=Listing(names, complete))


def unsigned(suite: str, **beside: Any) -> HandshakeFacts:  # noqa: ANN401 - fields of the facts
    return handshake({TLS1_2: (suite,)}, signature_schemes=None, **beside)


@pytest.mark.parametrize(
    ("asked", "facts", "verdict", "summary", "sources"),
    [
        (FORBIDDEN, seen(PSS), V.PASS, f"accepts {PSS}", ()),
        (FORBIDDEN, seen(PSS, SHA1, complete=False), V.FAIL, f"accepts {SHA1}", ("3.2",)),
        (FORBIDDEN, seen(PSS, complete=False), V.UNKNOWN, "the list of signature schemes may not be complete", ()),
        (ALLOWED, seen(PSS), V.PASS, f"accepts {PSS} only", ()),
        (ALLOWED, seen(PSS, "rsa_pkcs1_sha256"), V.FAIL, "accepts rsa_pkcs1_sha256", ("3.3",)),
        ({"required": [PSS]}, seen(PSS, complete=False), V.PASS, f"accepts {PSS}", ()),
        ({"required": [PSS]}, seen(SHA1), V.FAIL, f"does not accept {PSS}", ()),
        (
            FORBIDDEN,
            handshake({TLS1_3: (TLS13_AES,)}),
            V.NOT_APPLICABLE,
            "only TLSv1.2 shows signature schemes, and it is not accepted",
            (),
        ),
        (
            FORBIDDEN,
            handshake({TLS1_3: (TLS13_AES,)}, open_protocols=[TLS1_2]),
            V.UNKNOWN,
            "the signature schemes are not known",
            (),
        ),
        (FORBIDDEN, unsigned(CBC_RSA), V.NOT_APPLICABLE, "no key exchange in TLSv1.2 is signed", ()),
        (FORBIDDEN, unsigned(CBC_RSA, incomplete=[TLS1_2]), V.UNKNOWN, "no signature was seen in TLSv1.2", ()),
        (FORBIDDEN, unsigned(GCM), V.UNKNOWN, "no signature was seen in TLSv1.2", ()),
    ],
)
def test_schemes_are_required_allowed_and_forbidden(
    asked: dict[str, Any], facts: HandshakeFacts, verdict: Verdict, summary: str, sources: tuple[str, ...]
) -> None:
    demand = SignatureSchemesDemand.model_validate({"severity": "warning", "source": "test"} | asked)
    outcome = CHECK.judge(case(facts), demand)
    assert (outcome.verdict, outcome.summary, outcome.sources) == (verdict, summary, sources)


def test_a_typo_names_the_scheme_that_was_meant() -> None:
    with pytest.raises(ValidationError, match="not a signature scheme; did you mean rsa_pss_pss_sha256"):
        SignatureSchemesDemand.model_validate({"severity": "info", "source": "test", "allowed": ["rsa_pss_sha256"]})

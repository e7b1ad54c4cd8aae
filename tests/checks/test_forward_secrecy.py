import pytest
from pydantic import ValidationError

from exporter.checks.forward_secrecy import CHECK, ForwardSecrecyDemand
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol, Verdict
from tests.support.facts import CBC_RSA, GCM, RC4, TLS13_AES, case, handshake

SSL2, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol
FIELDS = {"severity": "warning", "source": "test"}
DEMAND = ForwardSecrecyDemand.model_validate(FIELDS | {"required": True})
WHOLE = "accepts only cipher suites with forward secrecy"
SSL2_KIND = "SSL_CK_RC4_128_WITH_MD5"


@pytest.mark.parametrize(
    ("seen", "verdict", "summary", "evidence"),
    [
        (handshake(), Verdict.PASS, WHOLE, {}),
        (handshake({TLS1_3: (TLS13_AES,)}), Verdict.PASS, WHOLE, {}),
        (
            handshake({TLS1_0: (CBC_RSA, RC4), TLS1_2: (GCM, CBC_RSA), TLS1_3: (TLS13_AES,)}),
            Verdict.FAIL,
            "accepts cipher suites without forward secrecy (TLSv1.0, TLSv1.2)",
            {"TLSv1.0": (CBC_RSA, RC4), "TLSv1.2": (CBC_RSA,)},
        ),
        (
            handshake({SSL2: (SSL2_KIND,), TLS1_2: (GCM,)}),
            Verdict.FAIL,
            "accepts cipher suites without forward secrecy (SSLv2)",
            {"SSLv2": (SSL2_KIND,)},
        ),
        (
            handshake({TLS1_2: (CBC_RSA,)}, incomplete=[TLS1_2], open_protocols=[TLS1_0]),
            Verdict.FAIL,
            "accepts cipher suites without forward secrecy (TLSv1.2)",
            {"TLSv1.2": (CBC_RSA,)},
        ),
        (
            handshake({TLS1_1: (), TLS1_2: (GCM,)}, incomplete=[TLS1_2], open_protocols=[SSL3]),
            Verdict.UNKNOWN,
            "the suites of SSLv3, TLSv1.1, TLSv1.2 are not all known",
            {"unknown": ("SSLv3", "TLSv1.1", "TLSv1.2")},
        ),
        (
            handshake({TLS1_2: (GCM, "0xFEED")}),
            Verdict.UNKNOWN,
            "the suites of TLSv1.2 are not all known",
            {"unknown": ("TLSv1.2",)},
        ),
        (handshake({}), Verdict.UNKNOWN, "the cipher suites are not known", {}),
    ],
)
def test_every_accepted_suite_must_have_it(
    seen: HandshakeFacts, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = CHECK.judge(case(seen), DEMAND)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_a_handshake_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "the cipher suites are not known")


@pytest.mark.parametrize("required", [False, None, "yes"])
def test_there_is_no_demand_to_go_without_it(required: object) -> None:
    with pytest.raises(ValidationError, match="required"):
        ForwardSecrecyDemand.model_validate(FIELDS | {"required": required})

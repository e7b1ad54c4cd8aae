import pytest

from exporter.checks.compression import CHECK, CompressionDemand
from exporter.model import Protocol, Verdict
from tests.support.facts import case, handshake

REFUSED = CompressionDemand.model_validate({"severity": "critical", "source": "test", "allowed": False})
ALLOWED = CompressionDemand.model_validate({"severity": "info", "source": "test", "allowed": True})
UNTOLD = "it is not known whether compression is accepted"


@pytest.mark.parametrize(
    ("compression", "demand", "verdict", "summary", "evidence"),
    [
        (False, REFUSED, Verdict.PASS, "refuses TLS compression", {}),
        (True, REFUSED, Verdict.FAIL, "accepts TLS compression", {"compression": ("accepted",)}),
        (None, REFUSED, Verdict.UNKNOWN, UNTOLD, {}),
        (False, ALLOWED, Verdict.PASS, "refuses TLS compression", {}),
        (True, ALLOWED, Verdict.PASS, "accepts TLS compression, as allowed", {}),
        (None, ALLOWED, Verdict.UNKNOWN, UNTOLD, {}),
    ],
)
def test_compression_must_be_refused_unless_allowed(
    compression: bool | None,
    demand: CompressionDemand,
    verdict: Verdict,
    summary: str,
    evidence: dict[str, tuple[str, ...]],
) -> None:
    outcome = CHECK.judge(case(handshake(compression=compression)), demand)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_a_handshake_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), REFUSED)
    assert (outcome.verdict, outcome.summary, outcome.evidence) == (Verdict.UNKNOWN, UNTOLD, {})


def test_compression_seen_once_fails_whatever_else_is_open() -> None:
    seen = handshake(compression=True, open_protocols=[Protocol.SSL3], incomplete=[Protocol.TLS1_2])
    assert CHECK.judge(case(seen), REFUSED).verdict is Verdict.FAIL

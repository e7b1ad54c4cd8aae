from datetime import datetime, timedelta
from typing import Any

import pytest

from exporter.case import Case
from exporter.checks.certificate_valid import CHECK, CertificateValidDemand
from exporter.model import Verdict
from exporter.probes.certificate import CertificateFacts
from exporter.probes.trust import TrustFailure
from tests.support.facts import certificate, certificates, deployment, facts
from tests.support.targets import NOW, make_target

DEMAND = CertificateValidDemand.model_validate({"severity": "critical", "source": "test"})
F, V = TrustFailure, Verdict
SECOND = timedelta(seconds=1)
EC, RSA = "EC abababab", "RSA 12121212"
END = datetime.fromisoformat("2026-12-01T00:00:00+00:00")


def rsa(**changes: Any) -> Any:  # noqa: ANN401 - Deployment
    return deployment(key_algorithm="RSA", fingerprint_sha256="12" * 32, **changes)


def judge(seen: CertificateFacts | None, now: datetime = NOW) -> Any:  # noqa: ANN401 - Outcome
    return CHECK.judge(Case(make_target(), facts(seen) if seen else facts(), now), DEMAND)


@pytest.mark.parametrize(
    ("seen", "verdict", "summary", "evidence"),
    [
        (certificate(), V.PASS, "valid until 2026-12-01", {}),
        (certificates(deployment(), rsa()), V.PASS, "valid until 2026-12-01", {}),
        *(
            (
                certificate(trusted=False, failures=(reason,)),
                V.FAIL,
                f"the certificate is not valid: {reason}",
                {EC: (reason,)},
            )
            for reason in TrustFailure
        ),
        (
            certificate(trusted=None, failures=(F.NAME_MISMATCH,), hostname_match=False),
            V.FAIL,
            "the certificate is not valid: name_mismatch",
            {EC: ("name_mismatch",)},
        ),
        (
            certificates(deployment(), rsa(trusted=False, failures=(F.EXPIRED, F.UNKNOWN_ISSUER)), complete=False),
            V.FAIL,
            "the certificate is not valid: expired, unknown_issuer",
            {RSA: ("expired", "unknown_issuer")},
        ),
        (
            certificates(
                deployment(trusted=False, failures=(F.PROFILE,)), deployment(trusted=False, failures=(F.OTHER,))
            ),
            V.FAIL,
            "the certificate is not valid: profile, other",
            {EC: ("profile", "other")},
        ),
        (certificate(trusted=None), V.UNKNOWN, "the trust store could not be read", {}),
        (certificates(deployment(), rsa(trusted=None)), V.UNKNOWN, "the trust store could not be read", {}),
        (
            certificates(deployment(), complete=False),
            V.UNKNOWN,
            "what was seen is valid, but there may be other certificates",
            {},
        ),
        (None, V.UNKNOWN, "the certificate could not be looked at", {}),
    ],
)
def test_every_chain_must_be_one_that_clients_take(
    seen: CertificateFacts | None, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = judge(seen)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        (END, ()),
        (END + SECOND, ("expired",)),
        (datetime.fromisoformat("2026-10-01T00:00:00+00:00"), ()),
        (datetime.fromisoformat("2026-09-30T23:59:59+00:00"), ("not_yet_valid",)),
    ],
)
def test_time_is_that_of_the_judgement(now: datetime, reasons: tuple[str, ...]) -> None:
    """The issuer ends before the leaf does; no scan is needed to know when."""
    outcome = judge(certificate(), now)
    assert outcome.verdict is (V.FAIL if reasons else V.PASS)
    assert outcome.evidence.get(EC, ()) == reasons


def test_what_has_expired_meanwhile_is_told_without_the_trust_store_too() -> None:
    assert judge(certificate(trusted=None), END + SECOND).verdict is V.FAIL


def test_a_certificate_off_the_path_may_have_ended() -> None:
    """Clients do not go by it."""
    seen = certificate(path=(0,), valid_until=datetime.fromisoformat("2026-12-30T00:00:00+00:00"))
    assert judge(seen, END + SECOND).verdict is V.PASS

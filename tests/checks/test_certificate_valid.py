from datetime import datetime, timedelta
from typing import Any

import pytest

from exporter.case import Case
from exporter.checks.certificate_valid import CHECK, CertificateValidDemand
from exporter.facts.certificate import CertificateFacts
from exporter.model import TrustFailure, Verdict
from exporter.moments import Now
from tests.support.facts import certificate, certificates, deployment, facts
from tests.support.targets import NOW, make_target

DEMAND = CertificateValidDemand.model_validate({"severity": "critical", "source": "test"})
F, V = TrustFailure, Verdict
SECOND = timedelta(seconds=1)
EC, RSA = "EC abababab", "RSA 12121212"
END = datetime.fromisoformat("2026-12-01T00:00:00+00:00")
WHEN_SEEN = {F.NOT_YET_VALID: {"valid_from": NOW + SECOND}, F.EXPIRED: {"valid_until": NOW - SECOND}}


def rsa(**changes: Any) -> Any:  # noqa: ANN401 - Deployment
    return deployment(key_algorithm="RSA", fingerprint_sha256="12" * 32, **changes)


def judge(seen: CertificateFacts | None, now: datetime = NOW) -> Any:  # noqa: ANN401 - Outcome
    return CHECK.judge(Case(make_target(), facts(seen) if seen else facts(), Now(now)), DEMAND)


@pytest.mark.parametrize(
    ("seen", "verdict", "summary", "evidence"),
    [
        (certificate(), V.PASS, "valid until 2026-12-01", {}),
        (certificates(deployment(), rsa()), V.PASS, "valid until 2026-12-01", {}),
        *(
            (
                certificate(trusted=False, failures=(reason,), **WHEN_SEEN.get(reason, {})),
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


ENDED = "whether the certificate is valid is not known: it has ended since it was last seen"
BEGUN = "whether the certificate is valid is not known: its time has begun since it was last seen"
EARLY = {"trusted": False, "failures": (F.NOT_YET_VALID,), "valid_from": END - timedelta(days=1)}


@pytest.mark.parametrize(
    ("seen", "now", "verdict", "summary"),
    [
        (certificate(), END, V.PASS, "valid until 2026-12-01"),
        (certificate(), END + SECOND, V.UNKNOWN, ENDED),
        (certificate(trusted=None), END + SECOND, V.UNKNOWN, ENDED),
        (certificates(deployment(valid_until=END + 2 * SECOND), rsa()), END + SECOND, V.UNKNOWN, ENDED),
        (
            certificate(**EARLY),
            END - timedelta(days=1, seconds=1),
            V.FAIL,
            "the certificate is not valid: not_yet_valid",
        ),
        (certificate(**EARLY), END - timedelta(days=1), V.UNKNOWN, BEGUN),
        (certificate(**EARLY), END + SECOND, V.UNKNOWN, ENDED),
    ],
)
def test_a_date_that_has_come_since_it_was_seen_leaves_it_unknown(
    seen: CertificateFacts, now: datetime, verdict: Verdict, summary: str
) -> None:
    """The issuer ends before the leaf does. A server that renews in time serves another certificate by then."""
    outcome = judge(seen, now)
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


@pytest.mark.parametrize("trusted", [False, None])
def test_what_had_expired_when_it_was_seen_fails_for_as_long_as_facts_hold(trusted: bool | None) -> None:
    """Without the trust store too."""
    seen = certificate(trusted=trusted, failures=(F.EXPIRED,), valid_until=NOW - SECOND)
    assert judge(seen, NOW + timedelta(hours=9)).summary == "the certificate is not valid: expired"


def test_what_else_is_wrong_with_it_stays_wrong_after_its_end() -> None:
    seen = certificate(trusted=False, failures=(F.NAME_MISMATCH, F.UNKNOWN_ISSUER), hostname_match=False)
    assert judge(seen, END + SECOND).summary == "the certificate is not valid: name_mismatch, unknown_issuer"


def test_a_certificate_off_the_path_may_have_ended() -> None:
    """Clients do not use it."""
    seen = certificate(path=(0,), valid_until=datetime.fromisoformat("2026-12-30T00:00:00+00:00"))
    assert judge(seen, END + SECOND).verdict is V.PASS

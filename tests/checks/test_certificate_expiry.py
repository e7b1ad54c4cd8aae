from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from exporter.case import Case
from exporter.checks.certificate_expiry import CHECK, CertificateExpiryDemand
from exporter.facts.certificate import CertificateFacts
from exporter.model import Verdict
from exporter.moments import Now
from tests.support.facts import case, certificate, certificates, deployment, facts, issuer, watched
from tests.support.targets import NOW

V = Verdict
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
FIELDS = {"severity": "warning", "source": "test", "min_days": 30, "min_lifetime_share": 0.25}
DEMAND = CertificateExpiryDemand.model_validate(FIELDS)
ISSUER = issuer(not_before=NOW - 900 * DAY, not_after=NOW + 900 * DAY)


def lasting(lifetime: timedelta, left: timedelta) -> dict[str, datetime]:
    return {"not_before": NOW + left - lifetime, "not_after": NOW + left}


@pytest.mark.parametrize(
    ("lifetime", "left", "verdict", "summary"),
    [
        (365 * DAY, 200 * DAY, V.PASS, "the first to end has 200 days left (2027-06-10)"),
        (365 * DAY, 31 * DAY, V.PASS, "the first to end has 31 days left (2026-12-23)"),
        (365 * DAY, 30 * DAY, V.PASS, "the first to end has 30 days left (2026-12-22)"),
        (365 * DAY, 29 * DAY, V.FAIL, "the first to end has 29 days left (2026-12-21)"),
        (90 * DAY, 23 * DAY, V.PASS, "the first to end has 23 days left (2026-12-15)"),
        (90 * DAY, 22 * DAY, V.FAIL, "the first to end has 22 days left (2026-12-14)"),
        (6 * DAY, 5 * DAY, V.PASS, "the first to end has 5 days left (2026-11-27)"),
        (6 * DAY, 37 * HOUR, V.PASS, "the first to end has 37 hours left (2026-11-24)"),
        (6 * DAY, 35 * HOUR, V.FAIL, "the first to end has 35 hours left (2026-11-23)"),
        (90 * DAY, HOUR, V.FAIL, "the first to end has 1 hour left (2026-11-22)"),
        (90 * DAY, -HOUR, V.FAIL, "the first to end ended 1 hour ago (2026-11-22)"),
        (90 * DAY, -3 * DAY, V.FAIL, "the first to end ended 3 days ago (2026-11-19)"),
        (-90 * DAY, -3 * DAY, V.FAIL, "the first to end ended 3 days ago (2026-11-19)"),
    ],
)
def test_the_smaller_of_days_and_share_counts(
    lifetime: timedelta, left: timedelta, verdict: Verdict, summary: str
) -> None:
    outcome = CHECK.judge(case(certificate(chain=deployment(ISSUER, **lasting(lifetime, left)).chain)), DEMAND)
    assert (outcome.verdict, outcome.summary) == (verdict, summary)
    expected = {"EC abababab": (summary.replace("first to end", "leaf"),)} if verdict is V.FAIL else {}
    assert dict(outcome.evidence) == expected


SEEN = facts(certificate(chain=deployment(ISSUER, **lasting(90 * DAY, 30 * DAY)).chain, valid_until=NOW + 30 * DAY))
TURN = NOW + 7.5 * DAY
"""From here on less is left than the demand wants, a quarter of 90 days."""


@pytest.mark.parametrize(
    ("seen_at", "now", "verdict"),
    [
        (NOW, TURN, V.PASS),
        (NOW, TURN + SECOND, V.UNKNOWN),
        (TURN, TURN + SECOND, V.UNKNOWN),
        (TURN + SECOND, TURN + DAY, V.FAIL),
        (NOW, NOW + 31 * DAY, V.UNKNOWN),
        (TURN + SECOND, NOW + 31 * DAY, V.UNKNOWN),  # it has ended since: there must be another one by now, or none
    ],
)
def test_a_server_that_may_have_renewed_since_does_not_fail(seen_at: datetime, now: datetime, verdict: Verdict) -> None:
    """Nobody knows what it serves by now; when it was seen, there was time enough."""
    seen = facts(SEEN.get(CertificateFacts), at=seen_at)
    assert CHECK.judge(Case(watched(), seen, Now(now)), DEMAND).verdict is verdict
    assert TURN in CHECK.turns(seen, DEMAND)


def test_an_issuer_that_ends_soon_fails_as_well() -> None:
    short = issuer(not_before=NOW - 900 * DAY, not_after=NOW + 10 * DAY)
    seen = certificates(deployment(short, **lasting(365 * DAY, 200 * DAY)))
    outcome = CHECK.judge(case(seen), DEMAND)
    assert outcome.summary == "the first to end has 10 days left (2026-12-02)"
    assert dict(outcome.evidence) == {"EC abababab": ("the issuer efefefef has 10 days left (2026-12-02)",)}


def test_no_number_of_days_is_too_large() -> None:
    asked = CertificateExpiryDemand.model_validate(FIELDS | {"min_days": 1e300})
    seen = certificate(chain=deployment(ISSUER, **lasting(365 * DAY, 200 * DAY)).chain)
    outcome = CHECK.judge(case(seen), asked)
    assert (outcome.verdict, outcome.summary) == (V.PASS, "the first to end has 200 days left (2027-06-10)")


def test_a_certificate_off_the_path_does_not_count() -> None:
    old = issuer(not_before=NOW - 900 * DAY, not_after=NOW - DAY)
    seen = certificates(deployment(ISSUER, old, path=(0, 1), **lasting(365 * DAY, 200 * DAY)))
    assert CHECK.judge(case(seen), DEMAND).verdict is V.PASS


def test_one_of_several_is_enough() -> None:
    good = deployment(ISSUER, **lasting(365 * DAY, 200 * DAY))
    late = deployment(ISSUER, key_algorithm="RSA", fingerprint_sha256="12" * 32, **lasting(365 * DAY, 9 * DAY))
    outcome = CHECK.judge(case(certificates(good, late)), DEMAND)
    assert (outcome.verdict, list(outcome.evidence)) == (V.FAIL, ["RSA 12121212"])


def test_what_was_not_seen_is_not_known() -> None:
    good = deployment(ISSUER, **lasting(365 * DAY, 200 * DAY))
    assert CHECK.judge(case(), DEMAND).summary == "the certificate could not be looked at"
    outcome = CHECK.judge(case(certificates(good, complete=False)), DEMAND)
    assert outcome.verdict is V.UNKNOWN
    assert outcome.summary.endswith(", but there may be other certificates")


@pytest.mark.parametrize("wrong", [{"min_days": -1}, {"min_lifetime_share": 1.1}, {"min_lifetime_share": -0.1}])
def test_a_demand_out_of_range_is_an_error(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        CertificateExpiryDemand.model_validate(FIELDS | wrong)

import pytest

from exporter.checks.dnssec import CHECK, DnssecDemand
from exporter.facts.dns import DnsFacts
from exporter.model import Verdict
from tests.support.facts import case

DEMAND = DnssecDemand.model_validate({"severity": "info", "source": "test", "required": True})


@pytest.mark.parametrize(("secure", "verdict"), [(True, Verdict.PASS), (False, Verdict.FAIL), (None, Verdict.UNKNOWN)])
def test_a_resolver_that_validates_must_have_found_it_signed(secure: bool | None, verdict: Verdict) -> None:
    assert CHECK.judge(case(DnsFacts((), None, dnssec=secure)), DEMAND).verdict is verdict


def test_a_failed_lookup_is_unknown() -> None:
    """Wrong signatures look like that too: SERVFAIL (RFC 4035, 5.5)."""
    assert CHECK.judge(case(), DEMAND).verdict is Verdict.UNKNOWN


def test_addresses_are_not_in_the_dns() -> None:
    assert CHECK.judge(case(host="192.0.2.1"), DEMAND).verdict is Verdict.NOT_APPLICABLE

import re
from datetime import UTC, datetime

import pytest

from exporter.checks.server_software import CHECK, ServerSoftwareDemand
from exporter.derived.software import DERIVATION, Software
from exporter.facts.http import HttpFacts
from exporter.model import Verdict
from exporter.software.declared import DISTRIBUTIONS, parse_distribution
from exporter.software.shown import Package
from tests.support.facts import case, handshake, response
from tests.support.targets import NOW

DEMAND = ServerSoftwareDemand.model_validate({"severity": "info", "source": "here", "maintained": True})
BOOKWORM_ENDS = datetime(2028, 7, 1, tzinfo=UTC)


def judged(distribution: str | None, fields: dict[str, str] | None) -> tuple[Verdict, Software | None]:
    """The verdict on a web server that shows these fields, or a directory, at the time of all tests (2026)."""
    target = {"distribution": distribution, "protocol": "ldaps" if fields is None else "https"}
    seen = [handshake(), *([] if fields is None else [HttpFacts((response(others=fields),))])]
    software = DERIVATION.derive(case(*seen, **target))
    return CHECK.judge(case(*([] if software is None else [software]), **target), DEMAND).verdict, software


@pytest.mark.parametrize(
    ("distribution", "fields", "expected"),
    [
        # Of a series that the distribution does not have, so it is somebody else's.
        ("debian 12", {"x-powered-by": "PHP/8.3.1"}, Verdict.UNKNOWN),
        ("debian 12", {"x-powered-by": "PHP/8.9.1"}, Verdict.UNKNOWN),
        # Hidden, or the very version that the distribution has: its release decides.
        ("debian 12", {}, Verdict.PASS),
        ("debian 12", {"server": "nginx"}, Verdict.PASS),
        ("debian 12", {"server": "nginx/1.22.1"}, Verdict.PASS),
        ("debian 12", {"server": "Apache/2.4.68 (Debian)"}, Verdict.PASS),
        ("debian 12", {"server": "Apache/2.4.71"}, Verdict.PASS),
        ("debian 12", {"server": "nginx/1.22.1", "x-powered-by": "PHP/8.2.36"}, Verdict.PASS),
        ("debian 12", {"server": "nginx/1.22.1", "x-powered-by": "PHP/8.2.29"}, Verdict.UNKNOWN),
        ("debian 10", {}, Verdict.FAIL),
        ("debian 10", {"server": "nginx"}, Verdict.FAIL),
        ("ubuntu 25.04", {"server": "nginx/1.26.3 (Ubuntu)"}, Verdict.FAIL),
        # No such release, or none whose end is known.
        ("debian 99", {}, Verdict.UNKNOWN),
        ("alpine 3.99", {"server": "nginx"}, Verdict.UNKNOWN),
        ("debian 10", {"server": "Apache/2.4.62 (Debian)"}, Verdict.FAIL),
        # What is shown speaks against it, and is judged as if nothing had been said.
        ("debian 12", {"server": "nginx/1.25.5"}, Verdict.FAIL),
        ("debian 12", {"server": "nginx/1.30.4"}, Verdict.PASS),
        ("debian 10", {"server": "nginx/1.30.4"}, Verdict.PASS),
        ("debian 12", {"server": "Apache/2.2.34"}, Verdict.FAIL),
        ("debian 12", {"server": "Apache/2.4.49"}, Verdict.FAIL),
        ("debian 12", {"server": "Apache/2.4.62 (Debian)"}, Verdict.UNKNOWN),
        ("debian 12", {"server": "Apache/2.2.22 (Debian)"}, Verdict.UNKNOWN),
        ("debian 12", {"server": "nginx/1.26.3 (Debian)"}, Verdict.UNKNOWN),
        ("debian 12", {"server": "Apache/2.4.62 (Ubuntu)"}, Verdict.UNKNOWN),
        ("debian 12", {"server": "nginx/1.10.3-1+deb9u7"}, Verdict.FAIL),
        ("debian 12", {"server": "nginx/1.22.1", "x-powered-by": "PHP/5.6.40"}, Verdict.FAIL),
        # Of a program that no distribution has, and of one that runs elsewhere, it says nothing.
        ("debian 12", {"server": "our-own/1.0"}, Verdict.UNKNOWN),
        ("debian 12", {"server": "nginx", "via": "1.1 varnish-1 (squid/3.5)"}, Verdict.FAIL),
        # Nothing said.
        (None, {}, Verdict.UNKNOWN),
        (None, {"server": "nginx/1.22.1"}, Verdict.UNKNOWN),
    ],
)
def test_the_operators_word_counts_where_nothing_shown_speaks_against_it(
    distribution: str | None, fields: dict[str, str], expected: Verdict
) -> None:
    assert judged(distribution, fields)[0] is expected


def test_a_hidden_server_is_shown_under_its_distribution() -> None:
    software = judged("debian 12", {})[1]
    assert software is not None
    assert [
        (sample.family.name, sample.value, dict(sample.labels)) for sample in DERIVATION.shape.samples(software)
    ] == [
        ("tls_posture_server_software_info", 1, {"product": "debian", "version": "12"}),
        ("tls_posture_server_software_maintained", 1, {}),
        ("tls_posture_server_software_eol_timestamp_seconds", BOOKWORM_ENDS.timestamp(), {}),
    ]


def test_it_is_judged_of_services_that_show_nothing_too() -> None:
    assert judged("debian 12", None)[0] is Verdict.PASS
    assert judged(None, None)[0] is Verdict.NOT_APPLICABLE


def test_a_server_that_was_not_reached_is_not_judged() -> None:
    assert DERIVATION.derive(case(distribution="debian 12")) is None
    assert NOW < BOOKWORM_ENDS


def test_a_distribution_is_read() -> None:
    assert parse_distribution("ubuntu 24.04") == Package("ubuntu", "24.04")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("debain 12", "'debain' is not a known distribution; did you mean debian?"),
        ("debian", "'debian' is not a distribution and its release, such as debian 12"),
        ("Debian 12", "'Debian 12' is not a distribution and its release, such as debian 12"),
        ("zzz 1", f"'zzz' is not a known distribution; known are {', '.join(DISTRIBUTIONS)}"),
    ],
)
def test_what_is_no_distribution_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_distribution(text)

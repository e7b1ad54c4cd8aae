"""Every attack there is, on a server that has it and on one that has not.

What sslyze's own command line says of the same servers is in `test_vulnerable_servers.py`.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.app import App
from exporter.derived.verdicts import Attack
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.facts.vulnerabilities import POSSIBLE, VulnerabilityFacts
from exporter.model import Facts, Reason, Report
from exporter.scan import scan
from tests.support.attacked import Scans
from tests.support.facts import KOPANO
from tests.support.judging import report_after
from tests.support.plain import plain_server
from tests.support.servers import HOST, SEED_NGINX, Pki, make_pki, nginx
from tests.support.targets import make_target
from tests.support.vulnerable import HAS, HAS_NOT, HOSTILE, ONLY_1_2, SPITEFUL, VARIANTS, old_openssl
from tests.test_app import Fixture, entry, text

pytestmark = pytest.mark.real

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def test_there_are_two_servers_for_every_attack() -> None:
    assert set(HAS) == set(HAS_NOT) == set(Attack)


@pytest.mark.parametrize("attack", Attack)
def test_an_attack_is_told_where_it_works(attack: Attack, scans: Scans, pki: Pki, tmp_path: Path) -> None:
    assert scans.verdicts(HAS[attack], tmp_path, pki)[attack] is True


@pytest.mark.parametrize("attack", Attack)
def test_an_attack_is_ruled_out_where_it_does_not(attack: Attack, scans: Scans, pki: Pki, tmp_path: Path) -> None:
    assert scans.verdicts(HAS_NOT[attack], tmp_path, pki)[attack] is False


TOLD: dict[str, tuple[Attack, bool | None]] = {
    "CCS injection with CBC": (Attack.CCS_INJECTION, True),
    "CCS injection with RC4": (Attack.CCS_INJECTION, True),
    "weak oracle": (Attack.ROBOT, True),
    "oracle that depends on nothing": (Attack.ROBOT, None),
    "no RSA key exchange": (Attack.ROBOT, False),
    "Logjam without an export suite": (Attack.LOGJAM, True),
    "Logjam by a common prime": (Attack.LOGJAM, True),
    "BEAST without CBC": (Attack.BEAST, False),
    "no renegotiation that closes": (Attack.CLIENT_RENEGOTIATION, False),
    "three renegotiations, then closes": (Attack.CLIENT_RENEGOTIATION, False),
    "renegotiation by OpenSSL 1.0.2": (Attack.CLIENT_RENEGOTIATION, True),
    "no renegotiation by Apache": (Attack.CLIENT_RENEGOTIATION, False),
    "no renegotiation by OpenSSL 3": (Attack.CLIENT_RENEGOTIATION, False),
    # sslyze calls that vulnerable. RFC 5746, 4.1: it is not, unless it asks for a renegotiation itself.
    "neither RFC 5746 nor renegotiation": (Attack.INSECURE_RENEGOTIATION, None),
    "only TLS 1.3": (Attack.CLIENT_RENEGOTIATION, False),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_what_else_is_to_be_told_apart(name: str, scans: Scans, pki: Pki, tmp_path: Path) -> None:
    attack, told = TOLD[name]
    assert scans.verdicts(VARIANTS[name], tmp_path, pki)[attack] is told


# --- hostile servers --------------------------------------------------------------------------------------------------

SCAN_SECONDS = 15


@pytest.mark.parametrize("name", SPITEFUL)
def test_whoever_turns_on_a_tester_is_not_called_safe_for_it(name: str, scans: Scans, pki: Pki, tmp_path: Path) -> None:
    with SPITEFUL[name](tmp_path, pki) as port:
        report = scans.run(scans.report(port, scan_timeout=timedelta(seconds=SCAN_SECONDS), timeout_seconds=0.5))
    assert report.result.duration_seconds < SCAN_SECONDS + 10
    tried = report.facts.get(VulnerabilityFacts)
    assert tried is not None
    told = {attack: one.vulnerable for attack, one in tried.attacks_tried.items()}
    assert told.get("ccs_injection") is None
    assert told.get("robot") is None
    if name == "silent":
        assert told.get("client_renegotiation") is None
    assert told.get("heartbleed") is None


KNOWN_HANGS: dict[str, tuple[dict[str, object], Reason]] = {
    "SMTP banner of invalid UTF-8": (
        {"protocol": "smtp", "starttls": "smtp", "scan_timeout": timedelta(seconds=2)},
        Reason.STARTTLS_TIMEOUT,
    ),
    "RDP reply of no length": ({"protocol": "rdp", "starttls": "rdp"}, Reason.STARTTLS_ERROR),
    "never a word": ({}, Reason.HANDSHAKE_TIMEOUT),
    "a byte a second": ({}, Reason.HANDSHAKE_TIMEOUT),
}


@pytest.mark.parametrize("name", KNOWN_HANGS)
def test_what_sslyze_hangs_on_ends_within_the_deadline(name: str, scans: Scans) -> None:
    changes, reason = KNOWN_HANGS[name]

    async def run() -> Report:
        async with plain_server(HOSTILE[name]) as port:
            limits = {"timeout_seconds": 0.5, "scan_timeout": timedelta(seconds=SCAN_SECONDS)}
            return await scans.report(port, **(limits | changes))

    report = scans.run(run())
    assert report.result.duration_seconds < SCAN_SECONDS + 10
    # Where every hello waits for its limit, the time for all of them may be over first.
    assert {failure.reason for failure in report.result.failures} & {reason, Reason.DEADLINE_EXCEEDED}
    assert report.facts.get(Vulnerabilities) is None


@pytest.mark.parametrize("name", ["silent after ServerHelloDone", "flood after ServerHelloDone"])
def test_a_server_that_never_finishes_a_handshake_is_read_and_not_called_safe(name: str, scans: Scans) -> None:
    async def run() -> Report:
        async with plain_server(HOSTILE[name]) as port:
            return await scans.report(port, timeout_seconds=0.3, scan_timeout=timedelta(seconds=SCAN_SECONDS))

    report = scans.run(run())
    assert report.result.duration_seconds < SCAN_SECONDS + 10
    tried = report.facts.get(VulnerabilityFacts)
    told = {attack: one.vulnerable for attack, one in tried.attacks_tried.items()} if tried else {}
    assert {told.get(attack) for attack in POSSIBLE} == {None}


# --- another server ---------------------------------------------------------------------------------------------------


def test_a_server_that_took_the_place_of_another_is_tried_at_once(scans: Scans, pki: Pki, tmp_path: Path) -> None:
    async def run(port: int, known: Facts) -> Report:
        environment = scans.environment()
        target = make_target(port, host=HOST, server_name=HOST, vulnerability_interval=DAY)
        result = await scan(target, environment, known)
        return report_after(replace(result, facts=result.facts.over(known)), (KOPANO,), environment.now())

    def injected(report: Report) -> bool | None:
        derived = report.facts.get(Vulnerabilities)
        assert derived is not None
        return derived.verdicts[Attack.CCS_INJECTION].vulnerable

    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with old_openssl(tmp_path / "first", pki.rsa, versions=ONLY_1_2, suites="ECDHE-RSA-AES128-SHA") as port:
        first = scans.run(run(port, Facts()))
    settings = {"versions": ONLY_1_2, "suites": "AES128-SHA:ECDHE-RSA-AES128-SHA", "fault": "ccs_injection"}
    with old_openssl(tmp_path / "second", pki.rsa, port=port, **settings):
        second = scans.run(run(port, first.result.facts))
    assert (injected(first), injected(second)) == (False, True)


# --- DROWN, across targets --------------------------------------------------------------------------------------------


def test_an_old_server_with_the_same_key_makes_a_good_one_vulnerable(pki: Pki, tmp_path: Path) -> None:
    """And it is over when the old one is no target any more."""
    for name in ("old", "good"):
        (tmp_path / name).mkdir()
    fixture = Fixture(tmp_path)
    drown = 'tls_posture_vulnerable{target="good",vulnerability="drown"}'

    async def run(old: int, good: int) -> None:
        here = ", vulnerability_interval: never"
        app = App(fixture.write(entry("old", old, here) + entry("good", good, here)), now=fixture.clock)
        app.start()
        try:
            await shows(app, f"{drown} 1")
            fixture.write(entry("good", good, here))
            assert await app.reload(fixture.file)
            await shows(app, f"{drown} 0")
        finally:
            await app.stop()

    with HAS["drown"](tmp_path / "old", pki) as old, nginx(tmp_path / "good", SEED_NGINX, [pki.rsa]) as good:
        asyncio.run(run(old, good))


async def shows(app: App, line: str) -> None:
    async with asyncio.timeout(30):
        while line not in text(app):
            await asyncio.sleep(0.02)

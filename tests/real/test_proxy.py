"""Whole scans through real proxies: all facts as without, and every byte counted."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.hsts import Hsts
from exporter.facts.http import HttpFacts
from exporter.model import Reason, ScanResult, Target
from exporter.scan import scan
from tests.support.processes import free_port
from tests.support.proxies import ONLY_FOR_PROXIES, PASSWORD, PROXIES, USER
from tests.support.proxy import counting_proxy
from tests.support.servers import HOST, SEED_NGINX, Pki, make_pki, nginx
from tests.support.starttls_servers import dovecot, exim
from tests.support.targets import make_environment, make_target

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def _scan(target: Target) -> ScanResult:
    return asyncio.run(scan(target, make_environment()))


def _policies(result: ScanResult) -> list[tuple[int, Hsts | None]]:
    """Of each response, less the date and such."""
    facts = result.facts.get(HttpFacts)
    return [(response.status, response.hsts) for response in facts.responses] if facts else []


@pytest.mark.parametrize("kind", PROXIES)
def test_a_scan_through_a_proxy_sees_what_a_direct_one_sees(pki: Pki, tmp_path: Path, kind: str) -> None:
    """By a name that only the proxy can resolve. What goes through the proxy is counted before it."""
    with (
        nginx(tmp_path, SEED_NGINX, [pki.ecdsa, pki.rsa]) as port,
        PROXIES[kind](tmp_path) as proxy,
        counting_proxy(proxy.port) as counts,
    ):
        fields = {"ca_file": str(pki.bundle), "timeout_seconds": 3, "server_name": HOST}
        direct = _scan(make_target(port, **fields))
        counted = replace(proxy, port=counts.port)
        behind = _scan(make_target(port, host=ONLY_FOR_PROXIES, connect_address=None, proxy=counted, **fields))

    assert behind.success, behind.failures
    for facts in (HandshakeFacts, CertificateFacts):
        assert behind.facts.get(facts) == direct.facts.get(facts)
        assert behind.facts.get(facts) is not None
    assert _policies(behind) == _policies(direct) != []
    assert behind.connections == counts.connections == direct.connections
    assert behind.bytes_sent == counts.to_server
    # A server may still speak when we have what we want and close: that reaches the counter, and not us.
    assert direct.bytes_received / 2 < behind.bytes_received <= counts.to_client


@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize("service", ["smtp", "imap"])
def test_a_server_that_speaks_first_is_heard_behind_a_proxy(pki: Pki, tmp_path: Path, kind: str, service: str) -> None:
    server = exim(pki) if service == "smtp" else dovecot(pki, "imap")
    with server as port, PROXIES[kind](tmp_path) as proxy:
        target = make_target(
            port,
            host=ONLY_FOR_PROXIES,
            connect_address=None,
            proxy=proxy,
            protocol=service,
            starttls=service,
            ca_file=str(pki.bundle),
            timeout_seconds=3,
        )
        result = _scan(target)
    assert result.success, result.failures


@pytest.mark.parametrize(
    ("kind", "reason"), [("tinyproxy", Reason.CONNECT_ERROR), ("microsocks", Reason.CONNECT_REFUSED)]
)
def test_a_target_that_refuses_is_told_as_well_as_the_proxy_tells_it(tmp_path: Path, kind: str, reason: Reason) -> None:
    with PROXIES[kind](tmp_path) as proxy:
        result = _scan(make_target(free_port(), proxy=proxy))
    (failure,) = result.failures
    assert failure.reason is reason
    assert f"the proxy {proxy} " in failure.detail


@pytest.mark.parametrize("kind", PROXIES)
def test_a_name_that_the_proxy_does_not_know_is_no_missing_name(tmp_path: Path, kind: str) -> None:
    with PROXIES[kind](tmp_path) as proxy:
        result = _scan(make_target(443, host="nothing.invalid", connect_address=None, proxy=proxy))
    assert [failure.reason for failure in result.failures] == [Reason.CONNECT_ERROR]


@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize("user", [None, USER])
def test_a_proxy_that_wants_another_password_says_so(tmp_path: Path, kind: str, user: str | None) -> None:
    with PROXIES[kind](tmp_path) as proxy:
        result = _scan(make_target(free_port(), proxy=replace(proxy, user=user, password="wrong")))  # noqa: S106
    (failure,) = result.failures
    assert failure.reason is Reason.CONNECT_ERROR
    says = {"tinyproxy": "answered CONNECT with 40", "microsocks": "password"}  # 407 without one, 401 for a wrong one
    assert says[kind] in failure.detail
    assert PASSWORD not in failure.detail

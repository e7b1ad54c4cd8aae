"""Real servers that are too slow for a whole scan: what can be had in the time is had, the important first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import HttpFacts
from exporter.model import Protocol, Reason, ScanResult, Verdict
from exporter.scan import scan
from tests.support.facts import KOPANO
from tests.support.judging import report_after
from tests.support.plain import plain_server
from tests.support.servers import SEED_NGINX, Pki, make_pki, nginx
from tests.support.starttls_servers import ROOT, postfix
from tests.support.targets import make_environment, make_target

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@asynccontextmanager
async def holding_front(upstream: int, answered: int) -> AsyncIterator[int]:
    """Passes so many connections on, and holds the next until its client gives up; those after that pass again."""
    count, given_up = 0, False

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count, given_up
        count += 1
        if count > answered and not given_up:
            while await reader.read(65536):
                pass
            given_up = True
            return
        back, forth = await asyncio.open_connection("127.0.0.1", upstream)
        await asyncio.gather(pump(reader, forth), pump(back, writer), return_exceptions=True)

    async with plain_server(handler) as port:
        yield port


async def _scan_held(upstream: int, answered: int, **changes: object) -> ScanResult:
    async with holding_front(upstream, answered) as port:
        fields = {"timeout_seconds": 60.0, "scan_timeout": timedelta(seconds=40), **changes}
        return await scan(make_target(port, **fields), make_environment())


def _failed(result: ScanResult) -> set[tuple[str, Reason]]:
    """Failures of the probes that look at the server itself; there is no name server here."""
    return {(failure.probe, failure.reason) for failure in result.failures if failure.probe != "dns"}


def test_hellos_that_do_not_end_leave_time_for_certificate_and_http(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.scan.RESERVED_SHARE", 0.97)
    with nginx(tmp_path, SEED_NGINX, [pki.ecdsa, pki.rsa]) as upstream:
        result = asyncio.run(_scan_held(upstream, 3, ca_file=str(pki.bundle)))

    assert _failed(result) == {("handshake", Reason.DEADLINE_EXCEEDED)}
    assert (result.probes["handshake"], result.probes["certificate"], result.probes["http"]) == (True, True, True)
    assert not result.success, "a scan that was cut short is not a whole one"
    hellos, certificate = result.facts.get(HandshakeFacts), result.facts.get(CertificateFacts)
    http = result.facts.get(HttpFacts)
    assert hellos is not None
    assert (hellos.protocols[Protocol.TLS1_2], hellos.protocols[Protocol.TLS1_0]) == (True, None)
    assert certificate is not None
    assert certificate.trusted is True
    assert http is not None
    verdicts = {one.check: one.verdict for one in report_after(result, (KOPANO,), result.ended_at).findings}
    assert verdicts["protocols"] is verdicts["cipher_suites"] is Verdict.UNKNOWN
    assert verdicts["hsts"] is Verdict.PASS
    assert Verdict.FAIL not in verdicts.values()


@pytest.mark.skipif(not ROOT, reason="Postfix runs as root only")
def test_a_mail_server_that_greets_late_is_read_as_far_as_the_time_goes(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.scan.RESERVED_SHARE", 0.92)
    late = "smtpd_delay_reject = no\nsmtpd_client_restrictions = sleep 1"
    with postfix(pki, late) as port:
        target = make_target(
            port, protocol="smtp", starttls="smtp", timeout_seconds=0.4, connections_per_host=1, ca_file=str(pki.bundle)
        )
        result = asyncio.run(scan(target, make_environment()))

    assert _failed(result) == {("handshake", Reason.DEADLINE_EXCEEDED)}
    hellos, certificate = result.facts.get(HandshakeFacts), result.facts.get(CertificateFacts)
    assert hellos is not None
    assert hellos.protocols[Protocol.TLS1_2] is True
    assert certificate is not None
    assert certificate.trusted is True

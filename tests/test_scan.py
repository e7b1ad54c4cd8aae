"""A complete scan: probes are independent, failures have their reasons, and deadlines apply."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.errors import ProbeError
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Reason, ScanResult
from exporter.probes import certificate, handshake, http
from exporter.probes.base import Session
from exporter.probes.registry import PROBES
from exporter.scan import scan
from tests.support.certificates import HOST, dns, issue, pem_file, server_context
from tests.support.plain import Handler, plain_server
from tests.support.processes import free_port
from tests.support.scripted import End, Script, Stack, alert, scripted_server
from tests.support.targets import NOW, make_environment, make_target


def scan_port(port: int, **changes: object) -> ScanResult:
    fields = {"timeout_seconds": 0.2, **changes}
    return asyncio.run(scan(make_target(port, **fields), make_environment()))


def scan_script(script: Script, **changes: object) -> ScanResult:
    async def run() -> ScanResult:
        async with scripted_server(script) as seen:
            fields = {"timeout_seconds": 0.2, **changes}
            return await scan(make_target(seen.port, **fields), make_environment())

    return asyncio.run(run())


async def _speaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def _never_answers(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def _scan_plain(handler: Handler) -> ScanResult:
    async def run() -> ScanResult:
        async with plain_server(handler) as port:
            return await scan(make_target(port, timeout_seconds=0.2), make_environment())

    return asyncio.run(run())


UNREACHABLE: dict[str, tuple[Callable[[], ScanResult], Reason]] = {
    "closed port": (lambda: scan_port(free_port()), Reason.CONNECT_REFUSED),
    "port that never answers": (lambda: _scan_plain(_never_answers), Reason.HANDSHAKE_TIMEOUT),
    "port that speaks HTTP": (lambda: _scan_plain(_speaks_http), Reason.NOT_TLS),
    "name that does not resolve": (
        lambda: scan_port(443, host="nothing.invalid", connect_address=None),
        Reason.DNS_NXDOMAIN,
    ),
    "server that refuses everything": (lambda: scan_script(lambda _h: alert(40)), Reason.HANDSHAKE_ERROR),
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_no_tls_server_leaves_its_reason_and_no_facts(case: str) -> None:
    attempt, reason = UNREACHABLE[case]
    result = attempt()
    assert result.success is False
    assert [failure.reason for failure in result.failures] == [reason]
    assert result.probes == {"handshake": False}
    assert len(result.facts) == 0


def test_a_probe_that_fails_does_not_cost_the_others() -> None:
    """A scripted server has no real handshake to offer: suites are known, certificate and HTTP are not."""
    result = scan_script(Stack({0x0303: (0xC030,)}))
    assert result.facts.get(HandshakeFacts) is not None
    assert result.probes == {"handshake": True, "certificate": False, "http": False, "dns": False}
    assert result.success is False


def test_http_is_asked_of_https_alone_and_dns_of_names_alone() -> None:
    result = scan_script(Stack({0x0303: (0xC030,)}), protocol="imaps", host="127.0.0.1", server_name=None)
    assert set(result.probes) == {"handshake", "certificate"}


def test_the_deadline_ends_a_scan_with_its_reason() -> None:
    result = scan_script(lambda _hello: End.SILENCE, timeout_seconds=60.0, scan_timeout=timedelta(seconds=0.3))
    assert [failure.reason for failure in result.failures] == [Reason.DEADLINE_EXCEEDED]
    assert result.duration_seconds < 20
    assert len(result.facts) == 0


def test_a_server_that_was_heard_is_asked_for_the_rest_when_the_time_for_hellos_is_over() -> None:
    async def begins_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x03")
        await reader.read()

    async def run() -> ScanResult:
        async with plain_server(begins_an_answer) as port:
            target = make_target(port, timeout_seconds=5.0, scan_timeout=timedelta(seconds=0.6))
            return await scan(target, make_environment())

    result = asyncio.run(run())
    assert {"handshake", "certificate", "http"} <= result.probes.keys()
    assert not any(result.probes.values())
    assert (result.failures[0].probe, result.failures[0].reason) == ("handshake", Reason.DEADLINE_EXCEEDED)


def test_counts_the_connections_of_all_probes() -> None:
    async def run() -> tuple[int, int]:
        async with scripted_server(Stack({0x0303: (0xC030,)})) as seen:
            result = await scan(make_target(seen.port, timeout_seconds=0.2), make_environment())
            return result.connections, seen.connections

    ours, theirs = asyncio.run(run())
    assert ours == theirs


def _broken(error: Exception) -> Callable[[Session], Awaitable[HandshakeFacts]]:
    async def run(_session: Session) -> HandshakeFacts:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("bug"), Reason.INTERNAL),
        (TimeoutError("somebody's own"), Reason.INTERNAL),
        (ProbeError(Reason.NOT_TLS, "x"), Reason.NOT_TLS),
    ],
)
def test_a_bug_in_a_probe_is_a_failure_of_that_probe(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, reason: Reason
) -> None:
    probe = replace(handshake.PROBE, run=_broken(error))
    monkeypatch.setattr("exporter.scan.PROBES", (probe, *PROBES[1:]))
    with caplog.at_level(logging.ERROR):
        result = scan_port(free_port())
    assert [failure.reason for failure in result.failures] == [reason]
    assert bool(caplog.records) is (reason is Reason.INTERNAL)


def test_the_mandatory_probes_are_those_of_the_server_itself() -> None:
    assert [probe.name for probe in PROBES if probe.mandatory] == ["handshake", "certificate", "http"]
    assert PROBES[:3] == (handshake.PROBE, certificate.PROBE, http.PROBE)


@pytest.mark.parametrize("step", [timedelta(seconds=-30), timedelta(days=-365), timedelta(days=365)])
def test_a_clock_that_is_set_during_a_scan_does_not_mix_up_what_it_saw(tmp_path: Path, step: timedelta) -> None:
    """The certificate probe uses hellos of this scan only, and knows them by their time."""
    authority = issue("Test CA", ca=True)
    leaf = issue(HOST, authority, names=dns(HOST))
    context = server_context(pem_file(tmp_path / "server.pem", leaf, key=leaf))
    times = itertools.chain([NOW], itertools.repeat(NOW + step))

    async def run() -> ScanResult:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        target = make_target(server.sockets[0].getsockname()[1], host=HOST)
        async with server:
            return await scan(target, replace(make_environment(), now=lambda: next(times)))

    result = asyncio.run(run())
    seen = [result.facts.seen_at(kind) for kind in (HandshakeFacts, CertificateFacts)]
    in_order = [result.started_at, *(at for at in seen if at), result.ended_at]
    assert len(in_order) == 4
    assert in_order == sorted(in_order)
    certificates = result.facts.get(CertificateFacts)
    assert certificates is not None
    assert certificates.deployments_complete

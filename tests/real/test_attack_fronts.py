"""Servers that differ from what trying an attack takes for granted: fronts, other services, other keys, odd manners.

None of them may be called safe from an attack that works on it, or that did not come to be tried.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.derived.verdicts import Attack
from exporter.derived.vulnerabilities import Vulnerabilities
from tests.support.attacked import Scans
from tests.support.plain import plain_server
from tests.support.scripted import Hello, parse_hello
from tests.support.servers import HOST, Pki, make_pki
from tests.support.vulnerable import HAS, HAS_NOT, MODERN, ONLY_1_2, RSA_EXCHANGE, TLS, old_openssl

pytestmark = pytest.mark.real

TLS1_2 = 0x0303


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@asynccontextmanager
async def front(choose: Callable[[Hello], int], *, delay: float = 0.0) -> AsyncIterator[int]:
    """Leads to the port that it chooses by the hello; whatever comes back is as late."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = b""
        while (hello := parse_hello(first)) is None:
            data = await reader.read(65536)
            if not data:
                return
            first += data
        back, there = await asyncio.open_connection("127.0.0.1", choose(hello))
        there.write(first)
        async with asyncio.TaskGroup() as both:
            both.create_task(pass_on(reader, there, 0))
            both.create_task(pass_on(back, writer, delay))

    async with plain_server(serve) as port:
        yield port


async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float) -> None:
    try:
        while data := await source.read(65536):
            await asyncio.sleep(delay)
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


async def verdict(scans: Scans, port: int, attack: Attack) -> bool | None:
    """What a scan says of the attack on the server of this port."""
    report = await scans.report(port, protocol="tls", scan_timeout=timedelta(seconds=90))
    derived = report.facts.get(Vulnerabilities)
    assert derived is not None
    return derived.verdicts[attack].vulnerable


def told(scans: Scans, port: int, attack: Attack) -> bool | None:
    """As `verdict`."""
    return scans.run(verdict(scans, port, attack))


def told_by_way_of(scans: Scans, choose: Callable[[Hello], int], attack: Attack, *, delay: float = 0.0) -> bool | None:
    """As `verdict`, behind a front."""

    async def run() -> bool | None:
        async with front(choose, delay=delay) as before:
            return await verdict(scans, before, attack)

    return scans.run(run())


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


@pytest.mark.parametrize("attack", [Attack.HEARTBLEED, Attack.CCS_INJECTION])
def test_it_is_the_service_of_this_name_that_is_tried(attack: Attack, scans: Scans, pki: Pki, tmp_path: Path) -> None:
    """Without it, as sslyze tries, a scan would tell of whatever the front has for those who give none."""
    with HAS[attack](folder(tmp_path, "has"), pki) as has, HAS_NOT[attack](folder(tmp_path, "not"), pki) as has_not:
        assert told_by_way_of(scans, lambda hello: has if hello.server_name == HOST else has_not, attack) is True
        assert told_by_way_of(scans, lambda hello: has_not if hello.server_name == HOST else has, attack) is False


def test_a_server_that_renegotiates_slowly_is_not_called_safe(scans: Scans, pki: Pki, tmp_path: Path) -> None:
    with old_openssl(tmp_path, pki.rsa, versions=ONLY_1_2, suites="ECDHE-RSA-AES128-SHA") as port:
        assert told_by_way_of(scans, lambda _: port, Attack.CLIENT_RENEGOTIATION, delay=0.3) is None


def test_a_server_that_closes_after_any_handshake_has_refused_nothing(scans: Scans, pki: Pki, tmp_path: Path) -> None:
    with old_openssl(tmp_path, pki.rsa, versions=TLS, suites=MODERN, stays=False) as port:
        assert told(scans, port, Attack.CLIENT_RENEGOTIATION) is None


def robot(**settings: object) -> dict[str, object]:
    return {"versions": TLS, "suites": RSA_EXCHANGE, "fault": "robot-strong"} | settings


def test_messages_of_tls_tell_nothing_in_ssl3(scans: Scans, pki: Pki, tmp_path: Path) -> None:
    with old_openssl(tmp_path, pki.rsa, **robot(versions=("SSL3",))) as port:
        assert told(scans, port, Attack.ROBOT) is None


def test_robot_is_tried_with_the_key_of_the_protocol_that_it_is_tried_in(
    scans: Scans, pki: Pki, tmp_path: Path
) -> None:
    other = make_pki(folder(tmp_path, "pki"))
    modern: dict[str, object] = {"versions": TLS, "suites": "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA"}
    with (
        old_openssl(folder(tmp_path, "has"), other.rsa, **robot()) as has,
        old_openssl(folder(tmp_path, "not"), pki.rsa, **modern) as has_not,
    ):
        assert told_by_way_of(scans, lambda hello: has if hello.version == TLS1_2 else has_not, Attack.ROBOT) is True

"""The greeting of a server inside TLS, read in a connection that the certificate probe needs anyway."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from exporter.facts.certificate import CertificateFacts
from exporter.model import ClientAuthentication
from exporter.probes.certificate import PROBE
from exporter.probes.certificate.greeting import MAX_GREETING_BYTES
from exporter.services import SERVICES, greeting_inside_tls
from tests.support.certificates import HOST, dns, issue, pem_file, server_context
from tests.support.targets import make_session, make_target

SERVER = issue(HOST, names=dns(HOST))
EXIM = b"220 mx1 ESMTP Exim 4.99.1 Sun\r\n"
Writer = asyncio.StreamWriter


def heard(
    folder: Path,
    *pieces: bytes,
    protocol: str = "smtps",
    close: bool = False,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    mode: ssl.VerifyMode = ssl.CERT_NONE,
) -> tuple[CertificateFacts, bytes]:
    """The probe's result for a server that sends these pieces, and what it sent; one connection is enough."""

    async def run() -> tuple[CertificateFacts, bytes]:
        told: list[bytes] = []
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
            try:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
                if close:
                    writer.close()
                told.append(await reader.read())
            except OSError:
                pass
            finally:
                writer.close()
                ended.set()

        file = pem_file(folder / "server.pem", SERVER, key=SERVER)
        context = server_context(file, newest)
        context.load_verify_locations(file)
        context.verify_mode = mode
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        session = make_session(make_target(port, protocol=protocol, timeout_seconds=0.3))
        try:
            facts = await PROBE.run(session)
            assert session.dialer.connections == 1
            if facts.client_authentication is not ClientAuthentication.REQUIRED:  # otherwise it could not send anything
                await ended.wait()
            return facts, b"".join(told)
        finally:
            server.close()

    return asyncio.run(run())


GREETINGS: list[tuple[str, list[bytes], str | None]] = [
    ("a line", [EXIM], "220 mx1 ESMTP Exim 4.99.1 Sun"),
    ("a line in pieces", [EXIM[:20], EXIM[20:]], "220 mx1 ESMTP Exim 4.99.1 Sun"),
    (
        "several lines",
        [b"220-mx1 ESMTP Exim 4.99.1\r\n", b"220 We do not\r\n"],
        "220-mx1 ESMTP Exim 4.99.1 220 We do not",
    ),
    ("free lines between", [b"220-a\r\n  b\r\n220-c\r\n", b"220 d\r\n"], "220-a b 220-c 220 d"),
    ("a code without text", [b"220-a\r\n220\r\n"], "220-a 220"),
    ("more than a greeting", [EXIM + b"250 more\r\n"], "220 mx1 ESMTP Exim 4.99.1 Sun"),
    ("several lines without an end", [b"220-a\r\n220-b\r\n220 c"], "220-a 220-b"),
    ("a line without an end", [EXIM[:26]], None),
    ("nothing", [], None),
    ("no text", [b"\x00\xff\x1b[31m\r\n"], "\ufffd\ufffd\ufffd[31m"),
]


@pytest.mark.parametrize(("about", "pieces", "expected"), GREETINGS, ids=[case[0] for case in GREETINGS])
@pytest.mark.parametrize("close", [True, False], ids=["closed", "open"])
def test_whole_lines_are_heard_and_nothing_is_said(
    tmp_path: Path, about: str, pieces: list[bytes], expected: str | None, *, close: bool
) -> None:
    facts, told = heard(tmp_path, *pieces, close=close)
    assert facts.greeting == expected, about
    assert told == b""
    assert facts.first.leaf.subject == f"CN={HOST}"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("mode", [ssl.CERT_NONE, ssl.CERT_OPTIONAL])
def test_it_is_heard_whatever_the_server_wants_to_know_of_its_clients(
    tmp_path: Path, newest: ssl.TLSVersion, mode: ssl.VerifyMode
) -> None:
    assert heard(tmp_path, EXIM, newest=newest, mode=mode)[0].greeting == "220 mx1 ESMTP Exim 4.99.1 Sun"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_stranger_hears_nothing(tmp_path: Path, newest: ssl.TLSVersion) -> None:
    assert heard(tmp_path, EXIM, newest=newest, mode=ssl.CERT_REQUIRED)[0].greeting is None


def test_what_never_ends_is_given_up(tmp_path: Path) -> None:
    facts, _ = heard(tmp_path, *(20 * [b"220-" + b"x" * 996 + b"\r\n"]))
    assert facts.greeting is not None
    assert len(facts.greeting) < MAX_GREETING_BYTES


def test_silence_costs_no_more_than_one_read(tmp_path: Path) -> None:
    started = time.monotonic()
    assert heard(tmp_path)[0].greeting is None
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("protocol", ["https", "ldaps", "ircs", "tls"])
def test_where_the_client_speaks_first_nothing_is_waited_for(tmp_path: Path, protocol: str) -> None:
    assert heard(tmp_path, EXIM, protocol=protocol)[0].greeting is None


@pytest.mark.parametrize("protocol", [name for name in SERVICES if greeting_inside_tls(name)])
def test_where_the_server_does_it_is_heard(tmp_path: Path, protocol: str) -> None:
    assert heard(tmp_path, EXIM, protocol=protocol)[0].greeting is not None

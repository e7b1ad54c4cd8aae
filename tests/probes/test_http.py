"""The HTTP probe against real TLS with scripted responses."""

import asyncio
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.probes.hsts import Hsts
from exporter.probes.http import PROBE, HttpFacts
from fuzz.probes import http
from tests.support.plain import drip
from tests.support.servers import Pki, make_pki
from tests.support.targets import make_session, make_target

YEAR = "Strict-Transport-Security: max-age=31536000\r\n"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def fetch(pki: Pki, *pieces: bytes, pause: float | None = None, close: bool = True, **changes: object) -> HttpFacts:
    """The probe's facts of a server that sends these pieces, each in a TLS record of its own."""
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in pieces:
                if pause is not None:
                    await drip(writer, piece, pause)
                writer.write(piece)
                await writer.drain()
            if not close:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def run() -> HttpFacts:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.ecdsa)
        server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
        target = make_target(server.sockets[0].getsockname()[1], **{"timeout_seconds": 0.5, **changes})
        try:
            session = make_session(target)
            return await PROBE.run(session)
        finally:
            server.close()

    facts = asyncio.run(run())
    assert requests[0].startswith(b"GET / HTTP/1.1\r\nHost: ")
    assert len(requests) == 1, "one request, redirects not followed"
    return facts


def response(fields: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{fields}\r\n".encode()


def test_reads_status_and_policy(pki: Pki) -> None:
    facts = fetch(pki, response(YEAR))
    assert facts.status == 200
    assert facts.hsts == Hsts(31536000, include_subdomains=False, preload=False)
    assert facts.hsts_fields == ("max-age=31536000",)


def test_no_header_is_no_policy(pki: Pki) -> None:
    assert fetch(pki, response()).hsts is None


@pytest.mark.parametrize("status", ["301 Moved", "404 Not Found", "500 Oops"])
def test_any_status_counts_and_redirects_are_not_followed(pki: Pki, status: str) -> None:
    facts = fetch(pki, response(YEAR + "Location: https://elsewhere.example/\r\n", status))
    assert facts.status == int(status[:3])
    assert facts.hsts is not None


def test_header_names_have_no_case(pki: Pki) -> None:
    assert fetch(pki, response(YEAR.upper().replace("MAX-AGE", "max-age"))).hsts is not None


def test_only_the_first_of_several_headers_counts(pki: Pki) -> None:
    facts = fetch(pki, response("Strict-Transport-Security: max-age=1\r\n" + YEAR))
    assert facts.hsts == Hsts(1, include_subdomains=False, preload=False)
    assert len(facts.hsts_fields) == 2


def test_headers_over_several_tls_records_are_read_whole(pki: Pki) -> None:
    whole = response(YEAR)
    assert fetch(pki, whole[:30], whole[30:50], whole[50:]).hsts is not None


def test_interim_responses_are_passed_over(pki: Pki) -> None:
    facts = fetch(pki, b"HTTP/1.1 103 Early Hints\r\n" + YEAR.encode() + b"\r\n" + response())
    assert facts.hsts is None
    assert facts.status == 200


def test_an_endless_body_is_not_waited_for(pki: Pki) -> None:
    assert fetch(pki, b"HTTP/1.1 200 OK\r\n" + YEAR.encode() + b"\r\n" + bytes(100_000), close=False).hsts is not None


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([b"220 mail ESMTP\r\n"], Reason.HTTP_ERROR),
        ([b"HTTP/1.1 200 OK\r\nBroken\r\n\r\n"], Reason.HTTP_ERROR),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000], Reason.HTTP_ERROR),
        ([b"HTTP/1.1 200 OK\r\n"], Reason.HTTP_ERROR),
        ([], Reason.HTTP_ERROR),
    ],
)
def test_what_is_no_response_is_an_error(pki: Pki, pieces: list[bytes], reason: Reason) -> None:
    with pytest.raises(ProbeError) as caught:
        fetch(pki, *pieces)
    assert caught.value.reason is reason


def test_a_server_that_never_answers_times_out(pki: Pki) -> None:
    with pytest.raises(ProbeError) as caught:
        fetch(pki, close=False)
    assert caught.value.reason is Reason.HTTP_TIMEOUT


def test_a_server_that_drips_is_cut_off(pki: Pki) -> None:
    with pytest.raises(ProbeError) as caught:
        fetch(pki, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500, pause=0.05, timeout_seconds=0.2)
    assert caught.value.reason is Reason.HTTP_TIMEOUT


def test_a_policy_of_an_address_is_not_shown(pki: Pki) -> None:
    facts = fetch(pki, response(YEAR), host="127.0.0.1", server_name=None)
    assert list(PROBE.samples(facts)) == []
    assert facts.hsts_fields == ("max-age=31536000",)


def test_a_plain_handshake_failure_is_told_as_such(tmp_path: Path) -> None:
    async def run() -> None:
        async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes.fromhex("15030300020228"))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        target = make_target(server.sockets[0].getsockname()[1])
        try:
            await PROBE.run(make_session(target))
        finally:
            server.close()

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.HANDSHAKE_ERROR


_bits = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 \r\n\r\n", b"HTTP/1.0 999 x\n", b"\r\n", b"\n", b" folded\r\n"),
            *(
                YEAR.encode(),
                b"Strict-Transport-Security:",
                b"Content-Length: 5\r\n",
                b"Transfer-Encoding: chunked\r\n",
            ),
        ]
    ),
)


@given(st.lists(_bits, max_size=12).map(b"".join))
def test_no_bytes_lead_to_anything_but_facts_or_a_probe_error(data: bytes) -> None:
    http(data)

"""MTA-STS policies: what is fetched, from where, what is valid, and what stays unknown (RFC 8461)."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.facts.dns import StsPolicy, StsPolicyFacts
from exporter.model import ClientCertificate, DnsQuestion, HttpOptions, Proxy, Reason, Target
from exporter.probes.mta_sts_policy import MOST_BYTES, PATH, PROBE, read_policy, web_server
from tests.support.certificates import DAY, Issued, dns, issue, pem_file, server_context
from tests.support.targets import NOW, make_session, make_target

DOMAIN, HOST = "shop.example", "mta-sts.shop.example"
TEXT = b"version: STSv1\r\nmode: enforce\r\nmx: mail.shop.example\r\nmx: *.Host.example\r\nmax_age: 604800\r\n"
POLICY = StsPolicy("enforce", 604_800, ("mail.shop.example", "*.host.example"))
ASKED = frozenset({DnsQuestion.MTA_STS_POLICY})
ROOT = issue("Root", ca=True)


@dataclass
class Web:
    """The way to a web server, and what was asked on it."""

    port: int = 0
    connects: list[bytes] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)


async def _close(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
        writer.write_eof()


@asynccontextmanager
async def web(response: bytes | None, context: ssl.SSLContext) -> AsyncIterator[Web]:
    """A server that answers everything with this, or with nothing, behind a proxy that takes any name to it."""
    seen = Web()
    busy: set[asyncio.Task[None]] = set()

    def tracked(
        handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]],
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        return lambda reader, writer: busy.add(asyncio.create_task(handle(reader, writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if response is None:
                await asyncio.sleep(60)
            else:
                writer.write(response)
        except asyncio.IncompleteReadError:
            return
        finally:
            await _close(writer)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            seen.connects.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            await _close(back, writer)

    server = await asyncio.start_server(tracked(serve), "127.0.0.1", 0, ssl=context)
    proxy = await asyncio.start_server(tracked(connect), "127.0.0.1", 0)
    seen.port = proxy.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        proxy.close()
        server.close()
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policy")


def fetch(
    folder: Path, response: bytes | None, leaf: Issued | None = None, now: datetime = NOW
) -> tuple[StsPolicyFacts, Web]:
    """The probe's result for a web server that sends this."""
    leaf = leaf or issue("x", ROOT, names=dns(HOST))
    context = server_context(pem_file(folder / "server.pem", leaf, ROOT, key=leaf))
    store = folder / "store.pem"
    if not store.exists():
        pem_file(store, ROOT)

    async def run() -> tuple[StsPolicyFacts, Web]:
        async with web(response, context) as seen:
            proxy = Proxy("http", "127.0.0.1", seen.port)
            target = make_target(
                25, mail_domain=DOMAIN, questions=ASKED, proxy=proxy, ca_file=str(store), timeout_seconds=0.5
            )
            session = make_session(target, now=now)
            try:
                return await PROBE.run(session), seen
            finally:
                assert session.dialer.connections == 0, "it is no connection to the target"

    return asyncio.run(run())


def ok(body: bytes, media_type: str = "text/plain") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_one_connection_fetches_the_policy(folder: Path) -> None:
    found, seen = fetch(folder, ok(TEXT))
    assert found == StsPolicyFacts(DOMAIN, POLICY, until=ROOT.certificate.not_valid_after_utc)
    assert seen.connects == [b"CONNECT mta-sts.shop.example:443 HTTP/1.1"]
    (request,) = seen.requests
    assert request.startswith(f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n".encode())


def test_what_leads_to_the_target_does_not_lead_to_the_web_server() -> None:
    own = make_target(
        587,
        starttls="smtp",
        protocol="smtp",
        client_certificate=ClientCertificate("a", "b"),
        proxy=Proxy("http", "proxy.example", 3128),
        http=HttpOptions(path="/x", host="y"),
        ca_file="/ca",
    )
    other: Target = web_server(own, DOMAIN)
    assert (other.host, other.port, other.server_name, other.starttls) == (HOST, 443, HOST, None)
    assert (other.connect_address, other.client_certificate, other.http) == (None, None, HttpOptions())
    assert (other.proxy, other.ca_file, other.connections_per_host) == (own.proxy, "/ca", own.connections_per_host)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("response", "plain"),
    [
        (CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(TEXT), TEXT), True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + ok(TEXT), True),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + TEXT, True),
        (ok(TEXT, "text/html"), False),
        (b"HTTP/1.0 200 OK\r\n\r\n" + TEXT, False),
    ],
)
def test_the_policy_comes_in_any_framing(folder: Path, response: bytes, plain: bool) -> None:
    assert fetch(folder, response)[0] == StsPolicyFacts(
        DOMAIN, POLICY, plain_text=plain, until=ROOT.certificate.not_valid_after_utc
    )


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", f"{HOST} answers 404 when asked for its policy"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://shop.example/\r\nContent-Length: 0\r\n\r\n",
            f"{HOST} answers 301 when asked for its policy",
        ),
        (ok(b"#" * (MOST_BYTES + 1)), f"its policy is longer than {MOST_BYTES} bytes"),
        (ok(b"<html></html>"), "its policy has a line that is no field (1)"),
        (ok(b""), "its policy is not of version STSv1"),
    ],
)
def test_what_senders_would_not_take_counts_as_none(folder: Path, response: bytes, why: str) -> None:
    """RFC 8461, 3.3: redirects are not followed, and only 200 counts."""
    found, seen = fetch(folder, response)
    assert (found.domain, found.policy, found.why) == (DOMAIN, None, why)
    assert len(seen.connects) == 1


@pytest.mark.parametrize(
    ("leaf", "why"),
    [
        (issue("x", names=dns(HOST)), "self_signed"),
        (issue("x", ROOT, names=dns(DOMAIN, "*.mta-sts.shop.example")), "name_mismatch"),
    ],
)
def test_without_a_certificate_for_the_name_there_is_no_policy(folder: Path, leaf: Issued, why: str) -> None:
    found, seen = fetch(folder, ok(TEXT), leaf)
    assert (found.policy, found.why) == (None, f"the certificate of {HOST} is not to be trusted ({why})")
    assert seen.requests == []


def test_each_fetch_judges_the_certificate_at_its_own_time(folder: Path) -> None:
    first = issue("x", ROOT, names=dns(HOST), valid=(NOW - DAY, NOW + 2 * DAY))
    renewed = issue("x", ROOT, names=dns(HOST), valid=(NOW + DAY, NOW + 9 * DAY))
    for leaf, days, policy in ((first, 0, POLICY), (renewed, 3, POLICY), (first, 3, None), (renewed, 0, None)):
        assert fetch(folder, ok(TEXT), leaf, NOW + days * DAY)[0].policy == policy


@pytest.mark.parametrize(
    ("valid", "turn", "policy"),
    [((NOW - DAY, NOW + 2 * DAY), NOW + 2 * DAY, POLICY), ((NOW + DAY, NOW + 2 * DAY), NOW + DAY, None)],
    ids=["ends", "begins"],
)
def test_when_a_date_of_the_certificate_comes_nothing_is_known_until_the_next_fetch(
    folder: Path, valid: tuple[datetime, datetime], turn: datetime, policy: StsPolicy | None
) -> None:
    found, _ = fetch(folder, ok(TEXT), issue("x", ROOT, names=dns(HOST), valid=valid))
    assert (found.policy, list(PROBE.turns(found))) == (policy, [turn])
    assert PROBE.later(found, turn) == found
    assert PROBE.later(found, turn + timedelta(seconds=1)) is None


def test_a_wildcard_stands_for_the_name(folder: Path) -> None:
    assert fetch(folder, ok(TEXT), issue("x", ROOT, names=dns("*.shop.example")))[0].policy == POLICY


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (None, Reason.HTTP_TIMEOUT),
        (b"", Reason.HTTP_ERROR),
        (b"no HTTP\r\n\r\n", Reason.HTTP_ERROR),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Reason.HTTP_ERROR),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + TEXT, Reason.HTTP_ERROR),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 90_000 + b"\r\n\r\n", Reason.HTTP_ERROR),
    ],
)
def test_what_keeps_the_policy_from_being_seen_leaves_it_unknown(
    folder: Path, response: bytes | None, reason: Reason
) -> None:
    with pytest.raises(ProbeError) as caught:
        fetch(folder, response)
    assert caught.value.reason is reason


# --- the file ---------------------------------------------------------------------------------------------------------


def lines(*extra: str, **changes: str) -> bytes:
    usual = {"version": "STSv1", "mode": "enforce", "mx": "mail.shop.example", "max_age": "1"} | changes
    return "\n".join([*(f"{name}: {value}" for name, value in usual.items() if value), *extra]).encode()


READ: list[tuple[bytes, StsPolicy]] = [
    (lines(), StsPolicy("enforce", 1, ("mail.shop.example",))),
    (lines("", "x-more: y: z", "mode: none", "max_age: 5"), StsPolicy("enforce", 1, ("mail.shop.example",))),
    (lines(mode="testing", max_age="31557600"), StsPolicy("testing", 31_557_600, ("mail.shop.example",))),
    (lines(mode="none", mx=""), StsPolicy("none", 1, ())),
    (b"mx:a.example  \nmax_age:1\nmode:\tenforce\nversion:STSv1", StsPolicy("enforce", 1, ("a.example",))),
]
UNREAD: list[tuple[bytes, str]] = [
    (lines(version="STSv2"), "is not of version STSv1"),
    (lines(version=""), "is not of version STSv1"),
    (lines(mode=""), "has no mode"),
    (lines(mode="Enforce"), "has no mode"),
    (lines(max_age=""), "has no max_age, or one of more than a year"),
    (lines(max_age="-1"), "has no max_age, or one of more than a year"),
    (lines(max_age="31557601"), "has no max_age, or one of more than a year"),
    (lines(mx=""), "has no mx, or one that is none"),
    (lines(mx="mail.*.example"), "has no mx, or one that is none"),
    (lines("mx: a.example."), "has no mx, or one that is none"),
    (lines("nothing"), "has a line that is no field (5)"),
    (lines(" mode: none"), "has a line that is no field (5)"),
    (b"\xff", "is not UTF-8"),
]


@pytest.mark.parametrize(("text", "policy"), READ)
def test_reads_what_fits_the_grammar(text: bytes, policy: StsPolicy) -> None:
    assert read_policy(text) == policy


@pytest.mark.parametrize(("text", "why"), UNREAD)
def test_what_does_not_fit_it_is_no_policy(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        read_policy(text)


@pytest.mark.parametrize("noise", ["mode:" + " " * 60_000, "mx: " + "a-" * 30_000, "mx: " + "a" * 60_000 + "!"])
def test_the_longest_file_takes_no_time(noise: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match=r"^has "):
        read_policy(lines(noise))
    assert time.process_time() - started < 1


@given(st.binary(max_size=200), st.sampled_from([b"", lines(), lines(mx="*.a.example")]))
def test_any_file_is_read_or_refused(noise: bytes, rest: bytes) -> None:
    with suppress(ValueError):
        policy = read_policy(noise + b"\n" + rest)
        assert policy.mx or policy.mode == "none"
        assert not policy.covers("")


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("mail.shop.example", True),
        ("MAIL.shop.example", True),
        ("mx1.host.example", True),
        ("a.mx1.host.example", False),
        ("host.example", False),
        ("shop.example", False),
        ("xhost.example", False),
    ],
)
def test_a_pattern_stands_for_a_name_or_for_one_label(host: str, covered: bool) -> None:
    """RFC 8461, 4.1."""
    assert POLICY.covers(host) is covered


def test_nobody_asks_unless_a_policy_wants_to_know_and_the_domain_is_said() -> None:
    applies: Callable[[Target], bool] = PROBE.applies
    assert not applies(make_target(mail_domain=DOMAIN, questions=frozenset({DnsQuestion.MTA_STS})))
    assert not applies(make_target(questions=ASKED))
    assert applies(make_target(mail_domain=DOMAIN, questions=ASKED))


def test_the_report_has_the_policy_or_why_there_is_none() -> None:
    shown = {"mode": "enforce", "max_age_seconds": 604_800, "mx": ["mail.shop.example", "*.host.example"]}
    rest = {"domain": DOMAIN, "plain_text": True}
    assert PROBE.shape.document(StsPolicyFacts(DOMAIN, POLICY)) == {
        "mta_sts_policy": {**rest, "policy": shown, "why": ""}
    }
    assert PROBE.shape.document(StsPolicyFacts(DOMAIN, None, "x")) == {
        "mta_sts_policy": {**rest, "policy": None, "why": "x"}
    }

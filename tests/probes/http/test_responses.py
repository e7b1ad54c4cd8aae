"""What is read from responses, and what is not a response, over real TLS with scripted answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.facts.hsts import Hsts
from exporter.facts.http import MAX_FIELD_CHARACTERS, MAX_FIELDS, Asked, HttpFacts, make_response
from exporter.facts.shapes.http import MAX_AGE, ON_ERRORS, PRESENT
from exporter.model import Reason
from exporter.probes.http import PROBE
from fuzz.probes import http, http2
from tests.support.facts import steady
from tests.support.plain import drip, plain_server
from tests.support.servers import Pki
from tests.support.targets import make_session, make_target
from tests.support.web import YEAR, answering, ask, response, usual

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, list[bytes]], Awaitable[None]]


def saying(*pieces: bytes, close: bool = True, pause: float | None = None) -> Talk:
    """A server that answers the first request with these pieces, each in its own TLS record."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in pieces:
            if pause is not None:
                await drip(writer, piece, pause)
            writer.write(piece)
            await writer.drain()
        if not close:
            await reader.read()

    return handle


def fetch(pki: Pki, *pieces: bytes, pause: float | None = None, close: bool = True, **changes: Any) -> HttpFacts:  # noqa: ANN401 - any field of Target
    facts, served, _ = ask(pki, saying(*pieces, pause=pause, close=close), **changes)
    assert all(request.startswith(b"GET /") for request in served.requests), "redirects are not followed"
    return facts


def test_each_response_has_its_status_and_its_policy(pki: Pki) -> None:
    facts, _, _ = ask(pki, answering(usual))
    assert [(one.request, one.status) for one in facts.responses] == [
        *((Asked.ROOT, 200), (Asked.NOT_FOUND, 404), (Asked.MALFORMED, 400)),
    ]
    assert {one.hsts for one in facts.responses} == {Hsts(31536000, include_subdomains=False, preload=False)}
    assert facts.hsts_fields == ("max-age=31536000",)


def test_header_fields_are_kept_in_order_with_names_in_lower_case(pki: Pki) -> None:
    facts = fetch(pki, response("Server: nginx/1.2\r\nX-Powered-By: \xe9\r\nVIA: a\r\nVia: b\r\n"))
    assert facts.first.fields == (
        *(("content-length", "0"), ("server", "nginx/1.2"), ("x-powered-by", "\xe9"), ("via", "a"), ("via", "b")),
    )
    assert facts.first.values("via") == ("a", "b")


def test_of_many_and_long_fields_the_first_and_their_beginnings_are_kept() -> None:
    policy = b"max-age=1;" + b" " * MAX_FIELD_CHARACTERS + b"includeSubDomains"
    fields = [(b"x", b"y" * 5000)] * MAX_FIELDS + [(b"strict-transport-security", policy)]
    made = make_response(Asked.ROOT, 200, fields)
    assert made.fields == (("x", "y" * MAX_FIELD_CHARACTERS),) * MAX_FIELDS
    assert made.hsts == Hsts(1, include_subdomains=True, preload=False), "the policy is read from all of it"
    assert [len(field) for field in made.hsts_fields] == [MAX_FIELD_CHARACTERS]


def test_what_is_judged_is_kept_behind_any_number_of_fields() -> None:
    noise = [(b"X", b"y")] * 5 * MAX_FIELDS
    judged = [(b"Location", b"/a"), (b"Server", b"b"), (b"X-Powered-By", b"c"), (b"Via", b"d")]
    made = make_response(Asked.ROOT, 200, [*noise, *judged, (b"X-Last", b"e")])
    assert made.fields[MAX_FIELDS:] == (("location", "/a"), ("server", "b"), ("x-powered-by", "c"), ("via", "d"))
    assert len(make_response(Asked.ROOT, 200, [(b"Via", b"1.1 a")] * 5 * MAX_FIELDS).fields) == 2 * MAX_FIELDS


def test_no_header_is_no_policy(pki: Pki) -> None:
    assert fetch(pki, response()).hsts is None


@pytest.mark.parametrize("status", ["301 Moved", "404 Not Found", "500 Oops"])
def test_any_status_counts_and_redirects_are_not_followed(pki: Pki, status: str) -> None:
    facts = fetch(pki, response(YEAR + "Location: https://elsewhere.example/\r\n", status))
    assert facts.status == int(status[:3])
    assert facts.hsts is not None


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ('Strict-Transport-Security: max-age="31536000"\r\n', 31536000),
        ("Strict-Transport-Security: Max-Age=31536000\r\n", 31536000),
        ("Strict-Transport-Security: max-age = 31536000\r\n", 31536000),
        ("STRICT-TRANSPORT-SECURITY: max-age=31536000\r\n", 31536000),
        ("Strict-Transport-Security: x-max-age=5; max-age=31536000\r\n", 31536000),
        ("Strict-Transport-Security: max-age=1\r\n" + YEAR, 1),
        ("Strict-Transport-Security: x-max-age=31536000\r\n", None),
        ("Strict-Transport-Security: max-age=1; max-age=31536000\r\n", None),
    ],
)
def test_spellings_of_the_header_that_others_misread(pki: Pki, field: str, seconds: int | None) -> None:
    facts = fetch(pki, response(field))
    assert (facts.hsts.max_age_seconds if facts.hsts else None) == seconds


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


def test_a_close_without_a_response_is_called_that(pki: Pki) -> None:
    with pytest.raises(ProbeError) as caught:
        fetch(pki)
    assert caught.value.detail == "the server closed the connection without a response"


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
    assert list(PROBE.shape.samples(facts)) == []
    assert facts.hsts_fields == ("max-age=31536000",)


ERRORS = [
    # fields everywhere, fields on errors, value of the metric, what it is about
    (YEAR, YEAR, 1, "everywhere"),
    (YEAR, "", 0, "not on errors"),
    ("", YEAR, 1, "on errors alone"),
    (YEAR, "Strict-Transport-Security: max-age=junk\r\n", 0, "not valid on errors"),
    (YEAR, "Strict-Transport-Security: max-age=0\r\n", 0, "errors make browsers forget (RFC 6797, 6.1.1)"),
]


@pytest.mark.parametrize(("fields", "on_errors", "value", "about"), ERRORS)
def test_errors_must_carry_a_policy_to_keep(pki: Pki, fields: str, on_errors: str, value: int, about: str) -> None:
    def answer(request: bytes) -> bytes:
        said = usual(request, on_errors)
        return response(fields) if b" 200 " in said else said

    facts, _, _ = ask(pki, answering(answer))
    assert {sample.family: sample.value for sample in PROBE.shape.samples(facts)}[ON_ERRORS] == value, about


def test_one_error_that_lacks_it_is_enough(pki: Pki) -> None:
    facts, _, _ = ask(pki, answering(lambda request: usual(request, "" if b"exporter-" in request[:40] else YEAR)))
    assert facts.hsts_on_error_responses is False


@pytest.mark.parametrize("status", ["404 Not Found", "421 Misdirected Request", "403 Forbidden", "503 Busy"])
def test_a_server_that_follows_the_second_host_says_nothing_of_the_first(pki: Pki, status: str) -> None:
    """RFC 9112, 3.2 has it answer 400: any other status may be what another host answers, which has no policy."""

    def answer(request: bytes) -> bytes:
        return response("", status) if b"malformed" in request else response(YEAR)

    facts, _, _ = ask(pki, answering(answer))
    assert [one.status for one in facts.responses] == [200, 200, int(status[:3])]
    assert facts.hsts_on_error_responses is None


def test_without_an_error_response_nothing_is_said_of_them(pki: Pki) -> None:
    facts, _, _ = ask(pki, answering(lambda _: response(YEAR)))
    assert len(facts.responses) == 3
    assert facts.hsts_on_error_responses is None
    assert ON_ERRORS not in {sample.family for sample in PROBE.shape.samples(facts)}


def test_max_age_zero_is_a_header_that_is_there_and_a_policy_that_is_not(pki: Pki) -> None:
    """RFC 6797, 6.1.1: present 1 with 0 seconds says that browsers are told to forget; without a header both are 0."""
    facts = fetch(pki, response("Strict-Transport-Security: max-age=0\r\n"))
    shown = {sample.family: sample.value for sample in PROBE.shape.samples(facts)}
    assert (shown[PRESENT], shown[MAX_AGE]) == (1, 0)
    assert not facts.first.keeps_hsts


def test_a_plain_handshake_failure_is_told_as_such() -> None:
    async def run() -> None:
        async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes.fromhex("15030300020228"))
            await writer.drain()

        async with plain_server(handler) as port:
            await PROBE.run(make_session(make_target(port)))

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.HANDSHAKE_ERROR


_bits = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 \r\n\r\n", b"HTTP/1.0 999 x\n", b"\r\n", b"\n", b" folded\r\n"),
            *(YEAR.encode(), b"Strict-Transport-Security:", b"Content-Length: 5\r\n", b"hello"),
            *(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", response(YEAR, body="hello")),
        ]
    ),
)
_frames = st.builds(
    lambda head, payload: len(payload).to_bytes(3, "big") + head + payload,
    st.builds(
        lambda kind, flags, stream: bytes([kind, flags, 0, 0, 0, stream]),
        *(st.integers(0, 10), st.sampled_from([0, 1, 4, 5, 0x2D]), st.integers(0, 5)),
    ),
    st.binary(max_size=20) | st.sampled_from([b"\x88", b"\x8d", bytes(4), bytes(8)]),
)


@steady
@given(st.lists(_bits, max_size=12).map(b"".join))
def test_no_bytes_lead_to_anything_but_facts_or_a_probe_error(data: bytes) -> None:
    http(data)


@steady
@given(st.lists(_frames | st.binary(max_size=9), max_size=8).map(b"".join))
def test_no_frames_do_either(data: bytes) -> None:
    http2(data)

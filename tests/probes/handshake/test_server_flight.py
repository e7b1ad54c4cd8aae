"""The parser of server bytes: complete or split answers, and only its own exceptions for any bytes."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.handshake.server_flight import FlightReader
from exporter.probes.handshake.server_hello import (
    Alert,
    Answer,
    CloseNotifyError,
    FlightRest,
    MalformedError,
    NotTLSError,
    ServerHello,
    SSL2ServerHello,
)
from tests.support.scripted import (
    RETRY_RANDOM,
    alert,
    certificate_message,
    curve_message,
    extension,
    message,
    record,
    server_hello,
    server_hello_message,
    ssl2_server_hello,
)


def feed(*pieces: bytes) -> Answer | None:
    flight = FlightReader()
    for piece in pieces:
        flight.feed(piece)
        if flight.complete:
            break
    return flight.answer


RANDOM = bytes(range(32))
DONE = FlightRest(complete=True)
CHAIN = (b"leaf" * 300, b"issuer" * 200)
FLIGHT = (
    server_hello_message(0x0303, 0xC030, extensions=extension(23) + extension(0xFF01, b"\x00"))
    + certificate_message(CHAIN)
    + message(22, b"\x01status")
    + curve_message(0x001D, 0x0804)
    + message(13, b"request")
    + message(14)
)
KEY_EXCHANGE = curve_message(0x001D, 0x0804)[4:]
FLIGHT_ANSWER = ServerHello(
    0x0303,
    0xC030,
    0,
    retry_request=False,
    extensions={23: b"", 0xFF01: b"\x00"},
    random=RANDOM,
    rest=FlightRest(CHAIN, KEY_EXCHANGE, stapled=True, complete=True),
)

WHOLE: list[tuple[str, bytes, Answer]] = [
    (
        "TLS 1.2",
        server_hello(0x0303, 0xC030),
        ServerHello(0x0303, 0xC030, 0, retry_request=False, random=RANDOM, rest=DONE),
    ),
    (
        "compression",
        server_hello(0x0301, 0x002F, 1),
        ServerHello(0x0301, 0x002F, 1, retry_request=False, random=RANDOM, rest=DONE),
    ),
    (
        "TLS 1.3 retry",
        server_hello(0x0304, 0x1301, retry=True),
        ServerHello(
            0x0304, 0x1301, 0, retry_request=True, extensions={43: b"\x03\x04", 51: b"\x00\x1d"}, random=RETRY_RANDOM
        ),
    ),
    ("alert", alert(70), Alert(70)),
    ("warnings first", alert(112, level=1) * 3 + alert(40), Alert(40)),
    ("SSL 2", ssl2_server_hello([0x010080, 0x0700C0]), SSL2ServerHello((0x010080, 0x0700C0), b"certificate")),
    ("SSL 2 error", bytes.fromhex("8003000001"), Alert(40)),
    ("a whole flight in one record", record(22, FLIGHT), FLIGHT_ANSWER),
    (
        "a whole flight in small records",
        b"".join(record(22, FLIGHT[i : i + 100]) for i in range(0, len(FLIGHT), 100)),
        FLIGHT_ANSWER,
    ),
    (
        "a fatal alert behind it",
        record(22, server_hello_message(0x0303, 0xC030)) + alert(80),
        ServerHello(0x0303, 0xC030, 0, retry_request=False, random=RANDOM, rest=FlightRest(alert=80)),
    ),
    (
        "nonsense behind it",
        record(22, server_hello_message(0x0303, 0xC030) + message(99) + message(14)),
        ServerHello(0x0303, 0xC030, 0, retry_request=False, random=RANDOM),
    ),
    (
        "a broken chain behind it",
        record(22, server_hello_message(0x0303, 0xC030) + message(11, b"\x00\x00\x09\x00\x00\x01x") + message(14)),
        ServerHello(0x0303, 0xC030, 0, retry_request=False, random=RANDOM),
    ),
]


@pytest.mark.parametrize(("data", "answer"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_reads_an_answer_whole_and_byte_by_byte(data: bytes, answer: Answer) -> None:
    assert feed(data) == answer
    assert feed(*(bytes([byte]) for byte in data)) == answer


@pytest.mark.parametrize(("data", "answer"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_a_cut_of_an_answer_is_no_answer_yet_or_its_beginning(data: bytes, answer: Answer) -> None:
    for length in range(0, len(data), 7):
        flight = FlightReader()
        part = flight.feed(data[:length])
        if isinstance(answer, ServerHello) and isinstance(part, ServerHello):
            assert replace(part, rest=FlightRest()) == replace(answer, rest=FlightRest())
            assert part.rest.certificates in {(), answer.rest.certificates}
        else:
            assert part is None
        assert flight.feed(data[length:]) == answer
        assert flight.complete


def test_nothing_is_read_behind_the_end() -> None:
    flight = FlightReader()
    flight.feed(record(22, FLIGHT))
    assert flight.feed(b"HTTP/1.1 400 Bad Request") == FLIGHT_ANSWER


def test_a_message_may_be_split_over_records() -> None:
    hello = server_hello_message(0x0304, 0x1303, retry=True)
    pieces = [record(22, hello[i : i + 5]) for i in range(0, len(hello), 5)]
    assert feed(b"".join(pieces)) == feed(record(22, hello))


NOT_TLS = [
    b"HTTP/1.1 400 Bad Request\r\n",
    b"220 mail\r\n",
    b"SSH-2.0-x\r\n",
    b"\x00\x00",
    b"\x16\x02",
    b"\x80\x03\x07",
    b"*",
]


@pytest.mark.parametrize("data", NOT_TLS)
def test_another_protocol_is_told_as_such(data: bytes) -> None:
    with pytest.raises(NotTLSError):
        feed(data)


@pytest.mark.parametrize("version", [0x0000, 0x0002, 0x0200])
def test_an_alert_in_a_record_of_an_odd_version_is_an_alert(version: int) -> None:
    """BearSSL answers SSL 3 hellos by version 0, s2n-tls SSL 2 hellos by version 2."""
    assert feed(record(21, b"\x02\x28", version)) == Alert(40)


@pytest.mark.parametrize(
    "data",
    [
        record(22, b"\x02\x28", 0x0200),
        record(21, b"\x03\x28", 0),
        record(21, b"\x02\x28", 0x0100),
        b"\x15\x02\x00\x00\x03",
    ],
)
def test_nothing_else_of_an_odd_version_is_tls(data: bytes) -> None:
    with pytest.raises(NotTLSError):
        feed(data)


@pytest.mark.parametrize("level", [1, 2])
def test_close_notify_in_place_of_an_answer_is_an_orderly_end(level: int) -> None:
    with pytest.raises(CloseNotifyError):
        feed(alert(0, level=level))


@pytest.mark.parametrize("data", [record(21, b"\x01\x70\x02\x28"), record(21, b"\x01\x70\x02") + record(21, b"\x28")])
def test_a_record_may_hold_several_alerts_and_an_alert_several_records(data: bytes) -> None:
    assert feed(data) == Alert(40)


MALFORMED = [
    record(22, b"\x01" + bytes(20)),
    record(22, b"\x02\xff\xff\xff"),
    record(22, b"\x02\x00\x00\x05" + bytes(5)),
    record(23, b"data"),
    record(20, b"\x01"),
    record(21, b""),
    alert(112, level=1) * 9,
    alert(112, level=1) + b"HTTP",
    b"\x16\x03\x03\xff\xff",
]


@pytest.mark.parametrize("data", MALFORMED)
def test_broken_tls_is_told_as_such(data: bytes) -> None:
    with pytest.raises(MalformedError):
        feed(data)


@pytest.mark.parametrize("cut", [38, 39, 40, 41, 43, 44, 45])  # 42 is a complete ServerHello without extensions
def test_a_server_hello_that_says_it_is_longer_than_its_content_is_broken(cut: int) -> None:
    body = server_hello_message(0x0304, 0x1301, retry=True)[4:cut]
    with pytest.raises(MalformedError):
        feed(record(22, b"\x02" + len(body).to_bytes(3, "big") + body))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(marks)]


_bytes = st.one_of(
    st.binary(max_size=400),
    st.binary(max_size=200).map(lambda tail: b"\x16\x03\x03" + tail),
    st.binary(max_size=200).map(lambda body: record(22, b"\x02" + len(body).to_bytes(3, "big") + body)),
    st.binary(max_size=200).map(lambda body: record(22, server_hello_message(0x0304, 0x1301)[:40] + body)),
    st.binary(max_size=200).map(lambda tail: record(22, server_hello_message(0x0303, 0xC030) + tail)),
    st.lists(st.tuples(st.sampled_from([11, 12, 13, 14, 22, 99]), st.binary(max_size=60)), max_size=5).map(
        lambda rest: record(22, server_hello_message(0x0303, 0xC030) + b"".join(message(*one) for one in rest))
    ),
    st.binary(max_size=200).map(lambda tail: b"\x80\x20\x04" + tail),
    st.binary(max_size=200).map(lambda tail: b"\x80\xff\x04\x00\x01\x00\x02" + tail),
)


@given(_bytes, st.lists(st.integers(0, 500), max_size=6))
def test_only_its_own_errors_leave_it_and_cuts_change_nothing(data: bytes, cuts: list[int]) -> None:
    outcomes = []
    for parts in ([data], pieces(data, cuts)):
        try:
            outcomes.append(repr(feed(*parts)))
        except (NotTLSError, MalformedError, CloseNotifyError) as error:
            outcomes.append(type(error).__name__)
    assert outcomes[0] == outcomes[1]

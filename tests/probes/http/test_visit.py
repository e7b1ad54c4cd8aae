"""The number of connections of the requests, and what ends them early."""

from datetime import timedelta
from typing import Any

import pytest

from exporter.errors import ProbeError
from exporter.facts.http import Asked
from exporter.model import HttpOptions, Reason
from exporter.probes.http.line import MAX_BODY_BYTES
from tests.support.servers import Pki
from tests.support.web import YEAR, Answer, answering, ask, response, usual

CLOSE = f"{YEAR}Connection: close\r\n"
LONG = "x" * (MAX_BODY_BYTES + 1)
ALL = [Asked.ROOT, Asked.NOT_FOUND, Asked.MALFORMED]


def to_root(said: bytes | None) -> Answer:
    """Usual, except for the first request."""
    return lambda request: said if _is_root(request) else usual(request)


def _is_root(request: bytes) -> bool:
    return request.startswith(b"GET / ") and b"malformed.invalid" not in request


CONNECTIONS: list[tuple[str, Answer, int]] = [
    ("a server that keeps its connections", usual, 1),
    ("a body that is read for it", to_root(response(YEAR, body="x" * MAX_BODY_BYTES)), 1),
    ("chunks", to_root(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), 1),
    ("no body by its status", to_root(b"HTTP/1.1 204 No Content\r\n\r\n"), 1),
    ("interim responses", to_root(b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(YEAR)), 1),
    ("closes after each", lambda request: usual(request, CLOSE), 3),
    ("closes after the first", to_root(response(CLOSE)), 2),
    ("HTTP/1.0", to_root(response(CLOSE).replace(b"HTTP/1.1", b"HTTP/1.0")), 2),
    ("too long a body", to_root(response(YEAR, body=LONG)), 2),
    (
        "too long a body in chunks",
        to_root(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + 2 * LONG.encode()),
        2,
    ),
    ("a body that ends with the connection", to_root(b"HTTP/1.1 200 OK\r\n\r\nhello"), 2),
    (
        "a body that is shorter than it says",
        to_root(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhi"),
        2,
    ),
    ("a body of broken chunks", to_root(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhi\r\n"), 2),
]


@pytest.mark.parametrize(("about", "answer", "expected"), CONNECTIONS, ids=[case[0] for case in CONNECTIONS])
def test_as_few_connections_as_the_server_lets_it_be(pki: Pki, about: str, answer: Answer, expected: int) -> None:
    facts, served, counted = ask(pki, answering(answer))
    assert [one.request for one in facts.responses] == ALL
    assert counted == len(served.connections) == expected, about


def test_a_server_that_closes_between_two_requests_without_a_word_is_asked_again(pki: Pki) -> None:
    """RFC 9112, 9.3.1."""
    seen: list[bytes] = []

    def answer(request: bytes) -> bytes | None:
        seen.append(request)
        return None if len(seen) == 2 else usual(request)

    facts, served, _ = ask(pki, answering(answer))
    assert [one.request for one in facts.responses] == ALL
    assert [len(requests) for requests in served.connections] == [2, 2]


@pytest.mark.parametrize(
    "behind",
    [response("Connection: close\r\n", "408 Request Timeout"), b"a body that Content-Length did not tell of", b"\0"],
)
def test_what_comes_before_it_was_asked_for_is_no_answer(pki: Pki, behind: bytes) -> None:
    """RFC 9112, 9.2: such a connection is closed."""

    def answer(request: bytes) -> bytes:
        return usual(request) + (behind if _is_root(request) else b"")

    facts, served, _ = ask(pki, answering(answer))
    assert [(one.request, one.status) for one in facts.responses] == [
        *((Asked.ROOT, 200), (Asked.NOT_FOUND, 404), (Asked.MALFORMED, 400)),
    ]
    assert [len(requests) for requests in served.connections] == [1, 2]


def test_a_malformed_request_that_is_answered_by_a_close_is_not_repeated(pki: Pki) -> None:
    facts, served, _ = ask(pki, answering(lambda request: None if b"malformed" in request else usual(request)))
    assert [one.request for one in facts.responses] == ALL[:2]
    assert facts.hsts_on_error_responses is True
    assert len(served.connections) == 1


def test_a_404_that_never_comes_leaves_the_malformed_request(pki: Pki) -> None:
    facts, served, _ = ask(pki, answering(lambda request: None if b"exporter-" in request[:40] else usual(request)))
    assert [one.request for one in facts.responses] == [Asked.ROOT, Asked.MALFORMED]
    assert len(served.connections) == 3


def test_a_server_that_falls_silent_is_asked_no_more(pki: Pki) -> None:
    silent, served, _ = ask(
        pki, answering(lambda request: usual(request) if _is_root(request) else b""), timeout_seconds=0.3
    )
    assert [one.request for one in silent.responses] == [Asked.ROOT]
    assert len(served.requests) == 2


def test_without_a_first_response_nothing_else_is_asked(pki: Pki) -> None:
    requests: list[bytes] = []

    def answer(request: bytes) -> None:
        requests.append(request)

    with pytest.raises(ProbeError) as caught:
        ask(pki, answering(answer), http=HttpOptions(port=1))
    assert caught.value.reason is Reason.HTTP_ERROR
    assert len(requests) == 1


def test_the_rest_takes_half_of_what_is_left_of_the_scan(pki: Pki) -> None:
    """Other probes come behind, and what was seen by then is not lost."""
    changes: dict[str, Any] = {"timeout_seconds": 30.0, "scan_timeout": timedelta(seconds=2)}
    facts, _, _ = ask(pki, answering(lambda request: usual(request) if _is_root(request) else b""), **changes)
    assert [one.request for one in facts.responses] == [Asked.ROOT]

"""Hostile in HTTP/1.1, inside an ordinary session of TLS."""

import gzip

from tests.hostile.behaviour import Behaviour, Peer, reached
from tests.support.heads import STS


async def _request(peer: Peer) -> None:
    """A session of TLS, and the head of a request on it."""
    await peer.secure()
    await peer.reader.readuntil(b"\r\n\r\n")


async def never_answers(peer: Peer) -> None:
    """Reads the request and says nothing."""
    await _request(peer)
    await peer.silence()


async def closes_without_answer(peer: Peer) -> None:
    """Reads the request and closes."""
    await _request(peer)


async def answers_before_request(peer: Peer) -> None:
    """Sends a response before there is a request, and another after it."""
    await peer.secure()
    await peer.send(b"HTTP/1.1 200 OK\r\n" + STS + b"Content-Length: 0\r\n\r\n")
    await peer.silence()


async def endless_headers(peer: Peer) -> None:
    """Sends header fields for ever."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    await peer.flood(b"X-Field: value\r\n" * 200)


async def endless_header_line(peer: Peer) -> None:
    """Sends one header field for ever."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 200 OK\r\nX-Field: ")
    await peer.flood(b"v" * 4096)


async def slow_head(peer: Peer) -> None:
    """Sends its header fields half a second a byte."""
    await _request(peer)
    await peer.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Field: value\r\n" * 1000, 0.5)


async def endless_body(peer: Peer) -> None:
    """Sends a body for ever."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 200 OK\r\n" + STS + b"\r\n")
    await peer.flood(b"b" * 16384)


async def endless_chunks(peer: Peer) -> None:
    """Sends chunks of one byte for ever."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 200 OK\r\n" + STS + b"Transfer-Encoding: chunked\r\n\r\n")
    await peer.flood(b"1\r\nx\r\n" * 500)


async def chunk_nonsense(peer: Peer) -> None:
    """Has chunks whose lengths are negative, huge and not numbers."""
    await _request(peer)
    await peer.send(
        b"HTTP/1.1 200 OK\r\n" + STS + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nfffffffffffffffff\r\nzz\r\n"
    )
    await peer.silence()


async def continue_loop(peer: Peer) -> None:
    """Sends 100 Continue for ever."""
    await _request(peer)
    await peer.flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


async def early_hints_loop(peer: Peer) -> None:
    """Sends 103 Early Hints, one each tenth of a second, for ever."""
    await _request(peer)
    await peer.flood(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 0.1)


async def redirect_loop(peer: Peer) -> None:
    """Redirects each request to itself."""
    await peer.secure()
    while True:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 301 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


async def gzip_bomb(peer: Peer) -> None:
    """Sends 50 MB as 50 kB of gzip that nobody asked for."""
    await _request(peer)
    body = gzip.compress(bytes(50_000_000))
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await peer.silence()


async def status_999(peer: Peer) -> None:
    """Answers with status 999."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n")
    await peer.silence()


async def status_not_a_number(peer: Peer) -> None:
    """Answers with a status that is not a number."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 -42 OK\r\n" + STS + b"\r\n")
    await peer.silence()


async def switches_protocols(peer: Peer) -> None:
    """Switches to another protocol that nobody asked for."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 101 Switching\r\nUpgrade: smtp\r\nConnection: upgrade\r\n\r\n220 hello\r\n")
    await peer.silence()


async def length_lies(peer: Peer) -> None:
    """Announces a body of 10^30 bytes and closes."""
    await _request(peer)
    await peer.send(b"HTTP/1.1 200 OK\r\n" + STS + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n")


async def head_of_binary(peer: Peer) -> None:
    """Answers with binary zeros."""
    await _request(peer)
    await peer.flood(bytes(4096))


async def thousands_of_policies(peer: Peer) -> None:
    """Has a thousand different HSTS fields."""
    await _request(peer)
    fields = b"".join(b"Strict-Transport-Security: max-age=%d\r\n" % number for number in range(1000))
    await peer.send(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n")
    await peer.silence()


async def huge_max_age(peer: Peer) -> None:
    """Has an HSTS max-age of 10,000 digits."""
    await _request(peer)
    await peer.send(
        b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=" + b"9" * 10_000 + b"\r\nContent-Length: 0\r\n\r\n"
    )
    await peer.silence()


async def software_of_controls(peer: Peer) -> None:
    """Has control characters and a sample of Prometheus in its Server field."""
    await _request(peer)
    await peer.send(b'HTTP/1.1 200 OK\r\nServer: nginx/1.0\x1b[31m\xe2\x80\xae"} 1 \xff\r\nContent-Length: 0\r\n\r\n')
    await peer.silence()


_LATE = "http_timeout deadline_exceeded"
_FAILED = f"http_error {_LATE}"
_MAYBE = f"success {_FAILED}"
_UNKNOWN = ("hsts_present", "compliant 1")

HTTP: tuple[Behaviour, ...] = (
    reached(never_answers, http=_LATE, never=_UNKNOWN),
    reached(closes_without_answer, http="http_error", never=_UNKNOWN),
    reached(answers_before_request, http=_MAYBE),
    reached(endless_headers, http=_FAILED, never=_UNKNOWN),
    reached(endless_header_line, http=_FAILED, never=_UNKNOWN),
    reached(slow_head, http=_LATE, never=_UNKNOWN),
    reached(endless_body, http=_MAYBE),
    reached(endless_chunks, http=_MAYBE),
    reached(chunk_nonsense, http=_MAYBE),
    reached(continue_loop, http=_FAILED, never=_UNKNOWN),
    reached(early_hints_loop, http=_FAILED, never=_UNKNOWN),
    reached(redirect_loop, http=_MAYBE),
    reached(gzip_bomb, http=_MAYBE),
    reached(status_999, http=_MAYBE),
    reached(status_not_a_number, http=_FAILED, never=_UNKNOWN),
    reached(switches_protocols, http=_FAILED, never=_UNKNOWN),
    reached(length_lies, http=_MAYBE),
    reached(head_of_binary, http=_FAILED, never=_UNKNOWN),
    reached(thousands_of_policies, http=_MAYBE),
    reached(huge_max_age, http=_MAYBE),
    reached(software_of_controls, http=_MAYBE),
)

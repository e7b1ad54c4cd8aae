"""A prime that is too long is seen before OpenSSL gets it, however the server sends it."""

import asyncio
from collections.abc import Mapping

import pytest
from OpenSSL import SSL

from exporter.errors import ProbeError
from exporter.facts.handshake import Prime
from exporter.model import Facts, Protocol, Reason
from exporter.net.openssl import ClientOffer, make_context
from exporter.net.primes import MOST_PRIME_BITS, PrimeReader, offers_finite_fields
from exporter.net.tls import tls_session
from exporter.tls.suites import BY_NAME, KeyExchange
from tests.support.facts import handshake
from tests.support.scripted import (
    Hello,
    certificate_message,
    curve_message,
    message,
    prime_message,
    record,
    scripted_server,
    server_hello_message,
)
from tests.support.targets import NOW, make_session, make_target

TLS1_2, TLS1_3 = 0x0303, 0x0304
DHE, ADH, ECDHE, AES_128 = 0x009E, 0x0034, 0xC02F, 0x1301
LONG = (1 << 9984) - 1
HELLO = server_hello_message(TLS1_2, DHE)
CERTIFICATE = certificate_message([b"certificate"])
REST = prime_message(LONG, 0x0804) + message(14)


def read(*pieces: bytes) -> int | None:
    reader = PrimeReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.bits


FLIGHTS: Mapping[str, tuple[bytes, int | None]] = {
    "one record": (record(22, HELLO + CERTIFICATE + REST), 9984),
    "a record for each message": (record(22, HELLO) + record(22, CERTIFICATE) + record(22, REST), 9984),
    "a byte in each record": (b"".join(record(22, bytes([byte])) for byte in HELLO + CERTIFICATE + REST), 9984),
    "without a certificate": (record(22, server_hello_message(TLS1_2, ADH) + prime_message(LONG) + message(14)), 9984),
    "in TLS 1.0": (record(22, server_hello_message(0x0301, ADH) + prime_message(LONG), 0x0301), 9984),
    "warnings, empty records and a HelloRequest in between": (
        record(22, HELLO) + record(21, b"\x01\x70") + record(22, b"") + record(22, message(0)) + record(22, REST),
        9984,
    ),
    "a ChangeCipherSpec first, which OpenSSL may ignore": (record(20, b"\x01") + record(22, HELLO + REST), 9984),
    "a short prime": (record(22, HELLO + prime_message((1 << 2048) - 1, 0x0804)), 2048),
    "leading zeros": (record(22, HELLO + message(12, b"\x04\xe0" + bytes(992) + b"\x80" + bytes(255))), 2048),
    "the ServerKeyExchange after the end of the flight": (record(22, HELLO + message(14) + REST), None),
    "a curve": (record(22, server_hello_message(TLS1_2, ECDHE) + curve_message(0x1D, 0x0804) + message(14)), None),
    "TLS 1.3": (
        record(22, server_hello_message(TLS1_3, AES_128, group=0x1D)) + record(23, HELLO + REST) + record(22, REST),
        None,
    ),
    "no ServerHello": (record(22, REST), None),
    "a ServerHello that ends early": (record(22, message(2, bytes(34)) + REST), None),
    "a ServerKeyExchange without a length": (record(22, HELLO + message(12, b"\x04")), 0),
    "an alert": (record(21, b"\x02\x28"), None),
    "no TLS": (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50, None),
}


@pytest.mark.parametrize("flight", FLIGHTS)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_prime_is_read_wherever_the_bytes_are_split(flight: str, size: int) -> None:
    data, bits = FLIGHTS[flight]
    assert read(*(data[at : at + size] for at in range(0, len(data), size))) == bits


def test_all_suites_with_finite_fields_that_openssl_offers_are_known() -> None:
    """Or the prime of another would not be looked for. PSK suites are not offered without a key."""

    def offered(offer: ClientOffer) -> set[str]:
        names = SSL.Connection(make_context(offer, None), None).get_cipher_list()
        return {name for name in names if "PSK" not in name}

    known = {
        suite.openssl_name for suite in BY_NAME.values() if suite.openssl_name and suite.key_exchange is KeyExchange.DH
    }
    left = offered(ClientOffer(finite_fields=False))
    assert offered(ClientOffer()) - left == offered(ClientOffer()) & known
    assert not left & known
    assert {name for name in offered(ClientOffer()) if name.startswith(("DHE-", "ADH-"))} <= known


SHORT, TOO_LONG = Prime(2048), Prime(MOST_PRIME_BITS + 1)
NEWEST = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
FINITE = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"


@pytest.mark.parametrize(
    ("suites", "primes", "offers"),
    [
        ((NEWEST, FINITE), (SHORT,), True),
        ((NEWEST, FINITE), (Prime(MOST_PRIME_BITS),), True),
        ((NEWEST, FINITE), (SHORT, TOO_LONG), False),
        ((FINITE,), (TOO_LONG,), True),
        ((FINITE, "TLS_RSA_WITH_AES_128_CBC_SHA"), (TOO_LONG,), False),
        ((NEWEST,), (), True),
    ],
)
def test_finite_fields_are_offered_unless_a_prime_is_too_long(
    suites: tuple[str, ...], primes: tuple[Prime, ...], offers: bool
) -> None:
    facts = Facts().with_part(handshake({Protocol.TLS1_2: suites}, dh_primes=primes), NOW)
    assert offers_finite_fields(facts) is offers


def test_nothing_known_of_the_primes_changes_nothing() -> None:
    assert offers_finite_fields(Facts()) is True


def test_openssl_does_not_compute_with_a_prime_that_is_too_long() -> None:
    def script(_hello: Hello) -> bytes:
        return record(22, server_hello_message(TLS1_2, ADH) + prime_message(LONG) + message(14))

    async def run() -> None:
        async with scripted_server(script) as seen:
            session = make_session(make_target(seen.port))
            async with tls_session(session.dialer, ClientOffer()) as tls:
                with pytest.raises(ProbeError, match="chose a Diffie-Hellman prime of 9984 bits") as caught:
                    await tls.handshake()
                assert caught.value.reason is Reason.HANDSHAKE_ERROR
                assert not tls.declined
                assert await tls.client_authentication() is None
            assert await seen.end() == [b""]

    asyncio.run(run())

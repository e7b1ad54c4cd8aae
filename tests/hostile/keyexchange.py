"""Hostile parameters of a key exchange in TLS 1.2, signed by the server's key, so that OpenSSL goes on to use them."""

import functools
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from tests.hostile.behaviour import SUCCESS, Behaviour, Handler, Peer, accepts_tls12, reached
from tests.hostile.material import Material
from tests.support.scripted import (
    Hello,
    alert,
    certificate_message,
    message,
    parse_hello,
    record,
    server_hello_message,
)

ECDHE, DHE = (0xC02F, 0xC030), (0x009E, 0x009F)
"""AES-GCM with RSA."""
RSA_PKCS1_SHA256 = 0x0401
RANDOM = bytes(range(32))
HUGE = (1 << 9983) + 7
"""9,984 bits: OpenSSL accepts up to 10,000, and needs seconds for an exchange with them."""


@functools.cache
def _identity(material: Material) -> tuple[rsa.RSAPrivateKey, bytes]:
    """The key, and the certificate message."""
    pem = material.rsa.read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key, certificate_message([load_pem_x509_certificate(pem).public_bytes(Encoding.DER)])


async def _hello_with_random(peer: Peer) -> tuple[bytes, Hello]:
    """A ClientHello and its random."""
    data = b""
    while (hello := parse_hello(data)) is None:
        more = await peer.reader.read(65536)
        if not more:
            raise ConnectionResetError
        data += more
    return data[11:43], hello


def _signed(params: bytes, suites: tuple[int, ...], name: str, about: str) -> Handler:
    """A server with TLS 1.2 and these parameters in its ServerKeyExchange."""

    async def serve(peer: Peer) -> None:
        random, hello = await _hello_with_random(peer)
        suite = next((code for code in hello.suites if code in suites), None)
        if suite is None or not accepts_tls12(hello):
            await peer.send(alert(40 if accepts_tls12(hello) else 70))
            return
        key, certificate = _identity(peer.material)
        signature = key.sign(random + RANDOM + params, padding.PKCS1v15(), hashes.SHA256())
        exchange = params + struct.pack(">HH", RSA_PKCS1_SHA256, len(signature)) + signature
        first = server_hello_message(0x0303, suite, random=RANDOM)
        await peer.send(record(22, first + certificate + message(12, exchange) + message(14)))
        await peer.silence()

    serve.__name__, serve.__doc__ = name, about
    return serve


def _number(value: int) -> bytes:
    data = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return struct.pack(">H", len(data)) + data


def _field(prime: int, generator: int = 2, public: int | None = None) -> bytes:
    return _number(prime) + _number(generator) + _number(prime - 3 if public is None else public)


def _point(group: int, point: bytes) -> bytes:
    return struct.pack(">BHB", 3, group, len(point)) + point


def _explicit_curve() -> bytes:
    """A curve over a prime of 255 bytes, written out (RFC 8422, 5.4, forbids it)."""
    return b"\x01" + b"\xff" * 256 + b"\x01\x01" * 4


_OUTCOMES = "success handshake_error handshake_timeout deadline_exceeded"


def _bad(name: str, about: str, params: bytes, suites: tuple[int, ...]) -> Behaviour:
    serve = _signed(params, suites, name, about)
    return reached(serve, SUCCESS, "handshake_error", certificate=_OUTCOMES, never=("compliant 1",))


KEY_EXCHANGES: tuple[Behaviour, ...] = (
    *(_bad(f"huge_prime_{n}", "Has a DH prime of 9,984 bits", _field(HUGE), DHE) for n in range(1, 13)),
    _bad("over_huge_prime", "Has a DH prime of 10,008 bits", _field((1 << 10_007) + 7), DHE),
    _bad("zero_prime", "Has the DH prime 0", _field(0, public=1), DHE),
    _bad("prime_of_one", "Has the DH prime 1", _field(1, public=1), DHE),
    _bad("even_prime", "Has an even DH prime", _field(1 << 2047), DHE),
    _bad("public_of_one", "Has the public key 1", _field((1 << 2047) + 2465, public=1), DHE),
    _bad("public_of_zero", "Has the public key 0", _field((1 << 2047) + 2465, public=0), DHE),
    _bad("huge_generator", "Has a generator longer than its prime", _field((1 << 2047) + 2465, HUGE), DHE),
    _bad("off_curve", "Has a point that is not on its curve", _point(23, b"\x04" + b"\xff" * 64), ECDHE),
    _bad("zero_point", "Has the point 0 of x25519", _point(29, bytes(32)), ECDHE),
    _bad("short_point", "Has a point of one byte", _point(23, b"\x04"), ECDHE),
    _bad("explicit_curve", "Writes its curve out", _explicit_curve(), ECDHE),
)

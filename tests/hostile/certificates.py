"""Hostile certificates: with a real session where OpenSSL loads them, otherwise in a flight of TLS 1.2."""

import functools
import ssl
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import GeneralName

from tests.hostile.behaviour import SUCCESS, Behaviour, Handler, Peer, accepts_tls12, reached, records
from tests.hostile.material import DOMAIN, Material
from tests.support.certificates import Issued, dns, issue
from tests.support.odd_certificates import (
    COMMON_NAME,
    HOST,
    INTEGER,
    ORGANIZATION,
    SEQUENCE,
    UTF8,
    Body,
    Change,
    name,
    odd,
    parts,
    tlv,
)
from tests.support.scripted import alert, certificate_message, curve_message, message, server_hello_message

Chain = Callable[[Material, Issued], list[bytes]]
"""DER, leaf first; the key of the second argument is that of the leaf."""


def _name(label: str) -> tuple[GeneralName, ...]:
    return dns(f"{label}.{DOMAIN}")


@functools.cache
def _leaf(material: Material) -> Issued:
    return issue("www.test.example", material.authority, names=dns(HOST.decode(), f"*.{DOMAIN}"))


@functools.cache
def _context(material: Material, label: str, chain: Chain) -> ssl.SSLContext:
    leaf = _leaf(material)
    return material.serving(label, chain(material, leaf), leaf)


def _served(label: str, about: str, chain: Chain) -> Handler:
    """A server with a complete handshake."""

    async def serve(peer: Peer) -> None:
        await peer.secure(_context(peer.material, label, chain))
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await peer.silence()

    serve.__name__, serve.__doc__ = label, about
    return serve


def _shown(label: str, about: str, chain: Chain) -> Handler:
    """A server that shows its certificates and has no key for them."""

    @functools.cache
    def messages(material: Material) -> bytes:
        exchange = curve_message(0x001D, 0x0401)
        return certificate_message(chain(material, _leaf(material))) + exchange + message(14)

    async def serve(peer: Peer) -> None:
        hello = await peer.hello()
        suite = next((code for code in hello.suites if code in {0xC02B, 0xC02F}), None)
        if suite is None or not accepts_tls12(hello):
            await peer.send(alert(40 if accepts_tls12(hello) else 70))
            return
        await peer.send(records(server_hello_message(0x0303, suite) + messages(peer.material)))
        await peer.silence()

    serve.__name__, serve.__doc__ = label, about
    return serve


def _changed(change: Change) -> Chain:
    return lambda material, leaf: [odd(leaf.der(), change, material.authority.key)]  # type: ignore[arg-type]


def _subject(text: str) -> Chain:
    encoded = text.encode()
    return _changed(
        lambda body: setattr(body, "subject", name((ORGANIZATION, UTF8, encoded), (COMMON_NAME, UTF8, encoded)))
    )


def _validity(*times: tuple[int, bytes]) -> Chain:
    return _changed(lambda body: setattr(body, "validity", tlv(SEQUENCE, *(tlv(tag, text) for tag, text in times))))


def _names(count: int) -> Chain:
    def chain(material: Material, leaf: Issued) -> list[bytes]:
        many = dns(*(f"host-{number}.{DOMAIN}" for number in range(count)), f"*.{DOMAIN}")
        return [issue("many", material.authority, names=many, key=leaf.key).der()]

    return chain


def _deep(material: Material, leaf: Issued) -> list[bytes]:
    """A chain of a hundred authorities."""
    above, authorities = material.authority, []
    for number in range(100):
        above = issue(f"CA {number}", above, ca=True)
        authorities.append(above.der())
    return [issue("deep", above, names=_name("*"), key=leaf.key).der(), *reversed(authorities)]


def _looped(material: Material, leaf: Issued) -> list[bytes]:
    """Two authorities, each of which is the issuer of the other."""
    first = issue("Loop A", ca=True)
    second = issue("Loop B", first, ca=True)
    again = issue("Loop A", second, ca=True, key=first.key)
    return [issue("looped", second, names=_name("*"), key=leaf.key).der(), second.der(), again.der()]


def _repeated(material: Material, leaf: Issued) -> list[bytes]:
    return [leaf.der(), *[material.authority.der()] * 60]


def _huge_key(material: Material, leaf: Issued) -> list[bytes]:
    """A key of 16,384 bits, which nobody has the other half of."""
    number = (1 << 16383) | int.from_bytes(b"\xa5" * 2000) | 1
    key = rsa.RSAPublicNumbers(65537, number).public_key()
    own = Body.of(leaf.der())
    own.key = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [own.signed(material.authority.key)]  # type: ignore[arg-type]  # on P-256


def _extension_twice(body: Body) -> None:
    body.extensions *= 2


def _many_extensions(body: Body) -> None:
    body.extensions += [
        tlv(SEQUENCE, tlv(6, bytes([0x2A, 3, n // 100 + 1, n % 100 + 1])), tlv(4, b"x")) for n in range(900)
    ]


def _long_serial(body: Body) -> None:
    body.serial = tlv(INTEGER, b"\x7f" * 5000)


def _nested(_material: Material, _leaf: Issued) -> list[bytes]:
    data = b""
    for _ in range(3000):
        data = tlv(SEQUENCE, data)
    return [data]


def _cut(_material: Material, leaf: Issued) -> list[bytes]:
    return [leaf.der()[:-40]]


def _swapped_parts(_material: Material, leaf: Issued) -> list[bytes]:
    body, algorithm, signature = parts(leaf.der())
    return [tlv(SEQUENCE, signature, algorithm, body)]


_KNOWN = f"{SUCCESS} deadline_exceeded handshake_timeout"
_PARTLY = f"{_KNOWN} handshake_error"
_UNTRUSTED = ("certificate_trusted 1", "compliant 1")


def _complete(label: str, about: str, chain: Chain) -> Behaviour:
    return reached(_served(label, about, chain), "success", certificate=_PARTLY, never=_UNTRUSTED)


def _partial(label: str, about: str, chain: Chain) -> Behaviour:
    return reached(_shown(label, about, chain), "success", "handshake_error", certificate=_PARTLY, never=_UNTRUSTED)


CERTIFICATES: tuple[Behaviour, ...] = (
    _complete("names_1000", "Has a certificate of 1,000 names", _names(1000)),
    _partial("names_10000", "Has a certificate of 10,000 names", _names(10_000)),
    _complete("chain_of_100", "Has a chain of a hundred authorities", _deep),
    _complete("looped_issuers", "Has two authorities that are each other's issuer", _looped),
    _complete("authority_60_times", "Has the same authority 60 times in its chain", _repeated),
    _complete(
        "negative_serial", "Has a negative serial number", _changed(lambda b: setattr(b, "serial", tlv(2, b"\xfe")))
    ),
    _complete(
        "last_day_of_9999",
        "Is valid until the end of 9999",
        _validity((23, b"260101000000Z"), (24, b"99991231235959Z")),
    ),
    _complete("expired_in_1950", "Expired in 1950", _validity((24, b"19490101000000Z"), (23, b"500101000000Z"))),
    _complete("year_zero", "Is valid since the year 0", _validity((24, b"00000101000000Z"), (23, b"400101000000Z"))),
    _complete("bidi_name", "Has U+202E and U+2066 in its name", _subject("moc.\u202eelgoog\u2066 A")),
    _complete(
        "control_name",
        "Has control characters and line ends in its name",
        _subject('a"\n\r\t\x00\x1b[31m\x7f\u2028\u0085 1'),
    ),
    _complete(
        "metric_in_name",
        "Has a sample of Prometheus in its name",
        _subject('x"} 1\ntls_posture_compliant{target="x"} 1\n'),
    ),
    _partial("extension_twice_in_certificate", "Has each extension twice", _changed(_extension_twice)),
    _complete("many_extensions", "Has 900 unknown extensions", _changed(_many_extensions)),
    _partial("long_serial", "Has a serial number of 5,000 bytes", _changed(_long_serial)),
    _partial("huge_key", "Has an RSA key of 16,384 bits", _huge_key),
    _partial("nested_der", "Has 3,000 nested sequences for a certificate", _nested),
    _partial("empty_certificate", "Has a certificate of no bytes", lambda _m, _l: [b""]),
    _partial("no_certificates", "Has an empty chain", lambda _m, _l: []),
    _partial("cut_certificate", "Has a certificate that ends too soon", _cut),
    _partial("swapped_parts", "Has the signature in the place of the certificate", _swapped_parts),
    _partial("garbage_certificate", "Has garbage for a certificate", lambda _m, _l: [b"\x30\x82\xff\xff" + bytes(500)]),
)

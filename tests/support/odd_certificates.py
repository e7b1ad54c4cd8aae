"""Certificates that OpenSSL reads and stricter parsers refuse: changed in one place and signed again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

INTEGER, BIT_STRING, OCTET_STRING, OID, UTF8, PRINTABLE, T61, IA5, UTC_TIME, BMP = 2, 3, 4, 6, 12, 19, 20, 22, 23, 30
BOOLEAN, SEQUENCE, SET = 1, 48, 49
FALSE, TRUE = b"\x01\x01\x00", b"\x01\x01\xff"
COMMON_NAME, ORGANIZATION = b"\x06\x03\x55\x04\x03", b"\x06\x03\x55\x04\x0a"
SAN, BASIC, POLICIES, AUTHORITY_KEY, USAGE, PURPOSES = (
    b"\x06\x03\x55\x1d" + bytes([n]) for n in (17, 19, 32, 35, 15, 37)
)


def tlv(tag: int, *content: bytes) -> bytes:
    """One element in DER."""
    body = b"".join(content)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(size)]) + size + body


def parts(element: bytes) -> list[bytes]:
    """The elements inside an element (definite lengths)."""
    inner, found = element[_head(element) :], []
    while inner:
        end = _head(inner) + _length(inner)
        found.append(inner[:end])
        inner = inner[end:]
    return found


def _head(element: bytes) -> int:
    return 2 + (element[1] & 127 if element[1] > 127 else 0)


def _length(element: bytes) -> int:
    return int.from_bytes(element[2 : _head(element)], "big") if element[1] > 127 else element[1]


@dataclass
class Body:
    """A TBSCertificate (RFC 5280, 4.1) in its parts, each DER."""

    version: bytes
    serial: bytes
    algorithm: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    key: bytes
    extensions: list[bytes]
    others: bytes = b""

    @classmethod
    def of(cls, der: bytes) -> "Body":
        """The parts of a certificate of version 3."""
        version, serial, algorithm, issuer, validity, subject, key, extensions = parts(parts(der)[0])
        inner = parts(parts(extensions)[0])
        return cls(version, serial, algorithm, issuer, validity, subject, key, inner)

    def signed(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """The certificate."""
        extensions = tlv(0xA3, tlv(SEQUENCE, *self.extensions))
        names = (self.issuer, self.validity, self.subject, self.key)
        body = tlv(SEQUENCE, self.version, self.serial, self.algorithm, *names, self.others, extensions)
        return tlv(SEQUENCE, body, self.algorithm, tlv(3, b"\0", key.sign(body, ec.ECDSA(hashes.SHA256()))))

    def replace(self, oid: bytes, *extensions: bytes) -> None:
        """Replace the extension with this OID by others, or add them at the end if there is none."""
        self.extensions = [one for one in self.extensions if not one[_head(one) :].startswith(oid)] + list(extensions)

    def only(self, oid: bytes) -> bytes:
        """The extension with this OID."""
        return next(one for one in self.extensions if one[_head(one) :].startswith(oid))


def extension(oid: bytes, value: bytes, critical: bytes = b"") -> bytes:
    return tlv(SEQUENCE, oid, critical, tlv(OCTET_STRING, value))


def name(*attributes: tuple[bytes, int, bytes]) -> bytes:
    """OID, tag and bytes of each."""
    return tlv(SEQUENCE, *(tlv(SET, tlv(SEQUENCE, oid, tlv(tag, value))) for oid, tag, value in attributes))


def names(*entries: tuple[int, bytes]) -> bytes:
    """A SubjectAlternativeName: context tags and bytes."""
    return extension(SAN, tlv(SEQUENCE, *(tlv(0x80 + number, value) for number, value in entries)))


Change = Callable[[Body], None]
HOST = b"www.test.example"


def _subject(tag: int, value: bytes, oid: bytes = ORGANIZATION) -> Change:
    def change(body: Body) -> None:
        body.subject = name((oid, tag, value), (COMMON_NAME, UTF8, HOST))

    return change


def _extension(oid: bytes, value: bytes, critical: bytes = b"") -> Change:
    return lambda body: body.replace(oid, extension(oid, value, critical))


def _sans(*entries: tuple[int, bytes]) -> Change:
    return lambda body: body.replace(SAN, names(*entries))


def _set(**fields: bytes) -> Change:
    def change(body: Body) -> None:
        for field, value in fields.items():
            setattr(body, field, value)

    return change


def _time(*times: tuple[int, bytes]) -> Change:
    return _set(validity=tlv(SEQUENCE, *(tlv(tag, value) for tag, value in times)))


def _rewritten_twice(body: Body) -> None:
    body.extensions.append(body.only(SAN))


ODD: Mapping[str, Change] = {
    "plain": lambda body: None,
    "latin1 printable": _subject(PRINTABLE, "Bäcker".encode("latin-1")),
    **{f"printable {sign}": _subject(PRINTABLE, f"A{sign}B".encode()) for sign in "*@_&"},
    "bad utf8": _subject(UTF8, b"B\xe4cker"),
    "odd bmp": _subject(BMP, b"abc"),
    "t61": _subject(T61, b"B\xe4cker"),
    "long country": _subject(PRINTABLE, b"Germany", b"\x06\x03\x55\x04\x06"),
    "empty organization": _subject(PRINTABLE, b""),
    "integer in name": _subject(INTEGER, b"\x05"),
    "critical false": _extension(PURPOSES, tlv(SEQUENCE, bytes.fromhex("06082b06010505070301")), FALSE),
    "cA false": _extension(BASIC, tlv(SEQUENCE, FALSE), TRUE),
    "boolean 1": _extension(BASIC, tlv(SEQUENCE), b"\x01\x01\x01"),
    "bad policies": _extension(POLICIES, b"\x30\x03\x02\x01"),
    "policies no sequence": _extension(POLICIES, b"\x04\x01\x01"),
    "policy twice": _extension(POLICIES, tlv(SEQUENCE, *([tlv(SEQUENCE, bytes.fromhex("0603551d20"))] * 2))),
    "bad authority key": _extension(AUTHORITY_KEY, b"\x05\x00"),
    "bad aia": _extension(bytes.fromhex("06082b06010505070101"), b"\x04\x02ab"),
    "bad scts": _extension(bytes.fromhex("060a2b06010401d679020402"), b"\x04\x02ab"),
    "bad feature": _extension(bytes.fromhex("06082b06010505070118"), b"\x04\x02ab"),
    "bad crl": _extension(b"\x06\x03\x55\x1d\x1f", b"\x04\x02ab"),
    "trailing in aia": _extension(bytes.fromhex("06082b06010505070101"), tlv(SEQUENCE) + b"\0"),
    "loose key usage": _extension(USAGE, b"\x03\x02\x00\x80", TRUE),
    "bad key usage": _extension(USAGE, b"\x04\x01\x80"),
    "bad purposes": _extension(PURPOSES, b"\x04\x01\x80"),
    "version 4": _set(version=tlv(0xA0, tlv(INTEGER, b"\x03"))),
    "version 1": _set(version=b""),
    "version 1 written out": _set(version=tlv(0xA0, tlv(INTEGER, b"\x00"))),
    "version 2": _set(version=tlv(0xA0, tlv(INTEGER, b"\x01"))),
    "san twice": _rewritten_twice,
    "bad ip": _sans((2, HOST), (7, b"\x7f\0\0\0\1")),
    "empty ip": _sans((7, b""), (2, HOST)),
    "latin1 dns": _sans((2, b"b\xe4cker.example"), (2, HOST)),
    "latin1 uri": _sans((6, b"http://b\xe4cker.example"), (2, HOST)),
    "latin1 email": _sans((1, b"b\xe4cker@example"), (2, HOST)),
    "empty dns": _sans((2, b""), (2, HOST)),
    "x400": _sans((2, HOST), (3, b"")),
    "odd directory name": lambda body: body.replace(
        SAN, extension(SAN, tlv(SEQUENCE, tlv(0x82, HOST), tlv(0xA4, name((ORGANIZATION, PRINTABLE, b"\xe4")))))
    ),
    "bad san": _extension(SAN, b"\x04\x02ab"),
    "empty san": _sans(),
    "utc without seconds": _time((UTC_TIME, b"2601010000Z"), (UTC_TIME, b"4001010000Z")),
    "utc with zone": _time((UTC_TIME, b"260101000000+0000"), (UTC_TIME, b"400101000000+0000")),
    "early generalized": _time((24, b"20260101000000Z"), (24, b"20400101000000Z")),
    "fraction": _time((24, b"20260101000000.5Z"), (24, b"20400101000000.5Z")),
    "swapped": _time((UTC_TIME, b"400101000000Z"), (UTC_TIME, b"260101000000Z")),
    "no time": _time((UTC_TIME, b"yesterday"), (UTC_TIME, b"tomorrow")),
    "last end": _time((UTC_TIME, b"260101000000Z"), (24, b"99991231235959Z")),
    "year zero": _time((24, b"00000101000000Z"), (UTC_TIME, b"400101000000Z")),
    "zero serial": _set(serial=tlv(INTEGER, b"\x00")),
    "negative serial": _set(serial=tlv(INTEGER, b"\xfe")),
    "long serial": _set(serial=tlv(INTEGER, b"\x01" * 40)),
    "padded serial": _set(serial=tlv(INTEGER, b"\x00\x01")),
    "unique id": _set(others=tlv(0x82, b"\0\1")),
    "algorithm with null": _set(algorithm=bytes.fromhex("300c06082a8648ce3d0403020500")),
    "no extensions": lambda body: body.extensions.clear(),
    "unknown critical": _extension(bytes.fromhex("06032a0304"), b"\x05\x00", TRUE),
}
"""The oddity -> how to make it. The certificate is for HOST, by its name and by its alternative name."""


def odd(der: bytes, change: Change, key: ec.EllipticCurvePrivateKey) -> bytes:
    """This certificate (DER, version 3), changed, and signed with its issuer's key."""
    body = Body.of(der)
    change(body)
    return body.signed(key)


def lengths_in_ber(der: bytes) -> bytes:
    """The certificate with an indefinite length (X.690, 8.1.3) around the signed part."""
    inside = b"".join(parts(der))
    return b"\x30\x80" + inside + b"\0\0"

"""Makes a readable copy of a certificate that cryptography refuses.

Clients parse certificates with OpenSSL and similar libraries. These accept much that cryptography does not: an umlaut
in a PrintableString, a default value that is written out, an extension that is malformed. The copy has the same parts
in correct encoding. Parts that cannot be parsed even then are left out and reported. The signature of the copy is not
valid. So the copy shows what the certificate says, but does not replace its bytes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import MINYEAR, UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from exporter.pki.der import (
    BIT_STRING,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Element,
    Rewriter,
    boolean,
    element,
    elements,
    encode,
)

UNREADABLE = (
    KeyError,
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
"""What the parser raises for certificates that it cannot load; KeyError is for a TLS feature with an unknown number."""

NETSCAPE_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
_TITLES: Mapping[x509.ObjectIdentifier, str] = {
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "subjectAltName",
    ExtensionOID.BASIC_CONSTRAINTS: "basicConstraints",
    ExtensionOID.KEY_USAGE: "keyUsage",
    ExtensionOID.EXTENDED_KEY_USAGE: "extKeyUsage",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "authorityInfoAccess",
    ExtensionOID.CERTIFICATE_POLICIES: "certificatePolicies",
    ExtensionOID.CRL_DISTRIBUTION_POINTS: "cRLDistributionPoints",
    ExtensionOID.NAME_CONSTRAINTS: "nameConstraints",
    ExtensionOID.TLS_FEATURE: "tlsfeature",
    ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS: "signedCertificateTimestampList",
    NETSCAPE_TYPE: "netscape-cert-type",
}
"""Extensions that the copy may have, under the names of RFC 5280, RFC 7633, RFC 6962 and Netscape. No code here reads
others."""

_MOST_CHARACTERS = 100
"""Length of the parser's message; the rest is its own trace."""
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_IN_PIECES = {0xA2, 0xA7}
"""Tags of both if the string is constructed."""
_KNOWN_FEATURES = {b"\x05", b"\x11"}
"""status_request and status_request_v2, the only ones that cryptography knows."""
_EXTENSIONS, _VERSION = 0xA3, 0xA0
_VERSION_3 = encode(_VERSION, encode(INTEGER, b"\x02"))
_OUTER_PARTS = 3
_FIELDS = 6
"""Fields that each certificate has: from the serial number to the key."""


def title(oid: x509.ObjectIdentifier) -> str:
    """The name of an extension."""
    return _TITLES.get(oid, oid.dotted_string)


def load(data: bytes) -> x509.Certificate | None:
    """The certificate as cryptography parses it; None if it refuses any part except the key."""
    return None if isinstance(read := _load(data), str) else read


def _load(data: bytes) -> x509.Certificate | str:
    """The certificate, or what is wrong with it. Names and extensions are parsed only when they are accessed."""
    try:
        read = x509.load_der_x509_certificate(data)
        _ = (
            read.version,
            read.subject,
            read.issuer,
            read.extensions,
            read.not_valid_before_utc,
            read.not_valid_after_utc,
        )
    except UNREADABLE as error:
        return " ".join(str(error).split())[:_MOST_CHARACTERS] or type(error).__name__
    return read


# --- the parts of a certificate ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a certificate (RFC 5280, 4.1) as encoded, without its version and unique identifiers.

    Attributes:
        signed: the complete TBSCertificate.
        extensions: each as encoded.
    """

    signed: bytes
    signature: Element
    serial: Element
    algorithm: Element
    issuer: Element
    validity: Element
    subject: Element
    key: Element
    extensions: tuple[Element, ...]


def split(data: bytes) -> Parts:
    """Split a certificate into its parts.

    Raises:
        ValueError: it is not a certificate.
    """
    outer = list(elements(element(data).content))
    fields = [one for one in elements(outer[0].content) if one.tag != _VERSION] if outer else []
    if len(outer) < _OUTER_PARTS or len(fields) < _FIELDS:
        raise ValueError("not a certificate")
    block = next((one.content for one in fields[_FIELDS:] if one.tag == _EXTENSIONS), b"")
    extensions = tuple(elements(element(block).content)) if block else ()
    serial, algorithm, issuer, validity, subject, key = fields[:_FIELDS]
    return Parts(outer[0].whole, outer[2], serial, algorithm, issuer, validity, subject, key, extensions)


@dataclass(frozen=True, slots=True)
class _Written:
    """The parts of the copy, each in DER; the initial values are readable placeholders."""

    serial: bytes = encode(INTEGER, b"\x01")
    algorithm: bytes = bytes.fromhex("300a06082a8648ce3d040302")
    issuer: bytes = encode(SEQUENCE)
    validity: bytes = encode(SEQUENCE, encode(23, b"700101000000Z"), encode(23, b"700101000000Z"))
    subject: bytes = encode(SEQUENCE)
    key: bytes = encode(SEQUENCE, encode(SEQUENCE, bytes.fromhex("06032a0304")), encode(BIT_STRING, b"\0"))
    extensions: tuple[bytes, ...] = ()
    signature: bytes = encode(BIT_STRING, b"\0")

    def load(self) -> x509.Certificate | str:
        """The copy as cryptography parses it, or its error message."""
        block = encode(_EXTENSIONS, encode(SEQUENCE, *self.extensions)) if self.extensions else b""
        names = self.issuer + self.validity + self.subject
        body = encode(SEQUENCE, _VERSION_3, self.serial, self.algorithm, names, self.key, block)
        return _load(encode(SEQUENCE, body, self.algorithm, self.signature))


@dataclass(frozen=True, slots=True)
class Copy:
    """The result; attributes as those of `exporter.pki.parsed.Certificate`."""

    certificate: x509.Certificate
    unreadable: Mapping[str, str]
    lost: frozenset[x509.ObjectIdentifier]


@dataclass(slots=True)
class _Work:
    """The unfinished copy."""

    written: _Written = _Written()
    unreadable: dict[str, str] = field(default_factory=dict)
    lost: set[x509.ObjectIdentifier] = field(default_factory=set)
    rewriter: Rewriter = field(default_factory=Rewriter)

    def take(self, part: str, found: Element, *others: Callable[[], bytes]) -> None:
        """Write the part in the first way that can be parsed; its placeholder stays if there is none."""
        said = ""
        for way in self._ways(found, *others):
            change: dict[str, Any] = {part: way}
            result = replace(_Written(), **change).load()
            if not isinstance(result, str):
                self.written = replace(self.written, **change)
                return
            said = said or result
        self.unreadable[part] = said

    def _ways(self, part: Element, *others: Callable[[], bytes]) -> Iterator[bytes]:
        """The part as it is, then as DER, then by the other ways."""
        yield part.whole
        for way in (lambda: self.rewriter.rewrite(part.whole), *others):
            try:
                yield way()
            except ValueError:
                continue


def copy(data: bytes) -> Copy:
    """The copy of a certificate that `load` refuses.

    Raises:
        ValueError: it is not a certificate, or its dates cannot be parsed.
    """
    parts, work = split(data), _Work()
    work.take("serial", parts.serial, lambda: _number(parts.serial))
    work.take("algorithm", parts.algorithm, lambda: _algorithm(parts.algorithm))
    work.take("issuer", parts.issuer)
    work.take("subject", parts.subject)
    work.take("validity", parts.validity, lambda: _validity(parts.validity))
    work.take("key", parts.key, lambda: _key(data), lambda: _kind_of_key(parts.key))
    work.take("signature", parts.signature)
    _take_extensions(work, parts.extensions)
    certificate = work.written.load()
    if isinstance(certificate, str) or "validity" in work.unreadable:
        raise ValueError(work.unreadable.get("validity", certificate))
    return Copy(certificate, work.unreadable, frozenset(work.lost))


def _number(serial: Element) -> bytes:
    """Without leading zeros, which DER forbids."""
    number = int.from_bytes(serial.content, "big", signed=True)
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def _algorithm(algorithm: Element) -> bytes:
    """Without parameters: some CAs write NULL although there must be none."""
    return encode(SEQUENCE, element(algorithm.content).whole)


def _key(certificate: bytes) -> bytes:
    """The key as OpenSSL parses and encodes it."""
    from exporter.pki import openssl  # noqa: PLC0415 - see there

    return openssl.public_key(certificate)


def _kind_of_key(key: Element) -> bytes:
    """Only the kind of the key."""
    return encode(SEQUENCE, _algorithm(element(key.content)), encode(BIT_STRING, b"\0"))


# --- dates ------------------------------------------------------------------------------------------------------------

_UTC_TIME, _GENERALIZED_TIME = 23, 24
_TIME = re.compile(r"(\d\d|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d+)?(?:Z|([+-])(\d\d)(\d\d))", re.ASCII)
"""X.680, 46 and 47: seconds may be missing, and the zone may be another one (OpenSSL, ossl_asn1_time_to_tm)."""
_FIRST_OF_LAST_CENTURY = 50
"""RFC 5280, 4.1.2.5.1: two-digit years from here on are in the 20th century."""


def _validity(validity: Element) -> bytes:
    moments = (_moment(one) for one in elements(validity.content))
    written = (f"{one.year:04}{one:%m%d%H%M%S}Z".encode() for one in moments)
    return encode(SEQUENCE, *(encode(_GENERALIZED_TIME, one) for one in written))


def _moment(time: Element) -> datetime:
    found = _TIME.fullmatch(time.content.decode("latin-1"))
    if found is None or len(found[1]) != {_UTC_TIME: 2, _GENERALIZED_TIME: 4}.get(time.tag):
        raise ValueError("not a time")
    year, month, day, hour, minute, second = (int(digits or 0) for digits in found.groups()[:6])
    if time.tag == _UTC_TIME:
        year += 1900 if year >= _FIRST_OF_LAST_CENTURY else 2000
    ahead = timedelta(hours=int(found[8] or 0), minutes=int(found[9] or 0))
    try:
        moment = datetime(max(year, MINYEAR), month, day, hour, minute, second, tzinfo=UTC)
        return moment + ahead if found[7] == "-" else moment - ahead
    except OverflowError as error:
        raise ValueError("not a time") from error


# --- extensions -------------------------------------------------------------------------------------------------------


def _take_extensions(work: _Work, extensions: Iterable[Element]) -> None:
    """Add each readable extension; if there are two of a kind, it is unknown which one counts."""
    found = [one for one in map(_extension, extensions) if one is not None]
    often = Counter(oid for oid, _, _ in found)
    for oid, critical, value in found:
        said = "there is more than one" if often[oid] > 1 else _take_extension(work, oid, critical, value)
        if said is not None:
            work.unreadable[title(oid)] = said
            work.lost.add(oid)


def _extension(one: Element) -> tuple[x509.ObjectIdentifier, bytes, Element] | None:
    """Kind, critical flag in DER, and value; None if no code here reads this extension."""
    try:
        kind, *others = elements(one.content)
    except ValueError:
        return None
    oid = _KINDS.get(kind.content)
    if oid is None or not others:
        return None
    return oid, boolean(others[0]) if len(others) > 1 else b"", others[-1]


def _take_extension(work: _Work, oid: x509.ObjectIdentifier, critical: bytes, value: Element) -> str | None:
    """Add the extension; returns what is wrong if it cannot be parsed."""
    if oid == ExtensionOID.TLS_FEATURE and _asks_for_others(value.content):
        return None
    said = None
    for content, lacks in _values(oid, value.content, work.rewriter):
        written = encode(SEQUENCE, encode(OID, _content(oid)), critical, encode(OCTET_STRING, content))
        result = _Written(extensions=(written,)).load()
        if not isinstance(result, str):
            work.written = replace(work.written, extensions=(*work.written.extensions, written))
            if lacks:
                work.unreadable[title(oid)] = lacks
                if _hides_names(value.content):
                    work.lost.add(oid)
            return None
        said = said or result
    return said or "it is empty"


def _values(oid: x509.ObjectIdentifier, value: bytes, rewriter: Rewriter) -> Iterator[tuple[bytes, str]]:
    """The value in the ways in which it may be parsed, and what each of them lacks."""
    yield value, ""
    try:
        written = rewriter.rewrite(value)
        yield written, ""
        if oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
            yield _usable_names(written)
        if oid == ExtensionOID.TLS_FEATURE:
            yield _known_features(written), ""
    except ValueError:
        return


def _usable_names(value: bytes) -> tuple[bytes, str]:
    """The host names and addresses that can be compared; the others match nothing."""
    names = list(elements(element(value).content))
    usable = [one for one in names if _usable(one)]
    return encode(SEQUENCE, *(one.whole for one in usable)), f"{len(names) - len(usable)} of {len(names)} names"


def _hides_names(value: bytes) -> bool:
    """Whether names are left out that some clients read, in strings of several pieces (OpenSSL, X.690, 8.21)."""
    return any(one.tag in _IN_PIECES for one in elements(element(value).content))


def _features(value: bytes) -> list[Element]:
    """The numbers of RFC 7633.

    Raises:
        ValueError: it is not a list of numbers.
    """
    outer = element(value)
    features = list(elements(outer.content))
    if outer.whole != value or outer.tag != SEQUENCE or any(one.whole != _number(one) for one in features):
        raise ValueError("not a list of features")
    return features


def _known_features(value: bytes) -> bytes:
    """The features that the parser knows. Others may be present and do not change the meaning of these."""
    return encode(SEQUENCE, *(one.whole for one in _features(value) if one.content in _KNOWN_FEATURES))


def _asks_for_others(value: bytes) -> bool:
    """Whether all features are unknown to the parser, which refuses an empty list."""
    try:
        features = _features(value)
    except ValueError:
        return False
    return bool(features) and not any(one.content in _KNOWN_FEATURES for one in features)


def _usable(name: Element) -> bool:
    if name.tag == _DNS_NAME:
        return name.content.isascii()
    return name.tag == _IP_ADDRESS and len(name.content) in {4, 16}


def _content(oid: x509.ObjectIdentifier) -> bytes:
    """The content of an object identifier in DER (X.690, 8.19)."""
    first, second, *others = map(int, oid.dotted_string.split("."))
    return b"".join(map(_base128, (40 * first + second, *others)))


def _base128(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(number & 0x7F | 0x80)
    return bytes(reversed(octets))


_KINDS = {_content(oid): oid for oid in _TITLES}

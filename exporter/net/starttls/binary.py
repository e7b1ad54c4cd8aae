"""Dialogues of binary messages: LDAP, PostgreSQL, MySQL, RDP."""

import struct

from exporter.net.starttls.wire import MAX_REPLY_BYTES, Wire, broken, refused

_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
"""LDAPMessage 1 with an ExtendedRequest for StartTLS (RFC 4511, 4.12 and 4.14.1)."""


async def ldap(wire: Wire) -> None:
    """LDAP (RFC 4511, 4.14). A notice of disconnection (4.4.1) is a refusal too, by its result code."""
    await wire.send(_LDAP_REQUEST)
    head = await wire.exactly(2)
    if head[0] != 0x30 or head[1] == 0x80:
        raise broken(f"not an LDAP message: {head!r}")
    size = head[1] if head[1] < 0x80 else int.from_bytes(await wire.exactly(head[1] & 0x7F), "big")
    message = await wire.exactly(size)
    try:
        number, message = _ber(message, 0x02)
        response, _ = _ber(message, 0x78)
        code, texts = _ber(response, 0x0A)
        _, texts = _ber(texts, 0x04)
        diagnostic, _ = _ber(texts, 0x04)
    except ValueError:
        raise broken(f"not an extended response: {message[:20]!r}") from None
    result = int.from_bytes(code, "big")
    if result:
        raise refused(f"result {result} {diagnostic.decode('utf-8', 'replace')}")
    if int.from_bytes(number, "big") != 1:
        raise broken("a response to another request")


def _ber(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The contents of the element with this tag at the start of the bytes, and the bytes after it (X.690, 8.1).

    Raises:
        ValueError: the bytes start with something else, or the element is cut off.
    """
    if len(data) < 2 or data[0] != tag or data[1] == 0x80:
        raise ValueError
    start = 2 + (data[1] & 0x7F if data[1] > 0x80 else 0)
    size = data[1] if data[1] < 0x80 else int.from_bytes(data[2:start], "big")
    if start + size > len(data) or (tag in {0x02, 0x0A} and not size):
        raise ValueError
    return data[start : start + size], data[start + size :]


_POSTGRES_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""Length 8, request code 80877103 (PostgreSQL documentation, 55.7 Message Formats: SSLRequest)."""


async def postgres(wire: Wire) -> None:
    """PostgreSQL (documentation of its version 15, 55.2.10 SSL Session Encryption)."""
    await wire.send(_POSTGRES_SSL_REQUEST)
    match await wire.exactly(1):
        case b"S":
            return
        case b"N":
            raise refused("the server does not offer TLS")
        case b"E":
            raise refused(await _postgres_error(wire))
        case answer:
            raise broken(f"not an answer to SSLRequest: {answer!r}")


async def _postgres_error(wire: Wire) -> str:
    """The text of an ErrorResponse, code first (documentation, 55.7 and 55.8); the postmaster sends plain text."""
    head = await wire.exactly(4)
    size = int.from_bytes(head, "big")
    if not 4 <= size <= MAX_REPLY_BYTES:
        text = head + (await wire.until(b"\0"))[:-1]
        return f"answered with an error: {text.decode('utf-8', 'replace')}"
    parts = (await wire.exactly(size - 4)).split(b"\0")
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in parts}
    return f"answered with error {fields.get(b'C', '')} {fields.get(b'M', '')}".rstrip()


_MYSQL_ERROR, _MYSQL_OLD, _MYSQL_GREETING = 0xFF, 9, 10
_MYSQL_SSL = 0x0800
_MYSQL_SSL_REQUEST = struct.pack("<IIB23x", 0x0200 | _MYSQL_SSL | 0x8000, 0x01000000, 45)
"""CLIENT_PROTOCOL_41, CLIENT_SSL and CLIENT_SECURE_CONNECTION; packets up to 16 MiB; utf8mb4."""


async def mysql(wire: Wire) -> None:
    """MySQL and MariaDB (MySQL Source Code Documentation, Connection Phase: HandshakeV10, SSLRequest).

    The server consents in advance, by a flag in its greeting. TLS starts directly after our request.
    """
    size, number = struct.unpack("<I", await wire.exactly(3) + b"\0")[0], await wire.exactly(1)
    if number != b"\0" or not size:
        raise broken("not a MySQL packet")
    greeting = await wire.exactly(size)
    if greeting[0] == _MYSQL_ERROR:
        code, text = int.from_bytes(greeting[1:3], "little"), greeting[3:].decode("utf-8", "replace")
        raise refused(f"greeted with error {code} {text}")
    if greeting[0] == _MYSQL_OLD:
        raise refused("version 9 of the protocol has no TLS")
    wire.heard, end, behind = greeting[1:].partition(b"\0")
    if greeting[0] != _MYSQL_GREETING or not end or len(behind) < 15:
        raise broken(f"not a MySQL greeting: {greeting[:20]!r}")
    if not struct.unpack_from("<H", behind, 13)[0] & _MYSQL_SSL:
        raise refused("CLIENT_SSL is not among the capabilities")
    wire.finish()
    await wire.send(struct.pack("<I", len(_MYSQL_SSL_REQUEST) | 1 << 24) + _MYSQL_SSL_REQUEST)


_RDP_PROTOCOLS = 0x0B
"""PROTOCOL_SSL, PROTOCOL_HYBRID, PROTOCOL_HYBRID_EX: all of them start with TLS (MS-RDPBCGR, 5.4.5)."""
_RDP_REQUEST = struct.pack(">BBHBBHHBBBHI", 3, 0, 19, 14, 0xE0, 0, 0, 0, 1, 0, 0x0800, _RDP_PROTOCOLS << 24)
"""TPKT, X.224 Connection Request, RDP Negotiation Request (MS-RDPBCGR, 2.2.1.1)."""
_RDP_RESPONSE, _RDP_FAILURE = 2, 3


async def rdp(wire: Wire) -> None:
    """RDP (MS-RDPBCGR, 2.2.1.2; X.224, 13.4 and 13.5; RFC 1006, 6)."""
    await wire.send(_RDP_REQUEST)
    version, size = struct.unpack(">BxH", await wire.exactly(4))
    if version != 3 or size < 11:
        raise broken("not a TPKT packet")
    packet = await wire.exactly(size - 4)
    kind, negotiation = packet[1] & 0xF0, packet[7:]
    if kind == 0x80:
        raise refused("the server answered with a disconnect request")
    if kind != 0xD0 or packet[0] != len(packet) - 1 or len(negotiation) not in {0, 8}:
        raise broken(f"not a connection confirm: {packet[:20]!r}")
    if not negotiation:
        raise refused("the server supports only RDP's own security")
    answer, length, value = struct.unpack("<BxHI", negotiation)
    if answer == _RDP_FAILURE and length == 8:
        raise refused(f"negotiation failure {value}")
    if answer != _RDP_RESPONSE or length != 8:
        raise broken(f"not a negotiation response: {negotiation!r}")
    if value == 0:
        raise refused("the server chose RDP's own security")
    if value not in {1, 2, 8}:
        raise broken(f"the server chose protocol {value}, which was not offered")

"""Keeps primes that cost seconds of CPU time away from OpenSSL.

Up to TLS 1.2 the server chooses the prime of a finite-field key exchange (RFC 5246, 7.4.3). OpenSSL accepts up to
10,000 bits (OPENSSL_DH_MAX_MODULUS_BITS, dh.h). TLS 1.3 has named groups only, and OpenSSL's client offers small ones.
"""

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Facts
from exporter.tls.suites import BY_NAME, KeyExchange, parameters

MOST_PRIME_BITS = 4096
"""CPU time of a client's two exponentiations with OpenSSL 4.0: 0.005 s with 2,048 bits, 0.04 s with 4,096, 0.14 s with
6,144, 0.3 s with 8,192, 0.8 s with 9,984 (`python -m bench.primes`). Primes over 4,096 bits are rare."""

_HANDSHAKE, _APPLICATION_DATA = 22, 23
_SERVER_HELLO, _SERVER_KEY_EXCHANGE, _SERVER_HELLO_DONE = 2, 12, 14
_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_SESSION_ID = 34
"""Where the length of the session id is in a ServerHello, after version and random (RFC 5246, 7.4.1.3)."""


class PrimeReader:
    """Reads the length of the prime from a server's first flight, as far as it is in plain text.

    Attributes:
        bits: length of the prime; None if there was none so far.
    """

    def __init__(self) -> None:
        self.bits: int | None = None
        self._raw, self._messages = bytearray(), bytearray()
        self._suite = 0
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Read more bytes from the server. Records and messages may be split anywhere (RFC 5246, 6.2.1).

        Nothing is raised for malformed bytes, which OpenSSL rejects.
        """
        if self._ended:
            return
        self._raw += data
        while not self._ended and len(self._raw) >= _RECORD_HEAD:
            end = _RECORD_HEAD + int.from_bytes(self._raw[3:_RECORD_HEAD], "big")
            if len(self._raw) < end:
                return
            kind, payload = self._raw[0], bytes(self._raw[_RECORD_HEAD:end])
            del self._raw[:end]
            if kind == _HANDSHAKE:
                self._messages += payload
                self._read_messages()
            elif kind == _APPLICATION_DATA:  # TLS 1.3 encrypts everything after the ServerHello
                self._ended = True

    def _read_messages(self) -> None:
        while not self._ended and len(self._messages) >= _MESSAGE_HEAD:
            end = _MESSAGE_HEAD + int.from_bytes(self._messages[1:_MESSAGE_HEAD], "big")
            if len(self._messages) < end:
                return
            kind, body = self._messages[0], bytes(self._messages[_MESSAGE_HEAD:end])
            del self._messages[:end]
            if kind == _SERVER_HELLO and len(body) > _SESSION_ID:
                place = _SESSION_ID + 1 + body[_SESSION_ID]
                self._suite = int.from_bytes(body[place : place + 2], "big")
            elif kind == _SERVER_KEY_EXCHANGE and parameters(self._suite) is KeyExchange.DH:
                length = int.from_bytes(body[:2], "big")
                self.bits = int.from_bytes(body[2 : 2 + length], "big").bit_length()
            self._ended = kind in {_SERVER_KEY_EXCHANGE, _SERVER_HELLO_DONE}


def offers_finite_fields(known: Facts) -> bool:
    """Whether OpenSSL may offer suites with ephemeral finite fields to a server of which these facts are known.

    It does not if hellos saw a prime that is too long, and the server accepts other suites too. Without other suites
    the offer changes nothing, because the handshake ends when the prime is read.
    """
    hellos = known.get(HandshakeFacts)
    if hellos is None or all(prime.bits <= MOST_PRIME_BITS for prime in hellos.dh_primes):
        return True
    names = (name for protocol in hellos.accepted for name in hellos.cipher_suites.get(protocol, ()))
    return not any(name in BY_NAME and BY_NAME[name].key_exchange is not KeyExchange.DH for name in names)

"""Run as a program: an HTTPS server on BearSSL, with all its suites. Arguments: port, PEM file.

Debian has the library only, without BearSSL's own `brssl server`.
"""

import contextlib
import ctypes
import socket
import sys
import threading
from ctypes import POINTER, byref, c_char_p, c_size_t, c_uint32, c_void_p
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TIMEOUT_SECONDS = 5

# From bearssl_ssl.h, bearssl_ec.h and bearssl_x509.h.
SECP256R1, ISSUER_HAS_EC = 23, 2
CLOSED, SENDREC, RECVREC, SENDAPP, RECVAPP = 1, 2, 4, 8, 16
BUFFER_BYTES = 16384 + 325 + 16384 + 85
"""BR_SSL_BUFSIZE_BIDI."""
CONTEXT_BYTES = 65536
"""More bytes than `br_ssl_server_context` has in any release: 0.6 needs 4,128."""

library = ctypes.CDLL("libbearssl.so.0")
for name in ("sendrec", "recvrec", "sendapp", "recvapp"):
    place, done = (getattr(library, f"br_ssl_engine_{name}_{what}") for what in ("buf", "ack"))
    place.argtypes, place.restype = [c_void_p, POINTER(c_size_t)], c_void_p
    done.argtypes = [c_void_p, c_size_t]
library.br_ssl_engine_set_buffer.argtypes = [c_void_p, c_void_p, c_size_t, ctypes.c_int]
library.br_ssl_engine_current_state.argtypes = [c_void_p]
library.br_ssl_engine_flush.argtypes = [c_void_p, ctypes.c_int]
library.br_ssl_engine_close.argtypes = [c_void_p]


class Certificate(ctypes.Structure):
    """br_x509_certificate."""

    _fields_ = (("data", c_char_p), ("length", c_size_t))


class RsaKey(ctypes.Structure):
    """br_rsa_private_key."""

    _fields_ = (
        ("bits", c_uint32),
        *(field for name in ("p", "q", "dp", "dq", "iq") for field in ((name, c_char_p), (f"{name}_length", c_size_t))),
    )


class EcKey(ctypes.Structure):
    """br_ec_private_key."""

    _fields_ = (("curve", ctypes.c_int), ("x", c_char_p), ("length", c_size_t))


def _bytes(number: int) -> tuple[bytes, int]:
    length = (number.bit_length() + 7) // 8
    return number.to_bytes(length, "big"), length


def rsa_key(key: rsa.RSAPrivateKey) -> RsaKey:
    numbers = key.private_numbers()
    parts = [_bytes(getattr(numbers, name)) for name in ("p", "q", "dmp1", "dmq1", "iqmp")]
    return RsaKey(key.key_size, *(value for part in parts for value in part))


def ec_key(key: ec.EllipticCurvePrivateKey) -> EcKey:
    return EcKey(SECP256R1, *_bytes(key.private_numbers().private_value))


class Session:
    """Serve one connection. BearSSL's engine does no input or output: its state says what it needs."""

    def __init__(self, pem: bytes, connection: socket.socket) -> None:
        found = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]
        self._chain = (Certificate * len(found))(*[Certificate(der, len(der)) for der in found])
        self._buffer = ctypes.create_string_buffer(BUFFER_BYTES)
        self._context = ctypes.create_string_buffer(CONTEXT_BYTES)
        self._connection = connection
        self._start(load_pem_private_key(pem, None), c_size_t(len(found)))
        library.br_ssl_engine_set_buffer(self._context, self._buffer, BUFFER_BYTES, 1)
        library.br_ssl_server_reset(self._context)

    def _start(self, key: object, length: c_size_t) -> None:
        self._key: RsaKey | EcKey
        if isinstance(key, rsa.RSAPrivateKey):
            self._key = rsa_key(key)
            library.br_ssl_server_init_full_rsa(self._context, self._chain, length, byref(self._key))
        else:
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._key = ec_key(key)
            library.br_ssl_server_init_full_ec(self._context, self._chain, length, ISSUER_HAS_EC, byref(self._key))

    def serve(self) -> None:
        """Answer one request."""
        while not (state := library.br_ssl_engine_current_state(self._context)) & CLOSED:
            if state & SENDREC:
                self._connection.sendall(self._take("sendrec"))
            elif state & RECVAPP:
                self._take("recvapp")
                self._give("sendapp", RESPONSE)
                library.br_ssl_engine_flush(self._context, 0)
                library.br_ssl_engine_close(self._context)
            elif not self._receive():
                return

    def _receive(self) -> bool:
        length = c_size_t()
        library.br_ssl_engine_recvrec_buf(self._context, byref(length))
        data = self._connection.recv(length.value)
        self._give("recvrec", data)
        return bool(data)

    def _take(self, kind: str) -> bytes:
        length = c_size_t()
        place = getattr(library, f"br_ssl_engine_{kind}_buf")(self._context, byref(length))
        data = ctypes.string_at(place, length.value)
        getattr(library, f"br_ssl_engine_{kind}_ack")(self._context, len(data))
        return data

    def _give(self, kind: str, data: bytes) -> None:
        place = getattr(library, f"br_ssl_engine_{kind}_buf")(self._context, byref(c_size_t()))
        if place and data:
            ctypes.memmove(place, data, len(data))
            getattr(library, f"br_ssl_engine_{kind}_ack")(self._context, len(data))


def serve(pem: bytes, connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        connection.settimeout(TIMEOUT_SECONDS)
        Session(pem, connection).serve()


def main() -> None:
    pem = Path(sys.argv[2]).read_bytes()
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(pem, connection), daemon=True).start()


if __name__ == "__main__":
    main()

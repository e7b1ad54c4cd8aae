"""Run as a program: an HTTPS server on GnuTLS. Arguments: port, PEM file, priority string, options.

Options: `alpn=NAME,...`, `tickets`, `heartbeat`, `anonymous` (key exchanges without a certificate), `ocsp=FILE`,
`psk=HINT` (key exchanges with a PSK, which no client has), `renegotiates` (without a limit).
"""

import ctypes
import ctypes.util
import socket
import sys
import threading
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint, c_void_p
from pathlib import Path

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TIMEOUT_MS = 5000

# From gnutls.h.
SERVER, PEM = 1, 1
CERTIFICATE, ANONYMOUS, PSK = 1, 2, 4
MEDIUM = 35
"""GNUTLS_SEC_PARAM_MEDIUM, like gnutls-serv: 2048 bits of RFC 7919 if the client names no group."""
PEER_ALLOWED_TO_SEND = 1
REHANDSHAKE = -37

library = ctypes.CDLL("libgnutls.so.30")


class Datum(ctypes.Structure):
    """gnutls_datum_t."""

    _fields_ = (("data", c_char_p), ("size", c_uint))


NOBODY_KNOWN = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)(lambda *_: -1)
"""gnutls_psk_server_credentials_function: there is no key for this name."""


def check(code: int, what: str) -> None:
    if code < 0:
        sys.exit(f"{what}: GnuTLS error {code}")


class Server:
    """The state that all connections share."""

    def __init__(self, pem: str, priority: str, options: list[str]) -> None:
        self.options = dict(option.partition("=")[::2] for option in options)
        self.priority, self.certificate, self.anonymous = c_void_p(), c_void_p(), c_void_p()
        self.psk, self.ticket_key = c_void_p(), Datum()
        check(library.gnutls_priority_init(byref(self.priority), priority.encode(), None), priority)
        library.gnutls_certificate_allocate_credentials(byref(self.certificate))
        file = pem.encode()
        check(library.gnutls_certificate_set_x509_key_file(self.certificate, file, file, PEM), pem)
        library.gnutls_certificate_set_known_dh_params(self.certificate, MEDIUM)
        library.gnutls_anon_allocate_server_credentials(byref(self.anonymous))
        library.gnutls_anon_set_server_known_dh_params(self.anonymous, MEDIUM)
        library.gnutls_psk_allocate_server_credentials(byref(self.psk))
        library.gnutls_psk_set_server_known_dh_params(self.psk, MEDIUM)
        library.gnutls_psk_set_server_credentials_hint(self.psk, self.options.get("psk", "").encode())
        library.gnutls_psk_set_server_credentials_function(self.psk, NOBODY_KNOWN)
        library.gnutls_session_ticket_key_generate(byref(self.ticket_key))
        if file := self.options.get("ocsp", "").encode():
            check(library.gnutls_certificate_set_ocsp_status_request_file(self.certificate, file, 0), "OCSP")

    def session(self, raw: socket.socket) -> c_void_p:
        session = c_void_p()
        check(library.gnutls_init(byref(session), SERVER), "session")
        library.gnutls_priority_set(session, self.priority)
        library.gnutls_credentials_set(session, CERTIFICATE, self.certificate)
        if "anonymous" in self.options:
            library.gnutls_credentials_set(session, ANONYMOUS, self.anonymous)
        if "psk" in self.options:
            library.gnutls_credentials_set(session, PSK, self.psk)
        if "tickets" in self.options:
            library.gnutls_session_ticket_enable_server(session, byref(self.ticket_key))
        if "heartbeat" in self.options:
            library.gnutls_heartbeat_enable(session, PEER_ALLOWED_TO_SEND)
        if names := [name.encode() for name in self.options.get("alpn", "").split(",") if name]:
            data = (Datum * len(names))(*(Datum(name, len(name)) for name in names))
            library.gnutls_alpn_set_protocols(session, data, len(names), 0)
        library.gnutls_transport_set_int2(session, c_int(raw.fileno()), c_int(raw.fileno()))
        library.gnutls_handshake_set_timeout(session, TIMEOUT_MS)
        library.gnutls_record_set_timeout(session, TIMEOUT_MS)
        return session

    def serve(self, raw: socket.socket) -> None:
        session = self.session(raw)
        code = self.handshake(session)
        if code >= 0:
            buffer = ctypes.create_string_buffer(4096)
            while library.gnutls_record_recv(session, buffer, c_size_t(len(buffer))) == REHANDSHAKE:
                if "renegotiates" not in self.options or self.handshake(session) < 0:
                    break
            library.gnutls_record_send(session, RESPONSE, c_size_t(len(RESPONSE)))
            library.gnutls_bye(session, 1)
        library.gnutls_deinit(session)
        raw.close()

    def handshake(self, session: c_void_p) -> int:
        code: int = library.gnutls_handshake(session)
        while code < 0 and not library.gnutls_error_is_fatal(code):
            code = library.gnutls_handshake(session)
        if code < 0:
            library.gnutls_alert_send_appropriate(session, code)
        return code


def main() -> None:
    port, pem, priority, *options = sys.argv[1:]
    Path(pem).open().close()  # an error that names the file
    server = Server(pem, priority, options)
    with socket.create_server(("127.0.0.1", int(port)), backlog=128) as listener:
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=server.serve, args=(raw,), daemon=True).start()


if __name__ == "__main__":
    main()

"""The demonstration's servers: TLS of different quality, by the standard library and by cryptography's OpenSSL."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from exporter.demo.certificates import Authority

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection."""

_CHECKLIST_SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"
)
_HEAD = "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n"
GOOD_FIELDS = "Strict-Transport-Security: max-age=31536000\r\n"
WEAK_FIELDS = "Server: Apache/2.2.34 (Unix)\r\n"
_REQUEST_SECONDS = 10
"""For a handshake, and for all of a connection. Tests of attacks wait until a server gives up; with five seconds, the
server can give up before such a test has an answer."""
_POSTGRES_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""Length and code (PostgreSQL's documentation, 55.7 Message Formats: SSLRequest)."""


def good_context(authority: Authority, host: str, *, days: tuple[int, int] = (1, 30)) -> ssl.SSLContext:
    """TLS as the checklist demands, with an ECDSA and an RSA certificate that began and end so many days from now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION
    for key, file in ((ec.generate_private_key(ec.SECP256R1()), f"{host}-ec.pem"), (_rsa_key(), f"{host}-rsa.pem")):
        context.load_cert_chain(authority.issue(host, key, file, days=days))
    repair(context)
    return context


def dated_context(authority: Authority, host: str) -> ssl.SSLContext:
    """As the checklist demands, but for TLS 1.0 and 1.1, which are accepted as well."""
    context = good_context(authority, host)
    _accept_old_versions(context)
    context.set_ciphers(f"{_CHECKLIST_SUITES}:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:@SECLEVEL=0")
    return context


def repair(context: ssl.SSLContext) -> None:
    """Accept the protocols and suites of the checklist alone from now on."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CHECKLIST_SUITES)


def weak_context(authority: Authority, host: str) -> ssl.SSLContext:
    """TLS 1.0 and later with all available suites, in the client's order."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _accept_old_versions(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(authority.issue(host, _rsa_key(), f"{host}.pem"))
    return context


def post_quantum_context(authority: Authority, host: str) -> SSL.Context:
    """As the checklist demands, with the groups that OpenSSL 3.5 and later have by default: first X25519MLKEM768."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CHECKLIST_SUITES.encode())
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    file = str(authority.issue(host, ec.generate_private_key(ec.SECP256R1()), f"{host}.pem"))
    context.use_certificate_chain_file(file)
    context.use_privatekey_file(file)
    return context


def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _accept_old_versions(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the purpose of these servers
        context.minimum_version = ssl.TLSVersion.TLSv1


def _page(fields: str, request: bytes) -> bytes:
    """The answer of a web server with one page, at `/`, and these header fields."""
    status = "200 OK" if request.startswith((b"GET / ", b"HEAD / ")) else "404 Not Found"
    if request.lower().count(b"\r\nhost:") != 1:
        status = "400 Bad Request"
    return f"{_HEAD.format(status)}{fields}\r\nhello\n".encode()


def website(fields: str) -> Answer:
    """A web server with these header fields; TLS is the listener's."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_page(fields, await reader.readuntil(b"\r\n\r\n")))
        await writer.drain()

    return answer


def post_quantum_website(context: SSL.Context, fields: str) -> Answer:
    """A web server whose TLS is that of cryptography's OpenSSL, because Python's can be too old for ML-KEM."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = SSL.Connection(context)
        tls.set_accept_state()
        request = b""
        try:
            while b"\r\n\r\n" not in request:
                try:
                    request += tls.recv(65536)
                except SSL.WantReadError:
                    _flush(tls, writer)
                    data = await reader.read(65536)
                    if not data:
                        return
                    tls.bio_write(data)
            tls.sendall(_page(fields, request))
            tls.shutdown()
        except SSL.Error:
            pass  # an alert may be left to send
        _flush(tls, writer)
        await writer.drain()

    return answer


def _flush(tls: SSL.Connection, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(SSL.WantReadError):
        while True:
            writer.write(tls.bio_read(65536))


def mail_server(context: ssl.SSLContext, host: str) -> Answer:
    """SMTP with STARTTLS."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"220 {host} ESMTP\r\n".encode())
        while command := (await reader.readline()).strip().upper():
            if command.startswith(b"EHLO"):
                writer.write(f"250-{host}\r\n250 STARTTLS\r\n".encode())
            elif command == b"STARTTLS":
                writer.write(b"220 ready\r\n")
                await writer.start_tls(context, ssl_handshake_timeout=_REQUEST_SECONDS)
            elif command == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"502 not here\r\n")

    return answer


def database(context: ssl.SSLContext) -> Answer:
    """PostgreSQL up to the start of TLS."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(len(_POSTGRES_SSL_REQUEST)) == _POSTGRES_SSL_REQUEST:
            writer.write(b"S")
            await writer.start_tls(context, ssl_handshake_timeout=_REQUEST_SECONDS)
            await reader.read(1)

    return answer


@asynccontextmanager
async def listening(
    answer: Answer, context: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Serve at the address, with TLS at once if there is a context; yields the port."""
    # The last is the end of the program, which asyncio would log as an error.
    ended = (OSError, EOFError, ValueError, asyncio.LimitOverrunError, TimeoutError, asyncio.CancelledError)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*ended):
            async with asyncio.timeout(_REQUEST_SECONDS):
                await answer(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    limit = None if context is None else _REQUEST_SECONDS
    server = await asyncio.start_server(one, address, port, ssl=context, ssl_handshake_timeout=limit)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()

"""A real TLS session over one of our connections, by OpenSSL through pyOpenSSL's memory buffers.

It accepts whatever the server presents: judging the certificate is done afterwards, from the chain that was kept, so a
failed verification never hides what was seen.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from cryptography import x509
from OpenSSL import SSL

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net.dial import Connection, Dialer, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.starttls import start_tls

T = TypeVar("T")

MAX_BYTES = 262144
"""Of one session in all: a long chain and a large response head, and no more."""

_EVERYTHING = b"ALL:COMPLEMENTOFALL:@SECLEVEL=0"
_READ_SIZE = 16384


def _context(alpn: list[bytes]) -> SSL.Context:
    """The most tolerant client OpenSSL can be: what is weak is a fact to report, not a reason to see nothing."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(_EVERYTHING)
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT | SSL.OP_IGNORE_UNEXPECTED_EOF | SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_NONE)
    if alpn:
        context.set_alpn_protos(alpn)
    return context


class TLSSession:
    """One TLS session: the chain the server sent, and its stream of bytes."""

    def __init__(self, connection: Connection, server_name: str | None, alpn: list[bytes]) -> None:
        self._connection = connection
        self._tls = SSL.Connection(_context(alpn), None)
        if server_name:
            self._tls.set_tlsext_host_name(server_name.encode("ascii"))
        self._tls.set_connect_state()

    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates as served, leaf first; there as soon as they came, even if the handshake then failed.

        Raises:
            ValueError: OpenSSL could parse them, and cryptography cannot.
        """
        try:
            return tuple(self._tls.get_peer_cert_chain(as_cryptography=True) or ())
        except x509.InvalidVersion as error:
            raise ValueError(str(error)) from error

    async def handshake(self) -> None:
        """Complete the handshake.

        Raises:
            ProbeError: `handshake_timeout`, `handshake_error` or `client_certificate_required`.
        """
        try:
            await self._drive(self._tls.do_handshake)
        except PeerSilentError as error:
            raise ProbeError(Reason.HANDSHAKE_TIMEOUT, "the server stopped answering during the handshake") from error
        except (PeerResetError, PeerFloodError, EOFError) as error:
            raise ProbeError(Reason.HANDSHAKE_ERROR, "the server broke off the handshake") from error
        except SSL.Error as error:
            raise _mapped(error) from error

    async def write(self, data: bytes) -> None:
        """Send it all.

        Raises:
            PeerSilentError, PeerResetError: as `Connection.write`.
            ProbeError: the session ended with a TLS error.
        """
        try:
            await self._drive(lambda: self._tls.sendall(data))
        except SSL.Error as error:
            raise _mapped(error) from error

    async def read(self) -> bytes:
        """The next bytes; empty when the peer closed the session.

        Raises:
            PeerSilentError, PeerResetError, PeerFloodError: as `Connection.read`.
            ProbeError: the session ended with a TLS error, such as a client certificate asked for in TLS 1.3.
        """
        try:
            return await self._drive(lambda: self._tls.recv(_READ_SIZE))
        except (SSL.ZeroReturnError, EOFError):
            return b""
        except SSL.Error as error:
            raise _mapped(error) from error

    async def _drive(self, step: Callable[[], T]) -> T:
        """Repeat the step, moving bytes between OpenSSL and the connection, until it is done."""
        while True:
            try:
                # In a thread: a server can choose parameters that take OpenSSL seconds (a 10000-bit DHE prime).
                result = await asyncio.to_thread(step)
            except SSL.WantReadError:
                await self._flush()
                data = await self._connection.read()
                if not data:
                    self._tls.bio_shutdown()
                    raise EOFError from None
                self._tls.bio_write(data)
            except SSL.Error:
                await self._flush()  # the alert that tells the peer why
                raise
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(_READ_SIZE)
            except SSL.WantReadError:
                return
            await self._connection.write(data)


def _mapped(error: SSL.Error) -> ProbeError:
    """OpenSSL's error queue as a reason; only the reason strings are read."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    text = "; ".join(entry[2] for entry in queue if len(entry) > 2) or "the session ended without a word"
    if "certificate required" in text:
        return ProbeError(Reason.CLIENT_CERTIFICATE_REQUIRED, text)
    return ProbeError(Reason.HANDSHAKE_ERROR, text)


@asynccontextmanager
async def tls_session(dialer: Dialer, alpn: list[bytes]) -> AsyncIterator[TLSSession]:
    """A connection with the target's STARTTLS dialogue done, ready for `TLSSession.handshake`.

    Raises:
        ProbeError: the connection, or the dialogue before TLS, did not come to be.
    """
    async with dialer.connect(max_bytes=MAX_BYTES) as connection:
        connection.limit(4 * connection.timeout_seconds)
        if dialer.target.starttls:
            await start_tls(connection, dialer.target.starttls, dialer.target.verified_name)
        yield TLSSession(connection, dialer.target.server_name, alpn)

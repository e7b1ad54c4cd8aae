"""A real TLS session over one of our connections, by OpenSSL through pyOpenSSL's memory buffers.

It accepts whatever the server presents: judging the certificate is done afterwards, from the chain that was kept, so a
failed verification never hides what was seen.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from OpenSSL import SSL, crypto

from exporter.credentials import Credentials, read_credentials
from exporter.errors import ProbeError
from exporter.model import ClientAuthentication, ClientCertificate, Reason
from exporter.net.dial import Connection, Dialer, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.openssl import Noted, make_context, restrict_signatures
from exporter.net.service import ready_for_tls

T = TypeVar("T")

MAX_BYTES = 262144
"""Of one session in all: a long chain and a large response head, and no more."""

_READ_SIZE = 16384
_DECLINING = ("alert handshake failure", "alert insufficient security")
"""How OpenSSL names the alerts of a server that has nothing in common with a client (RFC 8446, 6.2)."""


class TLSSession:
    """One TLS session: the chain the server sent, and its stream of bytes.

    Attributes:
        declined: the server had nothing that fits what was offered.
    """

    def __init__(
        self,
        connection: Connection,
        server_name: str | None,
        alpn: list[bytes],
        *,
        credentials: Credentials | None = None,
        schemes: str | None = None,
    ) -> None:
        """Prepare it.

        Raises:
            ValueError: the signature schemes cannot be restricted to `schemes`.
        """
        self._connection = connection
        self._credentials = credentials
        self._noted = Noted()
        self._completed = self._refused = self._taken = False
        self._early = b""
        self.declined = False
        context = make_context(alpn, credentials)
        if schemes is not None:
            # Up to TLS 1.2 a server may take a key exchange without a signature, and then any key does.
            context.set_min_proto_version(SSL.TLS1_3_VERSION)
            if not restrict_signatures(context, schemes):
                raise ValueError("the signature schemes cannot be restricted")
        context.set_ocsp_client_callback(self._noted.staple)
        self._tls = SSL.Connection(context, None)
        self._tls.set_info_callback(self._noted.state)
        self._tls.request_ocsp()
        if server_name:
            self._tls.set_tlsext_host_name(server_name.encode("ascii"))
        self._tls.set_connect_state()

    def chain(self) -> tuple[bytes, ...]:
        """The certificates as served, DER, leaf first; there as soon as they came, even if the handshake then failed.

        In DER and not read: OpenSSL takes certificates that cryptography refuses.
        """
        served = self._tls.get_peer_cert_chain() or ()
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in served)

    @property
    def application(self) -> bytes:
        """The protocol that was agreed on by ALPN; empty when none was."""
        return self._tls.get_alpn_proto_negotiated()

    @property
    def stapled(self) -> bytes | None:
        """The OCSP response that came with the chain, DER, as received; None when none did."""
        return self._noted.stapled or None

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
            by_us = isinstance(error, PeerFloodError)
            raise self._broken("the server broke off the handshake", by_us=by_us) from error
        except SSL.Error as error:
            raise self._mapped(error) from error
        self._completed = True
        self._taken = self._tls.get_protocol_version() < SSL.TLS1_3_VERSION

    async def client_authentication(self) -> ClientAuthentication | None:
        """What the server does about certificates of clients, to be asked before anything is sent. None when unknown.

        In TLS 1.3 a client is done before the server has looked at its certificate: what comes next tells, an alert or
        the end, or a session ticket or data of a server that has taken it. With a certificate to show, a server that
        takes it does not show whether it would go on without.
        """
        if self._completed and not self._noted.requested:
            return ClientAuthentication.NONE
        if self._completed and not self._taken:
            await self._await_judgement()
        return self._treatment()

    def _treatment(self) -> ClientAuthentication | None:
        if self._refused:
            return ClientAuthentication.REQUIRED
        return ClientAuthentication.REQUESTED if self._taken and self._credentials is None else None

    async def _await_judgement(self) -> None:
        def ticket_or_data() -> bytes:
            try:
                return self._tls.recv(_READ_SIZE)
            except SSL.WantReadError:
                if self._noted.ticket:
                    return b""
                raise

        try:
            self._early = await self._drive(ticket_or_data)
        except SSL.ZeroReturnError:
            pass  # it says goodbye, to a client that it has taken
        except SSL.Error as error:
            self._mapped(error)
            return
        except (PeerResetError, EOFError):
            self._broken("the server broke off", by_us=False)
            return
        except (PeerSilentError, PeerFloodError):
            return  # no word on certificates
        self._taken = True

    def limit(self, seconds: float) -> None:
        """See `Connection.limit`."""
        self._connection.limit(seconds)

    async def write(self, data: bytes) -> None:
        """Send it all.

        Raises:
            PeerSilentError, PeerResetError: as `Connection.write`.
            ProbeError: the session ended with a TLS error.
        """
        try:
            await self._drive(lambda: self._tls.sendall(data))
        except SSL.Error as error:
            raise self._mapped(error) from error

    async def read(self) -> bytes:
        """The next bytes; empty when the peer closed the session.

        Raises:
            PeerSilentError, PeerResetError, PeerFloodError: as `Connection.read`.
            ProbeError: the session ended with a TLS error, such as a client certificate asked for in TLS 1.3.
        """
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            data = await self._drive(lambda: self._tls.recv(_READ_SIZE))
        except SSL.ZeroReturnError:
            return b""
        except (PeerResetError, EOFError) as error:
            if self._unjudged:
                raise self._broken("the server broke off", by_us=False) from error
            if isinstance(error, EOFError):
                return b""
            raise
        except SSL.Error as error:
            raise self._mapped(error) from error
        self._taken = True
        return data

    @property
    def _unjudged(self) -> bool:
        """It was asked for a certificate and has answered, and the server has not gone on since."""
        return self._noted.answered and not self._noted.ticket and not self._taken

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

    def _mapped(self, error: SSL.Error) -> ProbeError:
        """OpenSSL's error queue as a reason; only the reason strings are read."""
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
        text = "; ".join(entry[2] for entry in queue if len(entry) > 2) or "the session ended without a word"
        self._refused |= "certificate required" in text
        self.declined |= any(alert in text for alert in _DECLINING)
        # What OpenSSL found wrong by itself is no answer of the server to our certificate.
        return self._broken(text, by_us=bool(queue) and " alert " not in text)

    def _broken(self, detail: str, *, by_us: bool) -> ProbeError:
        """The error for a session that the server ended, or we did.

        Up to TLS 1.2 there is no alert for a certificate that is missing: servers send handshake_failure (OpenSSL),
        bad_certificate (Go), or close. What tells is when: after it was asked for, before what we said was taken in.
        """
        self._refused |= self._unjudged and not by_us
        if not self._refused:
            return ProbeError(Reason.HANDSHAKE_ERROR, detail)
        what = "wants a client certificate" if self._credentials is None else "did not take the client certificate"
        return ProbeError(Reason.CLIENT_CERTIFICATE_REQUIRED, f"the server {what}: {detail}")


async def _credentials(files: ClientCertificate | None) -> Credentials | None:
    """Read with each scan, since client certificates are renewed too."""
    if files is None:
        return None
    try:
        return await asyncio.to_thread(read_credentials, files.cert_file, files.key_file)
    except (OSError, ValueError) as error:
        # Not without it: what a server shows to strangers may be another thing than what the target stands for.
        raise ProbeError(Reason.INTERNAL, f"the client certificate cannot be used: {error}") from error


@asynccontextmanager
async def tls_session(dialer: Dialer, alpn: list[bytes], schemes: str | None = None) -> AsyncIterator[TLSSession]:
    """A connection with the target's STARTTLS dialogue done, ready for `TLSSession.handshake`.

    Raises:
        ProbeError: the connection, or the dialogue before TLS, did not come to be, or the client certificate cannot be
            read.
        ValueError: as `TLSSession`, for `schemes`.
    """
    target = dialer.target
    credentials = await _credentials(target.client_certificate)
    async with ready_for_tls(dialer, max_bytes=MAX_BYTES, timeouts=4) as connection:
        yield TLSSession(connection, target.server_name, alpn, credentials=credentials, schemes=schemes)

"""A real TLS session over one of our connections, by OpenSSL through pyOpenSSL's memory buffers.

It accepts all certificates. They are judged afterwards, from the chain that was kept, so that a failed verification
never hides what was seen.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from OpenSSL import SSL, crypto

from exporter.credentials import Credentials, read_credentials
from exporter.errors import ProbeError
from exporter.model import ClientAuthentication, ClientCertificate, Reason, Target
from exporter.net.connection import Connection, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.dial import Dialer
from exporter.net.openssl import ClientOffer, Noted, make_context, shared_context
from exporter.net.primes import MOST_PRIME_BITS, PrimeReader
from exporter.net.service import ready_for_tls
from exporter.shortage import raise_shortage
from exporter.threads import FILES, OPENSSL

T = TypeVar("T")

MAX_BYTES = 262144
"""Most bytes of one session: enough for a long chain and a large response head."""

_READ_SIZE = 16384
_DECLINING = ("alert handshake failure", "alert insufficient security")
"""OpenSSL's names of the alerts from a server that has nothing in common with the client (RFC 8446, 6.2)."""


class TLSSession:
    """One TLS session: the chain that the server sent, and a stream of bytes.

    Attributes:
        declined: the server accepted nothing of what was offered.
    """

    def __init__(
        self, connection: Connection, target: Target, offer: ClientOffer, credentials: Credentials | None = None
    ) -> None:
        """Prepare the session.

        Raises:
            ValueError: the signature schemes of the offer cannot be set.
        """
        self._connection = connection
        self._owner = target.name
        self._credentials = credentials
        self._noted, self._primes = Noted(), PrimeReader()
        self._completed = self._refused = self._taken = self._abandoned = False
        self._early = b""
        self._heard = False
        self.declined = False
        context = shared_context(offer) if credentials is None else make_context(offer, credentials)
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self._noted)
        self._tls.set_info_callback(self._noted.state)
        self._tls.request_ocsp()
        if target.server_name:
            self._tls.set_tlsext_host_name(target.server_name.encode("ascii"))
        self._tls.set_connect_state()

    def chain(self) -> tuple[bytes, ...]:
        """The certificates as served, DER, leaf first; available once received, even if the handshake failed later.

        They are not parsed here, because OpenSSL accepts certificates that cryptography rejects.
        """
        served = self._tls.get_peer_cert_chain() or ()
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in served)

    @property
    def application(self) -> bytes:
        """The protocol negotiated by ALPN; empty if none was."""
        return self._tls.get_alpn_proto_negotiated()

    @property
    def stapled(self) -> bytes | None:
        """The stapled OCSP response in DER, as received; None if there was none."""
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
        """What the server does about client certificates; call it before anything is sent. None if unknown.

        In TLS 1.3 a client finishes before the server has checked its certificate. What the server sends next shows the
        result. An alert or a close is a refusal; a session ticket or data means that it accepted. If we present a
        certificate and the server accepts it, it is unknown whether the server would continue without one.
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
            pass  # close_notify to a client that it has accepted
        except SSL.Error as error:
            self._mapped(error)
            return
        except (PeerResetError, EOFError):
            self._broken("the server closed or reset the connection", by_us=False)
            return
        except (PeerSilentError, PeerFloodError):
            return  # nothing said about certificates
        self._taken = True

    def limit(self, seconds: float) -> None:
        """See `Connection.limit`."""
        self._connection.limit(seconds)

    async def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            PeerSilentError, PeerResetError: as `Connection.write`.
            ProbeError: the session ended with a TLS error.
        """
        try:
            await self._drive(lambda: self._tls.sendall(data))
        except SSL.Error as error:
            raise self._mapped(error) from error

    async def read(self) -> bytes:
        """The next bytes; empty if the peer closed the session.

        Raises:
            PeerSilentError, PeerResetError, PeerFloodError: as `Connection.read`.
            ProbeError: the session ended with a TLS error, such as a required client certificate in TLS 1.3.
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
                raise self._broken("the server closed or reset the connection", by_us=False) from error
            if isinstance(error, EOFError):
                return b""
            raise
        except SSL.Error as error:
            raise self._mapped(error) from error
        self._taken = True
        return data

    @property
    def _unjudged(self) -> bool:
        """The server requested a certificate, we answered, and the server has sent nothing since."""
        return self._noted.answered and not self._noted.ticket and not self._taken

    async def _drive(self, step: Callable[[], T]) -> T:
        """Repeat the step, moving bytes between OpenSSL and the connection, until it is done."""
        while True:
            try:
                result = await self._step(step)
            except SSL.WantReadError:
                await self._flush()
                data = await self._connection.read()
                if not data:
                    self._tls.bio_shutdown()
                    raise EOFError from None
                self._check_prime(data)
                self._tls.bio_write(data)
                self._heard = True
            except SSL.Error:
                await self._flush()  # sends the alert
                raise
            else:
                await self._flush()
                return result

    async def _step(self, step: Callable[[], T]) -> T:
        """Run the step: during the handshake in a thread, because a server can choose parameters that take long.

        Before the server has said anything, and after the handshake, a usual step takes less than a thread costs. What
        a server can then choose is limited by the length of one read: a read of the shortest session tickets takes
        0.01 s.

        The object of a session is used by one thread at a time. A thread may still use it after a cancelled wait, so
        no step follows then.
        """
        if self._abandoned:
            raise ProbeError(Reason.INTERNAL, "the session was abandoned during a step")
        if self._completed or not self._heard:
            return step()
        try:
            return await OPENSSL.run(step, self._owner)
        except asyncio.CancelledError:
            self._abandoned = True
            raise

    def _check_prime(self, data: bytes) -> None:
        """Check the server's bytes before OpenSSL gets them.

        Raises:
            ProbeError: `handshake_error`, because the server chose a prime that is too long.
        """
        self._primes.feed(data)
        if self._primes.bits is not None and self._primes.bits > MOST_PRIME_BITS:
            detail = f"the server chose a Diffie-Hellman prime of {self._primes.bits} bits, which takes too long to use"
            raise ProbeError(Reason.HANDSHAKE_ERROR, detail)

    async def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(_READ_SIZE)
            except SSL.WantReadError:
                return
            await self._connection.write(data)

    def _mapped(self, error: SSL.Error) -> ProbeError:
        """Map OpenSSL's error queue to a reason; only its reason strings are used."""
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
        text = "; ".join(entry[2] for entry in queue if len(entry) > 2) or "the session ended without an alert"
        self._refused |= "certificate required" in text
        self.declined |= any(alert in text for alert in _DECLINING)
        # An error that OpenSSL found itself is not the server's answer to our certificate.
        return self._broken(text, by_us=bool(queue) and " alert " not in text)

    def _broken(self, detail: str, *, by_us: bool) -> ProbeError:
        """The error for a session that the server ended, or that we ended.

        Up to TLS 1.2 there is no alert for a missing certificate: servers send handshake_failure (OpenSSL),
        bad_certificate (Go), or close. The time of the failure decides. If it comes after the request for a certificate
        and before the server has accepted our answer, the server requires one.
        """
        self._refused |= self._unjudged and not by_us
        if not self._refused:
            return ProbeError(Reason.HANDSHAKE_ERROR, detail)
        what = "wants a client certificate" if self._credentials is None else "did not accept the client certificate"
        return ProbeError(Reason.CLIENT_CERTIFICATE_REQUIRED, f"the server {what}: {detail}")


async def _credentials(files: ClientCertificate | None, owner: str) -> Credentials | None:
    """Read the client certificate with each scan, since it may have been renewed."""
    if files is None:
        return None
    try:
        return await FILES.run(partial(read_credentials, files.cert_file, files.key_file), owner)
    except (OSError, ValueError) as error:
        raise_shortage(error, "cannot read the client certificate")
        # Do not continue without it: a server may show other clients something else than what the target is about.
        raise ProbeError(Reason.INTERNAL, f"the client certificate cannot be used: {error}") from error


@asynccontextmanager
async def tls_session(dialer: Dialer, offer: ClientOffer) -> AsyncIterator[TLSSession]:
    """A connection on which the target's STARTTLS dialogue is done, ready for `TLSSession.handshake`.

    Raises:
        ProbeError: the connection or the dialogue before TLS failed, or the client certificate cannot be read.
        ValueError: as `TLSSession`.
    """
    target = dialer.target
    credentials = await _credentials(target.client_certificate, target.name)
    async with ready_for_tls(dialer, max_bytes=MAX_BYTES, timeouts=4) as connection:
        yield TLSSession(connection, target, offer, credentials)

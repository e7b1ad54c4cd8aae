"""OpenSSL as a client that accepts everything, and what it reports during a handshake."""

from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

from exporter.credentials import Credentials

_EVERYTHING = b"ALL:COMPLEMENTOFALL:@SECLEVEL=0"
_WITHOUT_FINITE_FIELDS = b"ALL:COMPLEMENTOFALL:!kDHE:@SECLEVEL=0"


@dataclass(slots=True)
class Noted:
    """What OpenSSL reported during the handshake.

    Attributes:
        stapled: OCSP response in DER; empty if there was none.
        requested: the server requested a client certificate.
        answered: we sent a client certificate message, possibly an empty one.
        ticket: a session ticket was received.
    """

    stapled: bytes = b""
    requested: bool = False
    answered: bool = False
    ticket: bool = False

    def state(self, connection: SSL.Connection, _where: int, _result: int) -> None:
        """Record the state of a handshake by OpenSSL's name for it (`SSL_state_string_long`)."""
        state = connection.get_state_string()
        self.requested |= state.endswith(b"read server certificate request")
        self.answered |= state.endswith(b"write client certificate")
        self.ticket |= state.endswith(b"read server session ticket")


def _staple(connection: SSL.Connection, response: bytes, _data: object) -> bool:
    """Keep the response in the connection's `Noted`; the handshake continues regardless of its content."""
    connection.get_app_data().stapled = response
    return True


@dataclass(frozen=True, slots=True)
class ClientOffer:
    """What a client offers.

    Attributes:
        alpn: application protocols; none leaves the extension out.
        schemes: the signature schemes, in OpenSSL's notation; None is OpenSSL's own list. With a list, only TLS 1.3 is
            offered: up to TLS 1.2 a server may choose a key exchange without a signature, so it could use any key.
        finite_fields: whether suites with ephemeral finite fields are offered.
    """

    alpn: tuple[bytes, ...] = ()
    schemes: str | None = None
    finite_fields: bool = True


@lru_cache(maxsize=16)
def shared_context(offer: ClientOffer) -> SSL.Context:
    """A context for all sessions with this offer and without credentials. Making one takes 0.4 ms of CPU time.

    Sessions are not resumed, so they share nothing else. The application data of each connection is its `Noted`.

    Raises:
        ValueError: as `make_context`.
    """
    return make_context(offer, None)


def make_context(offer: ClientOffer, credentials: Credentials | None) -> SSL.Context:
    """The most tolerant client that OpenSSL can be, so that a weak server can be examined too.

    Raises:
        ValueError: the signature schemes cannot be restricted.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(_EVERYTHING if offer.finite_fields else _WITHOUT_FINITE_FIELDS)
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT | SSL.OP_IGNORE_UNEXPECTED_EOF | SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_ocsp_client_callback(_staple)
    if offer.alpn:
        context.set_alpn_protos(list(offer.alpn))
    if offer.schemes is not None:
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        if not restrict_signatures(context, offer.schemes):
            raise ValueError("the signature schemes cannot be restricted")
    if credentials is not None:
        context.use_certificate(credentials.chain[0])
        context.use_privatekey(credentials.key)
        for issuer in credentials.chain[1:]:
            context.add_extra_chain_cert(issuer)
    return context


def restrict_signatures(context: SSL.Context, schemes: str) -> bool:
    """Let the context offer only these signature schemes, in OpenSSL's notation; returns whether that worked.

    pyOpenSSL has no method for it, but its binding has the function. TLS 1.3 encrypts the certificates. So for a server
    with TLS 1.3 only, this is the one way to see which certificates it has; without it they stay unknown.
    """
    restrict = getattr(Binding.lib, "SSL_CTX_set1_sigalgs_list", None)
    pointer = getattr(context, "_context", None)
    return restrict is not None and pointer is not None and restrict(pointer, schemes.encode("ascii")) == 1

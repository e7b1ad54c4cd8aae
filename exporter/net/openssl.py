"""OpenSSL as a client that accepts everything, and what it reports during a handshake."""

from dataclasses import dataclass

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

from exporter.credentials import Credentials

_EVERYTHING = b"ALL:COMPLEMENTOFALL:@SECLEVEL=0"


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

    def staple(self, _connection: SSL.Connection, response: bytes, _data: object) -> bool:
        """Keep the response; the handshake continues regardless of its content."""
        self.stapled = response
        return True


def make_context(alpn: list[bytes], credentials: Credentials | None) -> SSL.Context:
    """The most tolerant client that OpenSSL can be, so that a weak server can be examined too."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(_EVERYTHING)
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT | SSL.OP_IGNORE_UNEXPECTED_EOF | SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_NONE)
    if alpn:
        context.set_alpn_protos(alpn)
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

"""OpenSSL as a client that bears everything, and what it tells on the way."""

from dataclasses import dataclass

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

from exporter.credentials import Credentials

_EVERYTHING = b"ALL:COMPLEMENTOFALL:@SECLEVEL=0"


@dataclass(slots=True)
class Noted:
    """What OpenSSL told on the way.

    Attributes:
        stapled: OCSP response in DER; empty when there was none.
        requested: the server asked for a certificate.
        answered: it was told which, or that there is none.
        ticket: a session ticket came.
    """

    stapled: bytes = b""
    requested: bool = False
    answered: bool = False
    ticket: bool = False

    def state(self, connection: SSL.Connection, _where: int, _result: int) -> None:
        """Take in the state of a handshake by OpenSSL's name for it (`SSL_state_string_long`)."""
        state = connection.get_state_string()
        self.requested |= state.endswith(b"read server certificate request")
        self.answered |= state.endswith(b"write client certificate")
        self.ticket |= state.endswith(b"read server session ticket")

    def staple(self, _connection: SSL.Connection, response: bytes, _data: object) -> bool:
        """Keep the response; whatever it says, the handshake goes on."""
        self.stapled = response
        return True


def make_context(alpn: list[bytes], credentials: Credentials | None) -> SSL.Context:
    """The most tolerant client OpenSSL can be: what is weak is a fact to report, not a reason to see nothing."""
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
    """Have the context offer these signature schemes alone, in OpenSSL's notation; whether that could be done.

    pyOpenSSL has no method for it, though the binding below it has the function. Nothing else shows which certificates
    a server has that speaks TLS 1.3 alone, where chains are encrypted; without it that stays unknown.
    """
    restrict = getattr(Binding.lib, "SSL_CTX_set1_sigalgs_list", None)
    pointer = getattr(context, "_context", None)
    return restrict is not None and pointer is not None and restrict(pointer, schemes.encode("ascii")) == 1

"""What the certificates of a path may be used for, by the rules of OpenSSL's purpose `sslserver`."""

from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from exporter.pki.der import UnreadableError
from exporter.pki.parsed import UNREADABLE, Certificate
from exporter.pki.readable import NETSCAPE_TYPE
from exporter.ternary import all_of

_SERVER_USAGES = {
    ExtendedKeyUsageOID.SERVER_AUTH,
    x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}
"""serverAuth, and the two for "server gated cryptography" that OpenSSL accepts in its place. anyExtendedKeyUsage is not
enough (v3_purp.c, check_purpose_ssl_server)."""
_NETSCAPE_SERVER = 0x40

USAGE_UNREADABLE = "what a certificate may be used for cannot be read"


def for_servers(path: Sequence[Certificate]) -> bool | None:
    """OpenSSL's purpose `sslserver`: whether the path's extensions allow a TLS server (RFC 5280, 4.2.1.3, 4.2.1.12).

    None if one of these extensions cannot be parsed, because OpenSSL accepts some that stricter parsers refuse.
    pyOpenSSL has no way to let OpenSSL check this itself.
    """
    of_leaf = _known(_signs, path[0]), _known(_is_netscape_server, path[0])
    return all_of((*of_leaf, *(_known(_usage_fits, certificate) for certificate in path)))


def _known(look: Callable[[Certificate], bool], certificate: Certificate) -> bool | None:
    try:
        return look(certificate)
    except UNREADABLE:
        return None


def _usage_fits(certificate: Certificate) -> bool:
    usages = certificate.extension(x509.ExtendedKeyUsage)
    return usages is None or bool(_SERVER_USAGES.intersection(usages))


def _signs(leaf: Certificate) -> bool:
    usage = leaf.extension(x509.KeyUsage)
    return usage is None or usage.digital_signature or usage.key_encipherment or usage.key_agreement


def _is_netscape_server(leaf: Certificate) -> bool:
    if NETSCAPE_TYPE in leaf.lost:
        raise UnreadableError("netscape-cert-type cannot be read")
    for other in leaf.read.extensions:
        if other.oid == NETSCAPE_TYPE and isinstance(other.value, x509.UnrecognizedExtension):
            bits = other.value.value  # a BIT STRING of up to 8 bits: tag, length, unused bits, bits
            return len(bits) > 3 and bool(bits[3] & _NETSCAPE_SERVER)
    return True

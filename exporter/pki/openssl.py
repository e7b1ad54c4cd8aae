"""Certificates as OpenSSL parses them.

Importing this module loads pyOpenSSL with a TLS client, so modules that judge import it only when they need it.
"""

from cryptography.exceptions import InvalidSignature
from OpenSSL import crypto

from exporter.pki.der import UnreadableError

_WITHOUT_DATES = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (OpenSSL, x509_vfy.h), for which pyOpenSSL has no name."""


def load(der: bytes) -> crypto.X509:
    """OpenSSL's own object.

    Raises:
        UnreadableError: OpenSSL does not accept the certificate.
    """
    try:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, der)
    except crypto.Error as error:
        raise UnreadableError("OpenSSL does not accept the certificate") from error


def rewritten(data: bytes) -> bytes:
    """The certificate as OpenSSL encodes it, for digests; unchanged if OpenSSL refuses it.

    The signed part stays as it was (ASN1_ENCODING).
    """
    try:
        return crypto.dump_certificate(crypto.FILETYPE_ASN1, load(data))
    except (UnreadableError, crypto.Error):
        return data


def public_key(data: bytes) -> bytes:
    """The key of a certificate, as OpenSSL parses and encodes it.

    Raises:
        ValueError: OpenSSL does not accept the certificate or its key.
    """
    try:
        return crypto.dump_publickey(crypto.FILETYPE_ASN1, load(data).get_pubkey())
    except crypto.Error as error:
        raise ValueError("OpenSSL does not accept the key") from error


def verify(child: bytes, issuer: bytes) -> None:
    """Verify the signature of a certificate, with the issuer as the only trust anchor; both in DER.

    OpenSSL has no other function for this that pyOpenSSL gives access to. It requires more of an issuer than a
    signature: it refuses one that is not a CA, unless it is the child itself.

    Raises:
        InvalidSignature: the signature does not match, or OpenSSL cannot verify it.
        UnreadableError: OpenSSL does not accept one of the certificates.
    """
    store = crypto.X509Store()
    flags = crypto.X509StoreFlags
    store.set_flags(flags.PARTIAL_CHAIN | flags.CHECK_SS_SIGNATURE | flags.IGNORE_CRITICAL | _WITHOUT_DATES)
    try:
        store.add_cert(load(issuer))
        crypto.X509StoreContext(store, load(child)).verify_certificate()
    except (crypto.Error, crypto.X509StoreContextError) as error:
        raise InvalidSignature from error

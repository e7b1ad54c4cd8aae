"""What OpenSSL makes of a certificate.

Importing this module loads pyOpenSSL and a TLS client with it, so modules that judge import it only when they need it.
"""

from OpenSSL import crypto

from exporter.pki.der import UnreadableError


def load(der: bytes) -> crypto.X509:
    """OpenSSL's own object.

    Raises:
        UnreadableError: OpenSSL does not take the certificate.
    """
    try:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, der)
    except crypto.Error as error:
        raise UnreadableError("OpenSSL does not take the certificate") from error


def rewritten(data: bytes) -> bytes:
    """The certificate as OpenSSL writes it, which is what digests are made of; unchanged where OpenSSL refuses it.

    The signed part stays as it was (ASN1_ENCODING).
    """
    try:
        return crypto.dump_certificate(crypto.FILETYPE_ASN1, load(data))
    except UnreadableError:
        return data


def public_key(data: bytes) -> bytes:
    """The key of a certificate, as OpenSSL reads and writes it.

    Raises:
        ValueError: OpenSSL does not take the certificate or its key.
    """
    try:
        return crypto.dump_publickey(crypto.FILETYPE_ASN1, load(data).get_pubkey())
    except crypto.Error as error:
        raise ValueError("OpenSSL does not take the key") from error

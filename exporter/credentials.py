"""Client certificates in files. Errors say what is wrong with the files, and never quote their content."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from exporter.files import read_file

Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | dsa.DSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
"""Kinds of keys that OpenSSL can use for client authentication."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client certificate with its key. The first certificate of the chain is the client's own."""

    chain: tuple[x509.Certificate, ...]
    key: Key


def read_credentials(cert_file: str, key_file: str) -> Credentials:
    """Read the certificate and its key, both PEM, the key without a passphrase; one file may contain both.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file contains something else, or they do not belong together; the message names the file only.
    """
    chain = read_chain_file(cert_file)
    key = read_key_file(key_file)
    match(chain, key, cert_file, key_file)
    return Credentials(chain, key)


def match(chain: tuple[x509.Certificate, ...], key: Key, cert_name: str, key_name: str) -> None:
    """Check that the key is that of the first certificate; the names are for the message.

    Raises:
        ValueError: it is another one.
    """
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    try:
        fits = chain[0].public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    if not fits:
        raise ValueError(f"{key_name} is not the key of the certificate in {cert_name}")


def read_chain_file(cert_file: str) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM file.

    Raises:
        OSError: it cannot be read.
        ValueError: it contains none, or one that cannot be parsed.
    """
    return parse_chain(read_file(cert_file), cert_file)


def parse_chain(data: bytes, name: str) -> tuple[x509.Certificate, ...]:
    """All certificates of a text in PEM form; the name is for the message.

    Raises:
        ValueError: it contains none, or one that cannot be parsed.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except (ValueError, x509.InvalidVersion):
        raise ValueError(f"{name} holds no certificate in PEM form") from None


def read_key_file(key_file: str) -> Key:
    """The private key of a PEM file.

    Raises:
        OSError: it cannot be read.
        ValueError: it contains none of a kind that TLS uses, or one with a passphrase.
    """
    return parse_key(read_file(key_file), key_file)


def parse_key(data: bytes, name: str) -> Key:
    """The private key of a text in PEM form; the name is for the message.

    Raises:
        ValueError: it contains none of a kind that TLS uses, or one with a passphrase.
    """
    try:
        # The RSA key is not validated: that takes half a second for 4096 bits, in which no other thread runs. It is
        # checked that the key belongs to the certificate; a broken key fails in the handshake.
        key = load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise ValueError(f"the key in {name} needs a passphrase, and none can be given") from None
    except (ValueError, UnsupportedAlgorithm):
        # Not the parser's own message, which might quote the key.
        raise ValueError(f"{name} holds no private key in PEM form") from None
    if not isinstance(key, Key):
        raise ValueError(f"{name} holds a key of a kind that TLS does not use")
    return key

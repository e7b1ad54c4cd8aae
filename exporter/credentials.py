"""Client certificates as they lie on disk. Says what is wrong with the files, and never what is in them."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | dsa.DSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
"""What OpenSSL can prove in a handshake."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client certificate with its key. The first of the chain is the client's own."""

    chain: tuple[x509.Certificate, ...]
    key: Key


def read_credentials(cert_file: str, key_file: str) -> Credentials:
    """The certificate and its key, both PEM, the key without a passphrase; one file may hold both.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file holds something else, or they do not belong together; names the file and no content.
    """
    chain = read_chain_file(cert_file)
    key = read_key_file(key_file)
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    try:
        fits = chain[0].public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    if not fits:
        raise ValueError(f"{key_file} is not the key of the certificate in {cert_file}")
    return Credentials(chain, key)


def read_chain_file(cert_file: str) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM file.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds none, or one that cannot be parsed.
    """
    data = Path(cert_file).read_bytes()
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except (ValueError, x509.InvalidVersion):
        raise ValueError(f"{cert_file} holds no certificate in PEM form") from None


def read_key_file(key_file: str) -> Key:
    """The private key of a PEM file.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds none that TLS clients use, or one that needs a passphrase.
    """
    data = Path(key_file).read_bytes()
    try:
        # Unchecked: proving an RSA key of 4096 bits takes half a second, in which no other thread runs either. That it
        # belongs to the certificate is checked; a broken one fails in the handshake.
        key = load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise ValueError(f"the key in {key_file} needs a passphrase, and none can be given") from None
    except (ValueError, UnsupportedAlgorithm):
        # Not the parser's own words: they might quote the key.
        raise ValueError(f"{key_file} holds no private key in PEM form") from None
    if not isinstance(key, Key):
        raise ValueError(f"{key_file} holds a key of a kind that TLS does not use")
    return key

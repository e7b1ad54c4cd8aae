"""Certificates for the seeds: every kind of key, every extension that is read. They are the same in each run."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fuzz.memory import NAME

_NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_DAY = timedelta(days=1)
_AUTHORITY_KEY = ec.derive_private_key(7, ec.SECP256R1())
_PublicKey = (
    ec.EllipticCurvePublicKey | rsa.RSAPublicKey | dsa.DSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)


def _name(common_name: str, *more: x509.NameAttribute[str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name), *more])


_AUTHORITY = _name("root")


def _issue(
    subject: x509.Name,
    key: _PublicKey,
    *extensions: x509.ExtensionType,
    issuer: x509.Name = _AUTHORITY,
    signer: ec.EllipticCurvePrivateKey = _AUTHORITY_KEY,
    days: int = 30,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(4711)
        .not_valid_before(_NOW - 40 * _DAY)
        .not_valid_after(_NOW + days * _DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


ROOT_FILE = Path(__file__).with_name("root.pem")
"""The root of most of the chains, made with the key above."""
_ROOT = x509.load_pem_x509_certificate(ROOT_FILE.read_bytes())

_MIDDLE_KEY = ec.derive_private_key(11, ec.SECP384R1())
_MIDDLE = _issue(_name("middle"), _MIDDLE_KEY.public_key(), x509.BasicConstraints(ca=True, path_length=0))
_NAMES = x509.SubjectAlternativeName([x509.DNSName(NAME)])
_FOR_SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
_LEAF_KEY = ec.derive_private_key(13, ec.SECP256R1())
_MODULUS = int.from_bytes(b"\x81" + bytes(range(1, 255)) + b"\xff", "big")
_DSA_PARAMETERS = dsa.DSAParameterNumbers(p=_MODULUS, q=2**256 - 189, g=2)

_KEYS: tuple[_PublicKey, ...] = (
    _LEAF_KEY.public_key(),
    ec.derive_private_key(17, ec.SECP521R1()).public_key(),
    ec.derive_private_key(17, ec.SECP256K1()).public_key(),
    rsa.RSAPublicNumbers(65537, _MODULUS).public_key(),
    ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key(),
    ed448.Ed448PrivateKey.from_private_bytes(bytes(range(57))).public_key(),
    dsa.DSAPublicNumbers(4, _DSA_PARAMETERS).public_key(),
)

_MANY_NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("*.test.example"),
        x509.DNSName("*"),
        x509.DNSName("192.0.2.1"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.IPAddress(ip_address("2001:db8::1")),
        x509.RFC822Name("a@test.example"),
        x509.UniformResourceIdentifier("https://test.example/"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
        x509.DirectoryName(_name("directory")),
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a"),
    ]
)
_LONG_SUBJECT = _name(
    'a "quoted", #odd+ name \u00fc',
    x509.NameAttribute(NameOID.COUNTRY_NAME, "AT"),
    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x" * 60),
    x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
    x509.NameAttribute(x509.ObjectIdentifier("2.5.4.97"), "other"),
)

LEAVES = tuple(_der(_issue(_name(NAME), key, _NAMES, _FOR_SERVERS)) for key in _KEYS)
"""DER, one for each kind of key."""

CHAINS = (
    *((leaf,) for leaf in LEAVES),
    (
        _der(_issue(_name(NAME), _LEAF_KEY.public_key(), _NAMES, issuer=_MIDDLE.subject, signer=_MIDDLE_KEY)),
        _der(_MIDDLE),
        _der(_ROOT),
    ),
    (_der(_issue(_LONG_SUBJECT, _LEAF_KEY.public_key(), _MANY_NAMES)),),
    (_der(_issue(_name(NAME), _LEAF_KEY.public_key(), _NAMES, days=-9)),),
    (_der(_issue(_name(NAME), _LEAF_KEY.public_key(), issuer=_name(NAME), signer=_LEAF_KEY)),),
    (_der(_issue(_name(NAME), _LEAF_KEY.public_key(), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))),),
)
"""DER, the leaf first in each chain."""

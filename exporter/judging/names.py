"""Names that a policy may use. For an unknown name the message gives the nearest known one."""

from collections.abc import Callable, Collection
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from exporter.derived.verdicts import Attack
from exporter.model import Protocol
from exporter.nearest import suggestion_or_all
from exporter.pki.keys import ALGORITHMS, CURVES
from exporter.tls.extensions import FLAGS
from exporter.tls.parameters import FFDHE, GROUP_NAMES, SCHEME_NAMES
from exporter.tls.suites import BY_ANY_NAME, BY_OPENSSL_NAME


def known(what: str, names: Collection[str]) -> Callable[[str], str]:
    """A validator for names: returns a known name, or raises ValueError with the nearest one.

    `what` begins the message for a wrong name: "not a key exchange group".
    """

    def look(name: str) -> str:
        if name in names:
            return name
        raise ValueError(f"{name!r} is {what}{suggestion_or_all(name, names)}")

    return look


def iana_name(name: str) -> str:
    """The IANA name of a suite given by its IANA or OpenSSL name.

    Raises:
        ValueError: there is no such suite; the message suggests a near name where there is one.
    """
    suite = BY_ANY_NAME.get(name) or BY_OPENSSL_NAME.get(name)
    if suite is None:
        names = {**BY_ANY_NAME, **BY_OPENSSL_NAME}
        raise ValueError(f"{name!r} is not a registered cipher suite{suggestion_or_all(name, names)}")
    return suite.name


def _form(title: str, names: Collection[str]) -> Any:  # noqa: ANN401 - pydantic's annotation
    return WithJsonSchema({"title": f"{title} name", "type": "string", "enum": list(names)})


EXTENSIONS = (*FLAGS, "fallback_scsv", "downgrade_marks")
"""The keys of `extensions` in the facts of the handshake."""
GROUPS = tuple(GROUP_NAMES.values())
SCHEMES = tuple(SCHEME_NAMES.values())
_SHA3 = ("sha3-224", "sha3-256", "sha3-384", "sha3-512")
HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", *_SHA3)
"""Hashes of signatures in certificates, for algorithms without a hash of their own."""
SIGNATURE_ALGORITHMS = (
    *(f"{name}WithRSAEncryption" for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")),
    "rsassaPss",
    *(f"ecdsa-with-{name}" for name in ("SHA1", "SHA224", "SHA256", "SHA384", "SHA512")),
    *("dsaWithSHA1", "dsa_with_SHA224", "dsa_with_SHA256", "dsa_with_SHA384", "dsa_with_SHA512"),
    *(f"RSA-{name.upper()}" for name in _SHA3),
    *(f"ecdsa_with_{name.upper()}" for name in _SHA3),
    *("ED25519", "ED448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
)
"""OpenSSL's names, as in the facts."""
KEY_CURVES = (*CURVES.values(), "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "secp224r1", "secp256k1")
"""Curves of keys in certificates: names of FIPS 186-4, and OpenSSL's names of other curves."""
NAMED_PRIMES = frozenset(FFDHE.values())
"""The primes of RFC 7919."""

SuiteName = Annotated[str, AfterValidator(iana_name), _form("suite", sorted({*BY_ANY_NAME, *BY_OPENSSL_NAME}))]
ProtocolName = Annotated[
    str, AfterValidator(known("not a protocol version", list(Protocol))), _form("protocol", list(Protocol))
]
GroupName = Annotated[str, AfterValidator(known("not a key exchange group", GROUPS)), _form("group", GROUPS)]
SchemeName = Annotated[str, AfterValidator(known("not a signature scheme", SCHEMES)), _form("scheme", SCHEMES)]
ExtensionName = Annotated[
    str, AfterValidator(known("not an extension that is looked for", EXTENSIONS)), _form("extension", EXTENSIONS)
]
AttackName = Annotated[
    str, AfterValidator(known("not an attack that is looked for", list(Attack))), _form("attack", list(Attack))
]
HashName = Annotated[str, AfterValidator(known("not a hash", HASHES)), _form("hash", HASHES)]
SignatureName = Annotated[
    str,
    AfterValidator(known("not a signature algorithm", SIGNATURE_ALGORITHMS)),
    _form("signature", SIGNATURE_ALGORITHMS),
]
KeyName = Annotated[str, AfterValidator(known("not a kind of key", ALGORITHMS)), _form("key", ALGORITHMS)]
CurveName = Annotated[str, AfterValidator(known("not a curve of keys", KEY_CURVES)), _form("curve", KEY_CURVES)]

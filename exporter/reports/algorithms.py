"""The algorithms behind suites, groups, keys and signatures, with their strength.

Sources: NIST SP 800-57 part 1 rev. 5, table 2 (strength of RSA, finite fields and curves in bits, and of hashes); the
call of NIST for post-quantum proposals, section 4.A.5 (the five categories: key search of AES-128, AES-192 and AES-256,
collisions of SHA-256 and SHA-384); FIPS 203, 204 and 205 (categories of ML-KEM, ML-DSA and SLH-DSA). Shor's algorithm
breaks RSA, finite fields and elliptic curves, so they have category 0, as CycloneDX writes "none".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from exporter.pki.keys import ED448, ED25519, ML_DSA, RSA
from exporter.tls.parameters import ML_KEM
from exporter.tls.suites import AEAD, CipherSuite

BROKEN = 0
"""The category of what a quantum computer breaks, and of what is broken without one."""


class Primitive(StrEnum):
    """What an algorithm is for, in the words of CycloneDX."""

    AE = "ae"
    BLOCK_CIPHER = "block-cipher"
    STREAM_CIPHER = "stream-cipher"
    HASH = "hash"
    MAC = "mac"
    KEM = "kem"
    COMBINER = "combiner"
    KEY_AGREE = "key-agree"
    PKE = "pke"
    SIGNATURE = "signature"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One algorithm.

    Attributes:
        parameter: length of the key or of the result in bits, or the name of a parameter set.
        curve: of an algorithm with elliptic curves.
        mode: of a cipher.
        bits: strength without quantum computers; None where it is not known.
        category: 0 to 5, the strength with quantum computers; None where nobody has said it.
        oid: its object identifier.
    """

    name: str
    primitive: Primitive
    parameter: str | None = None
    curve: str | None = None
    mode: str | None = None
    bits: int | None = None
    category: int | None = None
    oid: str | None = None


_OF_CIPHER = {
    **dict.fromkeys(("AES", "CAMELLIA", "ARIA", "SM4", "SEED", "CHACHA20", "SALSA20", "AEGIS", "KUZNYECHIK"), True),
    **dict.fromkeys(("3DES", "DES", "RC2", "RC4", "IDEA", "GOST28147", "MAGMA", "SKIPJACK"), False),
}
"""Family -> whether nothing faster than a search of all keys is practical, so that its category is that of AES."""
_STREAM = frozenset({"RC4", "CHACHA20", "SALSA20"})
_CIPHER_CATEGORY = {128: 1, 192: 3, 256: 5}
_HASH_BITS = {"MD5": 0, "SHA1": 0, "SHA256": 128, "SHA384": 192, "SHA512": 256}
"""Strength against collisions. MD5 and SHA-1 have none."""
_HASH_CATEGORY = {"MD5": BROKEN, "SHA1": BROKEN, "SHA256": 2, "SHA384": 4}
_SPELLED = {"SHA1": "SHA-1", "SHA256": "SHA-256", "SHA384": "SHA-384", "SHA512": "SHA-512", "SHA": "SHA-1"}
_MODES = ("GCM", "CCM_8", "CCM", "CBC", "CTR", "CNT", "CFB")
_AGREEMENTS = {"ECDHE": "ECDH", "AECDH": "ECDH", "ECDH": "ECDH", "DHE": "DH", "ADH": "DH", "DH": "DH"}
_SIGNERS = {"RSA": "RSA", "ECDSA": "ECDSA", "DSS": "DSA"}


def of_suite(suite: CipherSuite) -> Iterator[Algorithm]:
    """The algorithms that the name of a suite has; those without encryption or authentication have none of it."""
    if suite.agreement in _AGREEMENTS:
        yield Algorithm(_AGREEMENTS[suite.agreement], Primitive.KEY_AGREE, category=BROKEN)
    elif suite.agreement == "RSA":
        yield Algorithm("RSA key transport", Primitive.PKE, category=BROKEN)
    elif suite.agreement and suite.agreement != "NULL":
        yield Algorithm(suite.agreement, Primitive.OTHER)
    if suite.signed:
        yield Algorithm(_SIGNERS[suite.authentication], Primitive.SIGNATURE, category=BROKEN)
    if not suite.null_encryption:
        yield _cipher(suite)
    yield from _hash(suite)


def _cipher(suite: CipherSuite) -> Algorithm:
    family, bits = suite.encryption, suite.bits
    mode = next((mode for mode in _MODES if f"_{mode}" in suite.name), "CBC" if suite.cbc else None)
    plain = Primitive.STREAM_CIPHER if family in _STREAM else Primitive.BLOCK_CIPHER
    category = _CIPHER_CATEGORY.get(bits) if _OF_CIPHER[family] else None if bits == 256 else BROKEN
    name = "-".join(filter(None, (family, str(bits), mode and mode.replace("_", "-"))))
    if family == "CHACHA20" and suite.aead:
        name = "ChaCha20-Poly1305"
    return Algorithm(name, Primitive.AE if suite.aead else plain, str(bits), mode=mode, bits=bits, category=category)


def _hash(suite: CipherSuite) -> Iterator[Algorithm]:
    """The hash of the key derivation, and the code that authenticates where the cipher does not."""
    last = suite.name.rsplit("_", 1)[1]
    if suite.mac == AEAD:
        yield of_hash(last if last in {"SHA256", "SHA384", "SHA512", "SM3"} else "SHA256")  # RFC 6655, 3: CCM
    elif suite.mac in _HASH_BITS or suite.mac == "SM3":
        # A code needs no resistance to collisions, so its strength is not that of the hash, and nobody has said it.
        yield Algorithm(f"HMAC-{_SPELLED.get(suite.mac, suite.mac)}", Primitive.MAC)
    elif suite.mac:
        yield Algorithm(suite.mac, Primitive.MAC)


def of_hash(name: str) -> Algorithm:
    """A hash: `SHA256`, `SHA384`, ..."""
    return Algorithm(
        _SPELLED.get(name, name), Primitive.HASH, bits=_HASH_BITS.get(name), category=_HASH_CATEGORY.get(name)
    )


_KEM_CATEGORY = {"512": 1, "768": 3, "1024": 5}
_CURVE_BITS: Mapping[str, int] = {
    "x25519": 128,
    "x448": 224,
    "P-256": 128,
    "P-384": 192,
    "P-521": 256,
}
"""RFC 7748, 7: "close to 128 bits" and "224 bits". Other curves have half of their length, at most 256."""
_ENCAPSULATIONS = frozenset(ML_KEM.values())


def of_group(name: str) -> Algorithm:
    """A group of a key exchange, by its IANA name."""
    if name in _ENCAPSULATIONS:
        parameter = next(size for size in ("1024", "768", "512") if name.endswith(size))
        pure = name.startswith("MLKEM")
        return Algorithm(
            f"ML-KEM-{parameter}" if pure else name,
            Primitive.KEM if pure else Primitive.COMBINER,
            parameter,
            category=_KEM_CATEGORY[parameter],  # a hybrid is as strong as the stronger of its parts
        )
    if name.startswith("ffdhe"):
        size = int(name.removeprefix("ffdhe"))
        return Algorithm(name, Primitive.KEY_AGREE, str(size), bits=rsa_strength(size), category=BROKEN)
    if "Kyber" in name or name.startswith("0x"):
        return Algorithm(name, Primitive.OTHER)
    return Algorithm(name, Primitive.KEY_AGREE, curve=name, bits=_strength_of_curve(name), category=BROKEN)


def _strength_of_curve(name: str) -> int | None:
    if name in _CURVE_BITS:
        return _CURVE_BITS[name]
    size = re.search(r"\d{3}", name)
    return min(int(size[0]) // 2, 256) if size else 128 if name.endswith("SM2") else None


def of_prime(bits: int) -> Algorithm:
    """A key exchange with a finite field of this size."""
    return Algorithm(f"DH-{bits}", Primitive.KEY_AGREE, str(bits), bits=rsa_strength(bits), category=BROKEN)


_STRENGTHS = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))


def rsa_strength(size: int) -> int:
    """Strength of a key of RSA, DSA or a finite field; of a size between two of the table, that of the smaller one."""
    return next((bits for least, bits in _STRENGTHS if size >= least), 0)


_ML_DSA_CATEGORY = {"44": 2, "65": 3, "87": 5}


def of_key(algorithm: str, size: int | None, curve: str | None) -> Algorithm:
    """The algorithm of a key in a certificate; see `ServedCertificate` for the arguments."""
    for oid, kind in ML_DSA.items():
        if algorithm == oid.dotted_string:
            return _ml_dsa(kind.removeprefix("MLDSA"), algorithm)
    if curve is not None:
        return Algorithm(
            f"ECDSA {curve}", Primitive.SIGNATURE, curve=curve, bits=_strength_of_curve(curve), category=BROKEN
        )
    if algorithm in {ED25519, ED448}:
        bits = _CURVE_BITS["x25519" if algorithm == ED25519 else "x448"]
        return Algorithm(algorithm, Primitive.SIGNATURE, curve=algorithm, bits=bits, category=BROKEN)
    if algorithm in {RSA, "DSA"}:
        bits_known = None if size is None else rsa_strength(size)
        name = algorithm if size is None else f"{algorithm}-{size}"
        return Algorithm(name, Primitive.SIGNATURE, None if size is None else str(size), None, None, bits_known, BROKEN)
    return Algorithm(algorithm, Primitive.SIGNATURE, oid=algorithm if _is_oid(algorithm) else None)


def _ml_dsa(parameter: str, oid: str | None = None) -> Algorithm:
    return Algorithm(
        f"ML-DSA-{parameter}", Primitive.SIGNATURE, parameter, category=_ML_DSA_CATEGORY[parameter], oid=oid
    )


def _is_oid(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)+", text) is not None


_CLASSIC_SIGNATURE = re.compile(r"rsa|dsa_|ecdsa|dsa-with|dsaWith|ed25519|ed448|sm2|gost", re.IGNORECASE)


def of_signature(name: str) -> Algorithm:
    """The algorithm of a signature, by OpenSSL's name, its object identifier, or IANA's name of a scheme of TLS."""
    for oid, kind in ML_DSA.items():
        if name in {oid.dotted_string, kind.lower(), f"ML-DSA-{kind.removeprefix('MLDSA')}"}:
            return _ml_dsa(kind.removeprefix("MLDSA"), oid.dotted_string)
    hash_based = re.fullmatch(r"slhdsa(?:sha2|shake)(128|192|256)[sf]", name)
    if hash_based:
        return Algorithm(name, Primitive.SIGNATURE, hash_based[1], category=_CIPHER_CATEGORY[int(hash_based[1])])
    category = BROKEN if _CLASSIC_SIGNATURE.search(name) else None
    return Algorithm(name, Primitive.SIGNATURE, category=category, oid=name if _is_oid(name) else None)

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa

from exporter.pki.keys import PublicKey, key_kind, read_key
from exporter.pki.parsed import parse
from tests.support.certificates import issue, rsa_key
from tests.support.odd_certificates import BIT_STRING, SEQUENCE, Body, parts, tlv


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (rsa_key(2048), PublicKey("RSA", 2048, None, "RSA")),
        (ec.generate_private_key(ec.SECP256R1()), PublicKey("EC", 256, "P-256", "ECDSA P-256")),
        (ec.generate_private_key(ec.SECP521R1()), PublicKey("EC", 521, "P-521", "ECDSA P-521")),
        (ec.generate_private_key(ec.SECP256K1()), PublicKey("EC", 256, "secp256k1", "ECDSA secp256k1")),
        (ed25519.Ed25519PrivateKey.generate(), PublicKey("Ed25519", None, None, "Ed25519")),
        (ed448.Ed448PrivateKey.generate(), PublicKey("Ed448", None, None, "Ed448")),
        (mldsa.MLDSA44PrivateKey.generate(), PublicKey("2.16.840.1.101.3.4.3.17", None, None, "MLDSA44")),
        (mldsa.MLDSA65PrivateKey.generate(), PublicKey("2.16.840.1.101.3.4.3.18", None, None, "MLDSA65")),
        (mldsa.MLDSA87PrivateKey.generate(), PublicKey("2.16.840.1.101.3.4.3.19", None, None, "MLDSA87")),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_key_is_named_in_one_way(key: object, told: PublicKey) -> None:
    issued = issue("x", key=key)  # type: ignore[arg-type]
    assert read_key(issued.parsed) == told
    assert key_kind(issued.der()) == told.kind


def test_what_is_no_certificate_has_no_key() -> None:
    assert key_kind(b"nonsense") is None


def test_a_key_that_is_too_short_for_its_kind_cannot_be_read() -> None:
    authority = issue("authority", ca=True)
    signer = authority.key
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    body = Body.of(issue("x", authority, key=mldsa.MLDSA44PrivateKey.generate()).der())  # type: ignore[arg-type]
    algorithm, _ = parts(body.key)
    body.key = tlv(SEQUENCE, algorithm, tlv(BIT_STRING, bytes(100)))
    with pytest.raises(ValueError, match="key"):
        read_key(parse(body.signed(signer)))

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

from exporter.pki.keys import Key, key_kind, read_key
from tests.support.certificates import issue, rsa_key


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (rsa_key(2048), Key("RSA", 2048, None, "RSA")),
        (ec.generate_private_key(ec.SECP256R1()), Key("EC", 256, "P-256", "ECDSA P-256")),
        (ec.generate_private_key(ec.SECP521R1()), Key("EC", 521, "P-521", "ECDSA P-521")),
        (ec.generate_private_key(ec.SECP256K1()), Key("EC", 256, "secp256k1", "ECDSA secp256k1")),
        (ed25519.Ed25519PrivateKey.generate(), Key("Ed25519", None, None, "Ed25519")),
        (ed448.Ed448PrivateKey.generate(), Key("Ed448", None, None, "Ed448")),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_key_is_named_in_one_way(key: object, told: Key) -> None:
    issued = issue("x", key=key)  # type: ignore[arg-type]
    assert read_key(issued.parsed) == told
    assert key_kind(issued.der()) == told.kind


def test_what_is_no_certificate_has_no_key() -> None:
    assert key_kind(b"nonsense") is None

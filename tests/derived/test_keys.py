"""Digests of a server's RSA keys, from both probes that see certificates."""

from datetime import timedelta
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exporter.derived.keys import keys_known, served_keys, ssl2_keys
from exporter.facts.handshake import ServedChain
from exporter.model import Protocol
from tests.support.facts import certificate, certificates, deployment, facts, handshake
from tests.support.targets import NOW

NAME = x509.Name([])


@cache
def leaf(kind: str) -> tuple[bytes, str]:
    """A certificate with a key of its own, in DER, and the digest of that key."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else rsa.generate_private_key(65537, 2048)
    public = key.public_key()
    builder = x509.CertificateBuilder(NAME, NAME, public, 1, NOW, NOW + timedelta(days=1))
    digest = sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER), digest


def chain(der: bytes, *protocols: Protocol) -> ServedChain:
    return ServedChain(None, protocols or (Protocol.TLS1_2,), (der, b"issuer"))


def test_rsa_keys_count_wherever_they_were_seen() -> None:
    (plain, own), (elliptic, _) = leaf("RSA"), leaf("EC")
    known = facts(
        handshake(plain_chains=(chain(plain), chain(elliptic), chain(b"no certificate"))),
        certificates(deployment(key_algorithm="RSA", spki_sha256="aa"), deployment(key_algorithm="EC")),
    )
    assert served_keys(known) == {own, "aa"}


def test_both_probes_call_a_key_by_the_same_digest() -> None:
    der, own = leaf("RSA")
    known = facts(handshake(plain_chains=(chain(der),)), certificate(key_algorithm="RSA", spki_sha256=own))
    assert served_keys(known) == {own}


def test_without_facts_no_key_is_known() -> None:
    assert served_keys(facts()) == frozenset()
    assert not keys_known(facts())


def test_keys_are_known_when_no_chain_is_missing_and_each_can_be_read() -> None:
    assert keys_known(facts(certificate()))
    assert not keys_known(facts(certificates(deployment(), complete=False)))
    assert not keys_known(facts(certificates(deployment(), deployment(spki_sha256=None))))
    assert not keys_known(facts(certificates(deployment(), deployment(key_algorithm="unknown"))))
    assert not keys_known(facts(handshake(plain_chains=(chain(leaf("RSA")[0]),))))


def test_the_certificate_of_ssl2_tells_its_key_where_it_was_seen() -> None:
    (first, own), (second, other) = leaf("RSA"), leaf("another RSA")
    beside = chain(second)
    assert ssl2_keys(facts(handshake(plain_chains=(beside,), ssl2_certificate=chain(first).certificates[0]))) == {own}
    assert ssl2_keys(facts(handshake(plain_chains=(chain(first), beside)))) == {own, other}

"""ML-KEM in TLS 1.3: found on a server that has it, and not on one that has not."""

import asyncio
from pathlib import Path

import pytest

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol
from tests.support.processes import openssl_version
from tests.support.servers import SEED_NGINX, make_pki, nginx, tlslite
from tests.support.targets import read_handshake

pytestmark = pytest.mark.real

CLASSIC_CURVES = 'eccCurves=["x25519","secp256r1","secp384r1"]'


def read(port: int) -> HandshakeFacts:
    facts, _ = asyncio.run(read_handshake(port, timeout_seconds=20.0))
    return facts


def test_finds_ml_kem_where_it_is(tmp_path: Path) -> None:
    with tlslite(tmp_path, make_pki(tmp_path).rsa) as port:
        facts = read(port)
    assert {"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"} <= set(facts.groups[Protocol.TLS1_3].names)
    assert facts.groups[Protocol.TLS1_3].complete
    assert facts.post_quantum is True


def test_finds_none_on_the_same_server_without_it(tmp_path: Path) -> None:
    with tlslite(tmp_path, make_pki(tmp_path).rsa, CLASSIC_CURVES, 'keyShares=["x25519"]', "dhGroups=[]") as port:
        facts = read(port)
    assert set(facts.groups[Protocol.TLS1_3].names) == {"x25519", "secp256r1", "secp384r1"}
    assert facts.post_quantum is False


def test_finds_none_on_an_openssl_that_is_told_to_go_without(tmp_path: Path) -> None:
    with nginx(tmp_path, f"{SEED_NGINX} ssl_ecdh_curve X25519:prime256v1;", [make_pki(tmp_path).rsa]) as port:
        facts = read(port)
    assert set(facts.groups[Protocol.TLS1_3].names) == {"x25519", "secp256r1"}
    assert facts.groups[Protocol.TLS1_3].complete
    assert facts.post_quantum is False


def test_finds_it_on_an_openssl_that_has_it_by_default(tmp_path: Path) -> None:
    """OpenSSL has it since 3.5."""
    with nginx(tmp_path, SEED_NGINX, [make_pki(tmp_path).rsa]) as port:
        facts = read(port)
    assert facts.groups[Protocol.TLS1_3].complete
    assert facts.post_quantum is (openssl_version() >= (3, 5))

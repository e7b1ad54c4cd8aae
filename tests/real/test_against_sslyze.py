"""Real servers: the engine reads what sslyze reads, and the order verdict follows the server's directive."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from exporter.facts.handshake import HandshakeFacts
from exporter.model import CipherOrder, Protocol
from oracles.scanners import BY_NAME, Job
from tests.support.servers import (
    APACHE_SEED_LINES,
    SEED_NGINX,
    SEED_SUITES,
    WEAK_NGINX,
    Pki,
    apache,
    haproxy,
    limiting_front,
    make_pki,
    nginx,
    tlslite,
)
from tests.support.targets import read_handshake

pytestmark = pytest.mark.real

Server = Callable[[Path, Pki], AbstractContextManager[int]]

SEED_HAPROXY = f"ssl-min-ver TLSv1.2 ciphers {SEED_SUITES}"
TLSLITE_OLD = (
    "minVersion=[3,0]",
    "maxVersion=[3,3]",
    'cipherNames=["aes256","aes128","3des","rc4"]',
    'macNames=["sha","sha256","sha384","aead","md5"]',
)

SERVERS: dict[str, Server] = {
    "nginx as the checklist asks": lambda folder, pki: nginx(folder, SEED_NGINX, [pki.ecdsa, pki.rsa]),
    "Apache with the checklist's lines": lambda folder, pki: apache(folder, APACHE_SEED_LINES, [pki.ecdsa, pki.rsa]),
    "HAProxy as the checklist asks": lambda folder, pki: haproxy(folder, SEED_HAPROXY, [pki.ecdsa, pki.rsa]),
    "weak nginx": lambda folder, pki: nginx(folder, WEAK_NGINX, [pki.rsa]),
    "tlslite-ng with SSLv3, RC4 and 3DES": lambda folder, pki: tlslite(folder, pki.rsa, *TLSLITE_OLD),
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def read(port: int) -> HandshakeFacts:
    facts, _ = asyncio.run(read_handshake(port, timeout_seconds=5.0))
    return facts


@pytest.mark.parametrize("name", SERVERS)
def test_protocols_and_suites_equal_sslyze(name: str, pki: Pki, tmp_path: Path) -> None:
    with SERVERS[name](tmp_path, pki) as port:
        facts = read(port)
        oracle = BY_NAME["sslyze"].scan(Job(port, None, tmp_path / "sslyze")).suites
    assert None not in facts.protocols.values(), facts.notes
    assert not facts.cipher_suites_incomplete, facts.notes
    assert set(facts.accepted) == set(oracle)
    ours = {protocol: set(suites) for protocol, suites in facts.cipher_suites.items()}
    assert ours == oracle
    assert {p: len(s) for p, s in facts.cipher_suites.items()} == {p: len(s) for p, s in oracle.items()}


def test_the_old_server_has_what_it_was_started_for(pki: Pki, tmp_path: Path) -> None:
    """So that the comparison above compares something."""
    with tlslite(tmp_path, pki.rsa, *TLSLITE_OLD) as port:
        facts = read(port)
    assert facts.protocols[Protocol.SSL3] is True
    assert {"TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"} <= set(facts.cipher_suites[Protocol.SSL3])


FRONTS = (
    "tcp-request content reject if { sc0_conn_cur gt 1 }",
    "tcp-request content reject if { sc0_conn_cur gt 2 }",
    "tcp-request connection reject if { sc0_conn_rate gt 10 }",
    "tcp-request content reject if { sc0_conn_rate gt 10 }",
    "tcp-request content reject if { sc0_conn_rate gt 20 }",
    "tcp-request content reject if { sc0_conn_rate gt 40 }",
)


@pytest.mark.parametrize("rule", FRONTS)
def test_a_front_that_limits_connections_makes_nothing_false(rule: str, pki: Pki, tmp_path: Path) -> None:
    """What it turns away is unknown, never refused: everything that is said holds for the server behind it."""
    with nginx(tmp_path, WEAK_NGINX, [pki.rsa]) as port:
        truth = read(port)
        with limiting_front(tmp_path, port, rule) as front:
            facts = read(front)
    for protocol, accepted in facts.protocols.items():
        assert accepted in {None, truth.protocols[protocol]}, (protocol, facts.notes)
    for protocol, suites in facts.cipher_suites.items():
        assert set(suites) <= set(truth.cipher_suites[protocol])
        assert protocol in facts.cipher_suites_incomplete or set(suites) == set(truth.cipher_suites[protocol]), (
            facts.notes
        )


ORDERS = {CipherOrder.SERVER: "on", CipherOrder.CLIENT: "off"}
ORDERED_SERVERS: dict[str, Callable[[str, Path, Pki], AbstractContextManager[int]]] = {
    "nginx": lambda flag, folder, pki: nginx(
        folder,
        SEED_NGINX.replace("ssl_prefer_server_ciphers on", f"ssl_prefer_server_ciphers {flag}"),
        [pki.ecdsa, pki.rsa],
    ),
    "Apache": lambda flag, folder, pki: apache(
        folder,
        APACHE_SEED_LINES.replace("SSLHonorCipherOrder     on", f"SSLHonorCipherOrder {flag}"),
        [pki.ecdsa, pki.rsa],
    ),
    "HAProxy": lambda flag, folder, pki: haproxy(
        folder, SEED_HAPROXY + {"on": "", "off": " prefer-client-ciphers"}[flag], [pki.ecdsa, pki.rsa]
    ),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ORDERED_SERVERS)
def test_the_order_verdict_follows_the_directive(name: str, order: CipherOrder, pki: Pki, tmp_path: Path) -> None:
    with ORDERED_SERVERS[name](ORDERS[order], tmp_path, pki) as port:
        facts = read(port)
    assert set(facts.cipher_order) == {Protocol.TLS1_2, Protocol.TLS1_3}
    # HAProxy lets clients that put ChaCha20 first have it, whatever its order (configuration manual, 5.1).
    expected = CipherOrder.MIXED if (name, order) == ("HAProxy", CipherOrder.SERVER) else order
    assert set(facts.cipher_order.values()) == {expected}

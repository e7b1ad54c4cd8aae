"""Servers whose prime would keep OpenSSL busy for seconds: nobody computes with it, and nobody waits for them."""

import asyncio
import base64
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.facts.http import HttpFacts
from exporter.model import ClientAuthentication, Protocol, Reason, ScanResult
from exporter.net.primes import MOST_PRIME_BITS
from exporter.scan import scan
from exporter.threads import OPENSSL
from tests.support.certificates import HOST, dns, issue, rsa_key
from tests.support.odd_certificates import INTEGER, SEQUENCE, tlv
from tests.support.scripted import Script, Seen, Stack, scripted_server
from tests.support.servers import SEED_NGINX, Pki, make_pki, nginx
from tests.support.targets import make_environment, make_target

SERVERS, HEALTHY = 12, 3
TLS1_2 = 0x0303
BITS = 9984
ANONYMOUS, SIGNED = 0x0034, 0x009E
"""ADH-AES128-SHA needs no signature, so OpenSSL computes with what it gets. DHE-RSA shows our hellos the chain."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def healthy(tmp_path: Path, pki: Pki) -> Iterator[int]:
    with nginx(tmp_path, SEED_NGINX, [pki.ecdsa, pki.rsa]) as port:
        yield port


class NoExecutor(ThreadPoolExecutor):
    """Takes no work."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:  # noqa: ANN401 - as there
        raise AssertionError("work was given to the threads of asyncio")


def hostile() -> Script:
    """TLS 1.2 with finite fields only, and a number of 9,984 bits that is no prime: OpenSSL does not check that."""
    leaf = issue(HOST, names=dns(HOST), key=rsa_key(2048)).der()
    suites = {TLS1_2: (ANONYMOUS, SIGNED)}
    stack = Stack(suites, prime=(1 << BITS) - 1, certificates={"RSA": [leaf]}, answers=frozenset())
    return lambda hello: stack(replace(hello, version=min(hello.version, TLS1_2)))


@pytest.mark.real
def test_twelve_servers_with_a_huge_prime_get_no_thread_and_nobody_waits(healthy: int, pki: Pki) -> None:
    async def run() -> tuple[list[ScanResult], list[ScanResult], list[Seen]]:
        asyncio.get_running_loop().set_default_executor(NoExecutor())
        environment, script = make_environment(), hostile()
        async with AsyncExitStack() as held:
            seen = [await held.enter_async_context(scripted_server(script)) for _ in range(SERVERS)]
            targets = [make_target(one.port, name=f"hostile {one.port}") for one in seen]
            others = [make_target(healthy, name=f"healthy {n}", ca_file=str(pki.bundle)) for n in range(HEALTHY)]
            results = await asyncio.gather(*(scan(target, environment) for target in (*targets, *others)))
            for one in seen:
                await one.end()
            return results[:SERVERS], results[SERVERS:], seen

    bad, good, seen = asyncio.run(run())
    assert [result.failures for result in good if not result.success] == []
    assert [one.later for one in seen if any(one.later)] == [], "OpenSSL computed a key with the prime"
    for result in bad:
        hellos, certificate = result.facts.get(HandshakeFacts), result.facts.get(CertificateFacts)
        assert hellos is not None
        assert hellos.dh_primes == (Prime(BITS),)
        assert certificate is not None, "the chain is in plain text"
        assert certificate.first.subject_alternative_names == (f"DNS:{HOST}",)
        assert certificate.client_authentication is None
        assert result.facts.get(HttpFacts) is None
        (failure,) = (one for one in result.failures if one.probe == "http")
        assert failure.reason is Reason.HANDSHAKE_ERROR
        assert f"prime of {BITS} bits" in failure.detail
    assert (OPENSSL.busy, OPENSSL.queue) == (0, 0)


def parameters(folder: Path, bits: int) -> Path:
    """DH parameters in PEM (PKCS #3) with an odd number of this length; no server checks that it is a prime."""
    number = (1 << (bits - 1)) | (0x5EED << 1024) | 1
    der = tlv(SEQUENCE, *(tlv(INTEGER, one.to_bytes(one.bit_length() // 8 + 1, "big")) for one in (number, 2)))
    text = base64.encodebytes(der).decode()
    file = folder / "dh.pem"
    file.write_text(f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n")
    return file


PREFERS_FINITE = """
    ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on; ssl_dhparam {0};
    ssl_ciphers DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;
"""


@pytest.mark.real
def test_a_server_with_other_suites_is_examined_by_those(tmp_path: Path, pki: Pki) -> None:
    bits = MOST_PRIME_BITS + 64
    directives = PREFERS_FINITE.format(parameters(tmp_path, bits))
    with nginx(tmp_path, directives, [pki.rsa]) as port:
        result = asyncio.run(scan(make_target(port, ca_file=str(pki.bundle)), make_environment()))
    assert result.success, result.failures
    hellos, certificate = result.facts.get(HandshakeFacts), result.facts.get(CertificateFacts)
    assert hellos is not None
    assert hellos.dh_primes == (Prime(bits),)
    assert hellos.cipher_suites[Protocol.TLS1_2][0].startswith("TLS_DHE_RSA_")
    assert certificate is not None
    assert certificate.client_authentication is ClientAuthentication.NONE
    assert result.facts.get(HttpFacts) is not None

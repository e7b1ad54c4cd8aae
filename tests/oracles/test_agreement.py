"""Ours, sslyze and sslscan agree about real servers, except for explained differences; short form of `make oracles`."""

from pathlib import Path

import pytest

from oracles import explanations, scanners, servers
from oracles.__main__ import compare_on
from oracles.certificates import Certificates
from oracles.matrix import used
from tests.support.starttls_servers import ROOT

pytestmark = pytest.mark.real

SSLSCAN, SSLYZE = scanners.BY_NAME["sslscan"], scanners.BY_NAME["sslyze"]
EXPLAINED = explanations.load(servers.BY_NAME, scanners.BY_NAME)

IN_SHORT = {
    **dict.fromkeys(("nginx-checklist", "nginx-weak-rsa", "nginx-1.3-only", "nginx-1.2-rsa-kx"), (SSLYZE, SSLSCAN)),
    **dict.fromkeys(("nginx-ed25519", "nginx-ffdhe", "apache-checklist", "haproxy-checklist"), (SSLYZE, SSLSCAN)),
    **dict.fromkeys(("openssl-psk", "gnutls-server-order", "gnutls-ffdhe", "caddy", "openldap"), (SSLYZE, SSLSCAN)),
    **dict.fromkeys(("nginx-weak", "nginx-chacha", "nginx-p384", "nginx-rsa4096", "nginx-stapling"), (SSLSCAN,)),
    **dict.fromkeys(("nginx-client-certificate", "haproxy-strict-sni", "haproxy-old", "lighttpd"), (SSLSCAN,)),
    **dict.fromkeys(("stunnel", "asyncio", "openssl-curves", "openssl-no-extras", "gnutls"), (SSLSCAN,)),
    **dict.fromkeys(("mbedtls", "botan"), (SSLYZE, SSLSCAN)),
    **dict.fromkeys(("wolfssl", "wolfssl-old", "nss", "bearssl"), (SSLYZE,)),
    **dict.fromkeys(("gnutls-x448", "tlslite", "exim", "postfix", "vsftpd"), (SSLSCAN,)),
}
"""Server -> scanners. The others are much like one of these and take seconds of CPU time, as sslyze does everywhere."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("name", IN_SHORT)
def test_every_disagreement_is_explained_and_every_explanation_needed(
    name: str, certificates: Certificates, tmp_path: Path
) -> None:
    server = servers.BY_NAME[name]
    if server.root and not ROOT:
        pytest.skip(f"{name} runs as root only")
    reports = tmp_path / "reports"
    compared = compare_on(server, IN_SHORT[name], tmp_path, reports, made=certificates, explained=EXPLAINED)
    assert [f"{c.scanner}: {statement}" for c in compared for statement in c.unexplained] == []
    named = [one for one in EXPLAINED if name in one.servers]
    places = {(comparison.server, comparison.scanner) for comparison in compared}
    assert explanations.stale(named, servers.BY_NAME, places, used(compared)) == []

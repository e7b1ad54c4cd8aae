"""Every STARTTLS dialogue that Debian packages a server for, up to the whole scan of that server."""

import asyncio

import pytest

from exporter.model import Protocol
from exporter.probes.certificate import CertificateFacts
from exporter.probes.handshake import HandshakeFacts
from exporter.scan import scan
from exporter.services import STARTTLS
from tests.support.servers import HOST, Pki, make_pki
from tests.support.starttls_servers import ROOT, ROOT_ONLY, SERVERS
from tests.support.targets import make_environment, make_target

pytestmark = pytest.mark.real

SCRIPTED_ONLY = {"nntp"}
"""Of these no package brings a server that runs by itself: INN's does not configure on a host without a domain."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def test_every_other_dialogue_has_its_server() -> None:
    assert {dialogue for dialogue, _ in SERVERS.values()} == STARTTLS.keys() - SCRIPTED_ONLY


@pytest.mark.parametrize("name", SERVERS)
def test_a_scan_reads_the_server_behind_its_dialogue(pki: Pki, name: str) -> None:
    if name in ROOT_ONLY and not ROOT:
        pytest.skip(f"{name} runs as root only")
    dialogue, server = SERVERS[name]
    with server(pki) as port:
        target = make_target(port, protocol=dialogue, starttls=dialogue, ca_file=str(pki.bundle), timeout_seconds=3)
        result = asyncio.run(scan(target, make_environment()))

    handshake, certificate = result.facts.get(HandshakeFacts), result.facts.get(CertificateFacts)
    assert result.success, result.failures
    assert handshake is not None
    assert {Protocol.TLS1_2, Protocol.TLS1_3} & set(handshake.accepted or ())
    assert certificate is not None
    assert certificate.subject_alternative_names == (f"DNS:{HOST}",)
    assert certificate.hostname_match is True
    assert certificate.trusted is True
    assert certificate.chain_length >= 1

"""What real servers say of themselves before TLS, in the connections that a scan opens anyway."""

import asyncio

import pytest

from exporter.probes.handshake import HandshakeFacts
from exporter.scan import scan
from exporter.software.greetings import SPEAK_FIRST, read_greeting
from tests.support.servers import Pki, make_pki
from tests.support.starttls_servers import ROOT, ROOT_ONLY, SERVERS
from tests.support.targets import make_environment, make_target

pytestmark = pytest.mark.real

SAID = {
    "Postfix": ("postfix", False),
    "Exim": ("exim", True),
    **dict.fromkeys(("Dovecot LMTP", "Dovecot IMAP", "Dovecot POP3", "Dovecot ManageSieve"), ("dovecot", False)),
    "vsftpd": ("vsftpd", True),
    "MariaDB": ("mariadb", True),
}
"""Name of the server -> its product, and whether it shows a version, as Debian configures it."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.mark.parametrize("name", [name for name, (dialogue, _) in SERVERS.items() if dialogue in SPEAK_FIRST])
def test_the_greeting_of_a_scan_names_the_server(pki: Pki, name: str) -> None:
    if name in ROOT_ONLY and not ROOT:
        pytest.skip(f"{name} runs as root only")
    dialogue, server = SERVERS[name]
    with server(pki) as port:
        target = make_target(port, protocol=dialogue, starttls=dialogue, timeout_seconds=3, vulnerability_interval=None)
        result = asyncio.run(scan(target, make_environment()))
    handshake = result.facts.get(HandshakeFacts)
    assert handshake is not None, result.failures
    assert handshake.greeting
    found = [(one.product, one.version is not None) for one in read_greeting(dialogue, handshake.greeting)]
    assert found == [SAID[name]], handshake.greeting

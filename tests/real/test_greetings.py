"""What real servers say of themselves before TLS, or first inside it, in the connections that a scan opens anyway."""

import asyncio
import ssl

import pytest

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.scan import scan
from exporter.services import SERVICES
from exporter.software.greetings import read_greeting
from tests.support.servers import Pki, make_pki
from tests.support.starttls_servers import ROOT, ROOT_ONLY, SERVERS
from tests.support.targets import make_environment, make_target
from tests.support.wires import pump

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


@pytest.mark.parametrize("name", [name for name, (dialogue, _) in SERVERS.items() if SERVICES[dialogue].greeting])
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


def _behind_tls(pki: Pki, port: int, protocol: str) -> str | None:
    """What the certificate probe of a scan hears of the server on this port, with nothing but TLS put before it."""

    async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def run() -> str | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.ecdsa)
        async with await asyncio.start_server(front, "127.0.0.1", 0, ssl=context) as server:
            target = make_target(server.sockets[0].getsockname()[1], protocol=protocol, timeout_seconds=3)
            result = await scan(target, make_environment())
            certificate = result.facts.get(CertificateFacts)
            assert certificate is not None, result.failures
            return certificate.greeting

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "protocol"), [("Exim", "smtps"), ("Dovecot IMAP", "imaps"), ("Dovecot POP3", "pop3s")]
)
def test_the_greeting_inside_tls_names_the_server_too(pki: Pki, name: str, protocol: str) -> None:
    dialogue, server = SERVERS[name]
    with server(pki) as port:
        greeting = _behind_tls(pki, port, protocol)
    assert greeting
    found = [(one.product, one.version is not None) for one in read_greeting(dialogue, greeting)]
    assert found == [SAID[name]], greeting

"""Key exchanges with a pre-shared key show their prime and their curve to clients that have no such key."""

import asyncio
from pathlib import Path

import pytest

from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.facts.vulnerabilities import POSSIBLE
from exporter.model import Facts, Protocol
from exporter.probes.handshake import PROBE
from tests.support.servers import HOST, make_pki
from tests.support.stacks import gnutls
from tests.support.targets import make_session, make_target

pytestmark = pytest.mark.real


def seen(port: int) -> HandshakeFacts:
    async def run() -> HandshakeFacts:
        session = make_session(make_target(port, host=HOST, server_name=HOST), known=Facts())
        return await PROBE.run(session)

    return asyncio.run(run())


@pytest.mark.parametrize("hint", ["", "who are you?"])
def test_primes_and_curves_are_read_behind_the_identity_hint(hint: str, tmp_path: Path) -> None:
    priority = "NORMAL:-KX-ALL:+DHE-PSK:+ECDHE-PSK:-VERS-ALL:+VERS-TLS1.2"
    with gnutls(tmp_path, make_pki(tmp_path).rsa, priority, f"psk={hint}") as port:
        facts = seen(port)
    assert any("_DHE_PSK_" in name for name in facts.cipher_suites[Protocol.TLS1_2])
    assert (facts.dh_primes, facts.unseen_dh_primes) == ((Prime(2048, "ffdhe2048"),), {})
    assert facts.groups[Protocol.TLS1_2].names


def test_robot_may_work_where_clients_encrypt_to_the_certificate_and_have_a_psk(tmp_path: Path) -> None:
    with gnutls(tmp_path, make_pki(tmp_path).rsa, "NORMAL:-KX-ALL:+RSA-PSK:-VERS-ALL:+VERS-TLS1.2", "psk=") as port:
        facts = seen(port)
    assert facts.cipher_suites[Protocol.TLS1_2][0].startswith("TLS_RSA_PSK_")
    assert POSSIBLE["robot"](facts) is None

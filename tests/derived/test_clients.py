"""Which clients can connect: as metrics and as a document."""

import pytest

from exporter.clients.files import shipped_clients
from exporter.derived.clients import DERIVATION, ClientConnections
from exporter.facts.handshake import Listing
from exporter.model import CipherOrder, Protocol
from exporter.simulation.connect import SimulatedConnection
from exporter.simulation.terms import Obstacle
from tests.support.facts import CBC_RSA, GCM, case, certificate, handshake

TLS1_0, TLS1_2, TLS1_3 = Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3
CURVES = Listing(("x25519", "secp256r1"), complete=True)
SCHEMES = Listing(("rsa_pkcs1_sha256",), complete=True)
ONLY_1_2 = handshake(
    {TLS1_2: (GCM,)},
    groups={TLS1_2: CURVES},
    group_order={TLS1_2: CipherOrder.SERVER},
    signature_schemes=SCHEMES,
)
ONLY_1_0 = handshake({TLS1_0: (CBC_RSA,)})


def derived(
    *parts: object, clients: tuple[str, ...] = (), server_name: str | None = "www.test.example"
) -> ClientConnections:
    found = DERIVATION.derive(case(*parts, clients=clients, server_name=server_name))
    assert found is not None
    return found


def samples(found: ClientConnections) -> list[tuple[str, dict[str, str], float]]:
    return [(one.family.name, dict(one.labels), one.value) for one in DERIVATION.shape.samples(found)]


def test_metrics_tell_of_the_clients_that_the_configuration_names_alone() -> None:
    name = "tls_posture_client_connects"
    found = derived(ONLY_1_2, certificate(), clients=("android-4.4.2", "android-4.3"))
    assert samples(found) == [(name, {"client": "android-4.4.2"}, True), (name, {"client": "android-4.3"}, False)]
    assert samples(derived(ONLY_1_2, certificate())) == []


def test_what_is_not_known_has_no_sample() -> None:
    found = derived(handshake({}, open_protocols=Protocol), certificate(), clients=("android-4.3",))
    assert found.of("android-4.3").connects is None
    assert samples(found) == []


def test_without_a_handshake_nothing_is_known() -> None:
    assert DERIVATION.derive(case(certificate(), clients=("android-4.3",))) is None


def test_a_scan_without_a_server_name_tells_of_clients_without_one() -> None:
    accepted = SimulatedConnection(True, TLS1_0, CBC_RSA)
    assert derived(ONLY_1_0, server_name=None).of("android-2.3.7") == accepted
    named = derived(ONLY_1_0).of("android-2.3.7")
    assert (named.connects, named.reason, named.cipher_suite) == (None, Obstacle.NO_SNI, CBC_RSA)


def test_the_document_has_every_client() -> None:
    document = DERIVATION.shape.document(derived(ONLY_1_2, certificate()))["clients"]
    assert isinstance(document, dict)
    assert list(document) == list(shipped_clients().clients)
    assert document["android-4.4.2"] == {
        "connects": True,
        "protocol": "TLSv1.2",
        "cipher_suite": GCM,
        "group": "secp256r1",
        "reason": None,
        "detail": None,
    }
    assert document["java-7u25"] == {
        "connects": False,
        "protocol": None,
        "cipher_suite": None,
        "group": None,
        "reason": "no_common_protocol",
        "detail": "the client offers SSLv3 to TLSv1.0, the server accepts TLSv1.2",
    }


def test_a_client_that_is_not_known_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        derived(ONLY_1_2).of("netscape")

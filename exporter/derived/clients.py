"""Which clients can connect, as it follows from what hellos and certificates show.

Worked out when it is asked for: a report is judged far more often than somebody wants to know of all clients.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.case import Case
from exporter.clients.files import shipped_clients
from exporter.derived.base import Derivation
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.shape import Shape
from exporter.model import Family, Sample
from exporter.simulation.connect import SimulatedConnection, connect
from exporter.simulation.terms import SimulatedServer


@dataclass(frozen=True, slots=True)
class ClientConnections:
    """What comes of any client with one server.

    Attributes:
        watched: ids of the clients that the target's configuration names.
    """

    server: SimulatedServer
    watched: tuple[str, ...]

    def of(self, client: str) -> SimulatedConnection:
        """What comes of the client with this id, which must be a known one."""
        return connect(shipped_clients().clients[client], self.server)


def _derive(case: Case) -> ClientConnections | None:
    handshake = case.facts.get(HandshakeFacts)
    if handshake is None:
        return None
    server = SimulatedServer(handshake, case.facts.get(CertificateFacts), named=case.target.server_name is not None)
    return ClientConnections(server, case.target.clients)


CLIENT_CONNECTS = Family(
    "tls_posture_client_connects",
    "Whether the client can connect, for each client that the configuration names; absent when that is not known "
    "(as of the last scan)",
)


def _samples(facts: ClientConnections) -> Iterator[Sample]:
    for client in facts.watched:
        connects = facts.of(client).connects
        if connects is not None:
            yield Sample(CLIENT_CONNECTS, connects, {"client": client})


def _document(facts: ClientConnections) -> dict[str, object]:
    return {"clients": {client: _shown(facts.of(client)) for client in shipped_clients().clients}}


def _shown(connection: SimulatedConnection) -> dict[str, object]:
    return {
        "connects": connection.connects,
        "protocol": connection.protocol,
        "cipher_suite": connection.suite,
        "group": connection.group,
        "reason": connection.obstacle,
        "detail": connection.detail or None,
    }


DERIVATION = Derivation(derive=_derive, shape=Shape(ClientConnections, _document, (CLIENT_CONNECTS,), samples=_samples))

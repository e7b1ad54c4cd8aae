"""Which clients can connect, by what hellos and certificates show.

Computed on demand: reports are judged far more often than the outcomes of all clients are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from typing_extensions import TypedDict

from exporter.case import Case
from exporter.clients.files import shipped_clients
from exporter.derived.base import Derivation
from exporter.facts.certificate import CertificateFacts
from exporter.facts.form import Key
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.shape import Shape
from exporter.model import Family, Label, Sample, Unit
from exporter.simulation.connect import SimulatedConnection, connect
from exporter.simulation.terms import Obstacle, SimulatedServer


@dataclass(frozen=True, slots=True)
class ClientConnections:
    """The outcome for any client with one server.

    Attributes:
        watched: ids of the clients that the target's configuration names.
    """

    server: SimulatedServer
    watched: tuple[str, ...]

    def of(self, client: str) -> SimulatedConnection:
        """The outcome for the client with this id, which must be known."""
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
    Unit.FLAG,
    "when it is not known, and for a client that the configuration does not name",
    labels=(Label("client", "id of the client, as in docs/clients.md", example="android-4.3"),),
    example=0,
)


def _samples(facts: ClientConnections) -> Iterator[Sample]:
    for client in facts.watched:
        connects = facts.of(client).connects
        if connects is not None:
            yield Sample(CLIENT_CONNECTS, connects, {"client": client})


class ConnectionForm(TypedDict):
    """The outcome for one client; null where it is not known or does not apply."""

    connects: Annotated[bool | None, Key("whether the client can connect")]
    protocol: Annotated[str | None, Key("this and the next two: what is agreed on, even where the client refuses it")]
    cipher_suite: Annotated[str | None, Key("IANA name")]
    group: Annotated[str | None, Key("of the key exchange, IANA name")]
    reason: Annotated[Obstacle | None, Key("why it cannot connect, or what it hangs on where that is not known")]
    detail: Annotated[str | None, Key("that, for a person")]


class ClientKeys(TypedDict):
    """What follows about clients."""

    # It follows from facts that are compared themselves, and takes long to compute.
    clients: Annotated[
        dict[str, ConnectionForm],
        Key(
            "id of a client -> whether it can connect, simulated from the facts above; see docs/clients.md",
            compared=False,
        ),
    ]


def _document(facts: ClientConnections) -> ClientKeys:
    return {"clients": {client: _shown(facts.of(client)) for client in shipped_clients().clients}}


def _shown(connection: SimulatedConnection) -> ConnectionForm:
    return {
        "connects": connection.connects,
        "protocol": connection.protocol,
        "cipher_suite": connection.cipher_suite,
        "group": connection.group,
        "reason": connection.reason,
        "detail": connection.detail or None,
    }


DERIVATION = Derivation(
    derive=_derive,
    shape=Shape(ClientConnections, ClientKeys, _document, (CLIENT_CONNECTS,), samples=_samples, title="Clients"),
)

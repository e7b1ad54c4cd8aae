"""Check `clients`: clients that must connect can, and clients that must not connect cannot.

The outcome for each client is simulated from facts (`exporter.simulation`). Whether the client trusts the certificate
is not checked.
"""

from collections.abc import Iterable
from typing import Self

from pydantic import Field, model_validator

from exporter.case import Case
from exporter.clients.files import ClientIds, shipped_clients
from exporter.derived.clients import ClientConnections
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Remedy
from exporter.remedies.servers import everywhere, evidence_text
from exporter.simulation.connect import SimulatedConnection


class ClientsDemand(Demand):
    """Clients by id; docs/clients.md lists them."""

    can_connect: ClientIds = Field(default_factory=list)
    cannot_connect: ClientIds = Field(default_factory=list)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.can_connect and not self.cannot_connect:
            raise ValueError("names no client; give can_connect, cannot_connect or both")
        both = [client for client in self.can_connect if client in self.cannot_connect]
        if both:
            raise ValueError(f"{both[0]} cannot be in can_connect and in cannot_connect")
        return self


def _judge(case: Case, demand: ClientsDemand) -> Outcome:
    facts = case.facts.get(ClientConnections)
    if facts is None:
        return unknown("what the server accepts is not known")
    wrong: dict[str, tuple[str, ...]] = {}
    left_open: dict[str, tuple[str, ...]] = {}
    for client in (*demand.can_connect, *demand.cannot_connect):
        connection = facts.of(client)
        if connection.connects is None:
            left_open[client] = (_said(connection),)
        elif connection.connects is not (client in demand.can_connect):
            wrong[client] = (_said(connection),)
    if wrong:
        return failed(_summary(wrong, demand), wrong)
    if left_open:
        return unknown(f"it is not known whether {_names(left_open)} can connect", left_open)
    return passed(_everything(demand))


def _said(connection: SimulatedConnection) -> str:
    """The reason of a failure where there is one, else what client and server agree on."""
    if connection.reason is not None:
        return f"{connection.reason}: {connection.detail}" if connection.detail else connection.reason
    agreed = (connection.protocol, connection.cipher_suite, connection.group)
    return " ".join(part for part in agreed if part is not None)


def _names(clients: Iterable[str]) -> str:
    known = shipped_clients().clients
    return ", ".join(known[client].name for client in clients)


def _summary(wrong: dict[str, tuple[str, ...]], demand: ClientsDemand) -> str:
    kept_out = [client for client in wrong if client in demand.can_connect]
    let_in = [client for client in wrong if client in demand.cannot_connect]
    parts = [f"{_names(kept_out)} cannot connect"] if kept_out else []
    return "; ".join([*parts, *([f"{_names(let_in)} can connect"] if let_in else [])])


def _everything(demand: ClientsDemand) -> str:
    parts = [f"{_names(demand.can_connect)} can connect"] if demand.can_connect else []
    return "; ".join([*parts, *([f"{_names(demand.cannot_connect)} cannot"] if demand.cannot_connect else [])])


def _asks(demand: ClientsDemand) -> str:
    parts = [f"{_names(demand.can_connect)} to connect"] if demand.can_connect else []
    return ", and ".join([*parts, *([f"{_names(demand.cannot_connect)} not to"] if demand.cannot_connect else [])])


def _remedy(_case: Case, _demand: ClientsDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """Which clients have the wrong outcome."""
    return everywhere(
        "Accept a protocol, a suite and a group that the clients have which are to connect, and none that those have "
        f"which are not: {evidence_text(outcome.evidence) or outcome.summary}."
    )


CHECK = Check(
    name="clients",
    why=(
        "A stricter configuration locks old clients out. This check says which clients have to get in, and "
        "which must not."
    ),
    demand=ClientsDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)

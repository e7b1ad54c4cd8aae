"""Clients that can connect, and the grade, for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.clients.client import Client
from exporter.clients.files import shipped_clients
from exporter.derived.clients import ClientConnections
from exporter.grade import RULES, Grade, Rule
from exporter.simulation.connect import SimulatedConnection

_RULES: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
_CATEGORIES = {"protocols": "protocols", "key_exchange": "key exchange", "ciphers": "ciphers"}


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One client, and the outcome of its simulated connection.

    Attributes:
        watched: the configuration names it.
    """

    client: Client
    connection: SimulatedConnection
    watched: bool


@dataclass(frozen=True, slots=True)
class ShownClients:
    """All clients by their outcome."""

    refused: tuple[ClientRow, ...]
    unknown: tuple[ClientRow, ...]
    connected: tuple[ClientRow, ...]


@dataclass(frozen=True, slots=True)
class GradeReason:
    """A rule or category.

    Attributes:
        text: what it is about.
        effect: the best letter where it applies; empty for a category.
    """

    name: str
    text: str
    effect: str = ""


@dataclass(frozen=True, slots=True)
class ShownGrade:
    """The grade with its reasons.

    Attributes:
        caps: the rules that apply, the one that counts most first.
        missing: what is not known and may change the letter.
    """

    grade: Grade
    caps: tuple[GradeReason, ...]
    missing: tuple[GradeReason, ...]


def shown_clients(connections: ClientConnections) -> ShownClients:
    """The outcome of every client of our table."""
    rows = [
        ClientRow(client, connections.of(name), name in connections.watched)
        for name, client in shipped_clients().clients.items()
    ]
    refused, unknown, connected = (
        tuple(row for row in rows if row.connection.connects is outcome) for outcome in (False, None, True)
    )
    return ShownClients(refused, unknown, connected)


def shown_grade(grade: Grade) -> ShownGrade:
    """The grade with descriptions of its rules."""
    return ShownGrade(grade, tuple(map(_reason, grade.caps)), tuple(map(_reason, grade.missing)))


def _reason(name: str) -> GradeReason:
    if name in _RULES:
        return GradeReason(name, f"a server that {_RULES[name].description}", _RULES[name].effect)
    return GradeReason(name, f"the score of {_CATEGORIES.get(name, name)}")

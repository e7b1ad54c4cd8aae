"""Who may have one more connection, and whose is closed for it."""

from collections import Counter
from dataclasses import dataclass

import pytest

from exporter.web.connections import Connections, Cut, Watch, network_of
from exporter.web.limits import CONNECTIONS, LEAST_CONNECTIONS, WebLimits, descriptors_reserved


@dataclass(eq=False)
class Client:
    """A connection, as far as its place depends on it."""

    network: str
    quiet_since: float = 0.0
    responding: bool = False
    closed: bool = False
    late: Cut | None = None

    def overdue(self, now: float) -> Cut | None:
        return self.late if now > 100 else None

    def cut(self) -> None:
        self.closed = True


class Full:
    """Connections at their limit."""

    def __init__(self, *clients: Client, most: int | None = None, per_address: int = 3) -> None:
        self.cut: Counter[Cut] = Counter()
        self.open = 0
        limits = WebLimits(connections=most or len(clients), per_address=per_address)
        self.connections = Connections(limits, Watch(self._opened, lambda reason: self.cut.update([reason])))
        for client in clients:
            assert self.connections.admit(client.network)
            self.connections.add(client)

    def _opened(self, count: int) -> None:
        self.open = count


def test_the_address_with_most_connections_gives_up_the_one_that_is_quiet_longest() -> None:
    quiet, other, few = Client("a", 1), Client("a", 2), Client("b", 0)
    full = Full(quiet, other, few)
    assert full.connections.admit("c")
    assert [quiet.closed, other.closed, few.closed] == [True, False, False]
    assert full.cut == {Cut.EVICTED: 1}
    assert full.open == 2


def test_a_response_is_cut_off_only_if_there_is_nothing_else_and_for_an_address_with_fewer() -> None:
    busy, quiet = Client("a", 1, responding=True), Client("a", 5)
    full = Full(busy, quiet)
    assert full.connections.admit("b")
    assert [busy.closed, quiet.closed] == [False, True]
    full = Full(busy, Client("a", 5, responding=True))
    assert full.connections.admit("b")
    assert busy.closed


def test_many_addresses_with_one_connection_each_do_not_keep_others_out() -> None:
    clients = [Client(str(number), number, responding=number % 2 == 0) for number in range(10)]
    full = Full(*clients)
    assert full.connections.admit("scraper")
    assert [client.network for client in clients if client.closed] == ["1"]


def test_an_address_at_its_limit_closes_its_own_connections_or_gets_no_more() -> None:
    clients = [Client("a", 3), Client("a", 2), Client("a", 4)]
    full = Full(*clients, Client("b", 1), most=100)
    assert full.connections.admit("a")
    assert [client.closed for client in clients] == [False, True, False]
    full = Full(*(Client("a", responding=True) for _ in range(3)), most=100)
    assert not full.connections.admit("a")
    assert full.cut == {Cut.REFUSED: 1}


def test_an_address_with_most_connections_gets_none_of_the_responses_of_others() -> None:
    mine, other = Client("a", responding=True), Client("b", responding=True)
    full = Full(mine, other)
    assert not full.connections.admit("a")
    assert not mine.closed
    assert not other.closed


def test_what_is_overdue_is_cut_off_and_counted() -> None:
    late, fine = Client("a", late=Cut.REQUEST_TIMEOUT), Client("b")
    full = Full(late, fine)
    full.connections.sweep(100)
    assert not late.closed
    full.connections.sweep(101)
    assert [late.closed, fine.closed] == [True, False]
    assert full.cut == {Cut.REQUEST_TIMEOUT: 1}
    full.connections.remove(late)
    assert len(full.connections) == 1


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3::4", 5, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::1", 5, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%lo", 5, 0, 1), "fe80::/64"),
        ("", ""),
        ("/run/client.sock", ""),
    ],
)
def test_a_client_is_its_ipv4_address_or_its_ipv6_network(peer: object, network: str) -> None:
    assert network_of(peer) == network


@pytest.mark.parametrize(
    ("files", "scans", "connections"),
    [
        (65536, 10, CONNECTIONS),
        (1024, 10, CONNECTIONS),
        (512, 10, 512 - 208),
        (256, 10, 48),
        (64, 10, LEAST_CONNECTIONS),
    ],
)
def test_web_connections_leave_descriptors_for_scans(files: int, scans: int, connections: int) -> None:
    limits = WebLimits.within(files, scans)
    assert limits.connections == connections
    assert limits.connections == LEAST_CONNECTIONS or limits.connections + descriptors_reserved(scans) <= files
    assert limits.per_address <= limits.connections / 4

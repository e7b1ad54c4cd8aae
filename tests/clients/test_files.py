"""The table of clients: the shipped one, and tables that are rejected."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.clients.client import ClientKind, ClientLimits
from exporter.clients.files import read_table, shipped_clients
from exporter.errors import ConfigError
from exporter.model import Protocol
from exporter.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, FALLBACK_SCSV

TABLE = shipped_clients()
CLIENTS = TABLE.clients


def test_at_least_fifty_clients_of_every_kind_come_with_the_program() -> None:
    assert len(CLIENTS) >= 50
    assert {client.kind for client in CLIENTS.values()} == set(ClientKind)
    assert len({client.name for client in CLIENTS.values()}) == len(CLIENTS)


def test_every_client_says_where_and_when_it_is_from() -> None:
    assert TABLE.as_of == datetime(2026, 11, 30, tzinfo=UTC)
    assert {client.source.name for client in CLIENTS.values()} == {"published", "captured", "captured-debian"}
    assert all(client.source.text and client.source.date <= TABLE.as_of for client in CLIENTS.values())
    assert all(client.how for client in CLIENTS.values() if client.source.name != "published")


def test_no_client_offers_signals_or_grease() -> None:
    codes = {code for c in CLIENTS.values() for code in (*c.suites, *(c.groups or ()), *(c.schemes or ()))}
    assert not codes & {EMPTY_RENEGOTIATION_INFO_SCSV, FALLBACK_SCSV}
    assert not {code for code in codes if code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF}


@pytest.mark.parametrize(
    ("client", "oldest", "newest"),
    [
        ("android-2.3.7", Protocol.SSL3, Protocol.TLS1_0),
        ("android-4.0.4", Protocol.SSL3, Protocol.TLS1_0),
        ("android-4.1.1", Protocol.SSL3, Protocol.TLS1_0),
        ("android-4.2.2", Protocol.SSL3, Protocol.TLS1_0),
        ("android-4.3", Protocol.SSL3, Protocol.TLS1_0),
        ("android-4.4.2", Protocol.SSL3, Protocol.TLS1_2),
        ("android-9", Protocol.TLS1_0, Protocol.TLS1_3),
        ("android-15", Protocol.TLS1_2, Protocol.TLS1_3),
        ("java-7u25", Protocol.SSL3, Protocol.TLS1_0),
        ("java-11", Protocol.TLS1_0, Protocol.TLS1_3),
        ("java-17", Protocol.TLS1_2, Protocol.TLS1_3),
        ("openssl-0.9.8y", Protocol.SSL3, Protocol.TLS1_0),
        ("python-3.11", Protocol.TLS1_2, Protocol.TLS1_3),
        ("python-3.11-debian", Protocol.TLS1_0, Protocol.TLS1_3),
        ("thunderbird-153", Protocol.TLS1_2, Protocol.TLS1_3),
    ],
)
def test_versions_of_clients_that_much_hangs_on(client: str, oldest: Protocol, newest: Protocol) -> None:
    assert (CLIENTS[client].protocols[0], CLIENTS[client].protocols[-1]) == (oldest, newest)


def test_android_2_3_7_and_internet_explorer_on_xp_alone_send_no_server_name() -> None:
    assert [client.id for client in CLIENTS.values() if not client.sends_sni] == ["android-2.3.7", "ie-8-xp"]


HEAD = """as_of: 2026-11-22
sources:
  seen: {date: 2026-11-01, text: Seen somewhere}
clients:
  one:
"""
GOOD = {
    "name": "One 1.0",
    "kind": "browser",
    "current": "true",
    "source": "seen",
    "min_protocol": "TLSv1.0",
    "max_protocol": "TLSv1.3",
    "sends_sni": "true",
    "suites": "1301 C02F",
    "groups": "001D 0017",
    "shares": "'001D'",
    "schemes": "0403 0804",
    "max_dh_bits": "2048",
    "refuses_sha1": "true",
}


def table_file(folder: Path, **changes: str | None) -> Path:
    file = folder / "clients.yaml"
    entry = {key: value for key, value in (GOOD | changes).items() if value is not None}
    file.write_text(HEAD + "".join(f"    {key}: {value}\n" for key, value in entry.items()))
    return file


def test_reads_a_table(tmp_path: Path) -> None:
    client = read_table(table_file(tmp_path)).clients["one"]
    assert (client.id, client.name, client.kind, client.current) == ("one", "One 1.0", ClientKind.BROWSER, True)
    assert client.source.date == datetime(2026, 11, 1, tzinfo=UTC)
    assert client.protocols == (Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2, Protocol.TLS1_3)
    assert (client.suites, client.groups, client.shares) == ((0x1301, 0xC02F), (0x1D, 0x17), (0x1D,))
    assert client.schemes == (0x0403, 0x0804)
    assert client.limits == ClientLimits(max_dh_bits=2048, refuses_sha1=True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"suites": "c02f"}, "'c02f' is not a list of codes such as C02B C02F"),
        ({"suites": "1301"}, "1301 is not a list of codes such as C02B C02F"),
        ({"suites": "1301 1301"}, "names a code twice"),
        ({"max_protocol": "SSLv3"}, "max_protocol is older than min_protocol"),
        ({"schemes": None}, "a client with TLSv1.2 must have schemes"),
        ({"groups": None, "shares": None}, "a client with TLSv1.3 must have groups and schemes (RFC 8446, 9.2)"),
        ({"shares": "'0018'"}, "shares are for groups that are offered (RFC 8446, 4.2.8)"),
        ({"source": "nowhere"}, "one: there is no source 'nowhere'"),
        ({"name": None}, "clients.one.name: is required"),
        ({"colour": "red"}, "unknown key"),
    ],
)
def test_a_table_with_mistakes_is_refused(tmp_path: Path, changes: dict[str, str | None], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_table(table_file(tmp_path, **changes))
    assert told in str(caught.value)

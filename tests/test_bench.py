"""The comparison with other scanners in its shortest form: exact facts only, never a time."""

import asyncio
import json
from pathlib import Path

import pytest

from bench import engine, peers, proxy, servers
from bench.measure import Run, measure
from bench.report import Row, differences, document
from oracles.facts import Facts
from tests.support.targets import read_handshake

CHECKLIST = servers.BY_NAME["checklist"]
OURS, SSLYZE = peers.BY_NAME["ours"], peers.BY_NAME["sslyze-same"]


@pytest.mark.real
def test_ours_finds_what_sslyze_finds_in_a_thirteenth_of_the_connections(tmp_path: Path) -> None:
    with CHECKLIST.running(tmp_path) as port:
        ours, sslyze = measure(OURS, port, 0), measure(SSLYZE, port, 0)
        facts, dialer = asyncio.run(read_handshake(port, timeout_seconds=5.0))
    assert ours.facts.protocols == sslyze.facts.protocols
    assert ours.facts.suites == sslyze.facts.suites
    assert ours.facts.compression is sslyze.facts.compression is False
    assert not differences(sslyze.facts, ours.facts)
    assert len(ours.facts.protocols) == 6
    assert ours.facts.suite_count == sum(map(len, facts.cipher_suites.values()))
    assert ours.connections == dialer.connections
    # Beside suites, compression and curves it asks for signature schemes, ALPN and the fallback signal.
    same = facts.hellos["cipher_suites"] + facts.hellos["groups"]
    assert sum(facts.hellos.values()) == dialer.connections
    assert same * 15 <= sslyze.connections
    assert ours.connections * 13 <= sslyze.connections
    (_, row) = document([Row("checklist", 0, "ours", (ours,)), Row("checklist", 0, "sslyze-same", (sslyze,))])
    assert row["ratio"]["connections"] == sslyze.connections / ours.connections


@pytest.mark.real
def test_the_command_line_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    engine.main(["--peers=ours", "--servers=checklist", "--delays=0,20", "--repeat=1", f"--json={file}"])
    rows = json.loads(file.read_text())["rows"]
    assert [row["delay_ms"] for row in rows] == [0, 20]
    assert rows[0]["facts"] == rows[1]["facts"]
    assert rows[0]["median"]["connections"] == rows[1]["median"]["connections"]
    assert rows[0]["ratio"]["connections"] == 1


def test_a_delay_is_added_to_connecting_and_to_each_round_trip() -> None:
    async def ask() -> float:
        ended = asyncio.Event()

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(100):
                writer.write(data)
            writer.close()
            await writer.wait_closed()
            ended.set()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        with proxy.delaying_proxy(server.sockets[0].getsockname()[1], 0.05) as port:
            begin = asyncio.get_running_loop().time()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for question in (b"one", b"two"):
                writer.write(question)
                assert await reader.readexactly(3) == question
            took = asyncio.get_running_loop().time() - begin
            writer.close()
            await writer.wait_closed()
            await ended.wait()
        server.close()
        return took

    assert asyncio.run(ask()) >= 0.15  # the connect and two questions; a lower limit, which no slow machine breaks


def test_differences_name_what_is_said_otherwise_and_nothing_that_is_not_said() -> None:
    ours = Facts({"TLSv1.2": True, "SSLv3": False}, {"TLSv1.2": frozenset("ab")}, {"TLSv1.2": "client"}, False)
    silent = Facts({"TLSv1.2": True}, {"TLSv1.2": frozenset("ab")})
    other = Facts({"SSLv3": True}, {"TLSv1.2": frozenset("bc")}, {"all": "server"}, True)
    assert differences(silent, ours) == []
    assert differences(other, ours) == [
        "SSLv3: they say accepted",
        "TLSv1.2: only they have c",
        "TLSv1.2: only ours has a",
        "order, all: they say server, ours client",
        "compression: they say accepted",
    ]


def test_medians_and_a_scan_that_found_something_else() -> None:
    runs = tuple(Run(number, 1, 1, 1, 1, 1, 1, 1, Facts()) for number in (5, 1, 3))
    assert Row("weak", 0, "ours", runs).median("connections") == 3
    assert Row("weak", 0, "ours", runs).steady
    odd = Run(1, 1, 1, 1, 1, 1, 1, 1, Facts(compression=True))
    assert not Row("weak", 0, "ours", (*runs, odd)).steady


def test_a_missing_program_is_left_out_with_the_name_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert peers.BY_NAME["testssl"].program.missing == "the Debian package testssl.sh is not installed"
    assert OURS.program.missing is None

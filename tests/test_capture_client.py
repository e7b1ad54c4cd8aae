"""The tool that shows what a client offers, with which the clients in the table can be captured again."""

import asyncio

import pytest

from exporter.clients.client import Client
from exporter.clients.files import shipped_clients
from exporter.model import Protocol
from tests.support.client_hellos import hello_of
from tests.support.processes import find_program
from tests.support.scripted import parse_hello
from tools.capture_client import capture, described, is_grease

CLIENTS = shipped_clients().clients


def hexadecimal(codes: tuple[int, ...] | None) -> str | None:
    return None if codes is None else " ".join(f"{code:04X}" for code in codes)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_describes_a_hello_as_the_table_has_it(client: Client) -> None:
    hello = parse_hello(hello_of(client, "www.test.example"))
    assert hello is not None
    shown = described(hello)
    assert shown["max_protocol"] == client.protocols[-1]
    assert shown["sends_sni"] == ("true" if client.sends_sni else "false")
    assert shown["suites"] == hexadecimal(client.suites)
    assert (shown.get("groups"), shown.get("schemes")) == (hexadecimal(client.groups), hexadecimal(client.schemes))
    with_versions = Protocol.TLS1_3 in client.protocols  # older clients do not name those below the newest
    assert shown.get("min_protocol") == (client.protocols[0] if with_versions else None)
    if client.shares is not None:
        assert shown["shares"] == hexadecimal(client.shares)


def test_grease_is_left_out() -> None:
    assert [code for code in (0x0A0A, 0xFAFA, 0x0A1A, 0x1301, 0xCACA) if not is_grease(code)] == [0x0A1A, 0x1301]


@pytest.mark.real
def test_captures_a_client_that_it_runs() -> None:
    options = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:AES128-SHA", "-curves", "P-256", "-sigalgs", "RSA+SHA256"]
    command = [find_program("openssl"), "s_client", "-connect", "127.0.0.1:{port}", "-noservername", *options]
    hello = asyncio.run(capture(command, 20))
    assert hello is not None
    assert described(hello) == {
        "max_protocol": "TLSv1.2",
        "sends_sni": "false",
        "suites": "C013 002F",
        "groups": "0017",
        "schemes": "0401",
    }


def test_a_client_that_says_nothing_is_given_up() -> None:
    assert asyncio.run(capture([], 0.1)) is None

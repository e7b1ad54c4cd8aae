"""What this machine ran out of is never said of a target."""

import asyncio
import errno
import json
import logging
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from exporter.shortage import Resource, ShortageError, Shortages, raise_shortage, shortage_of
from tests.support.scripted import Stack, scripted_server

STACK = Stack({0x0303: (0xC030, 0xC02F)})


@pytest.mark.parametrize(
    ("error", "resource"),
    [
        (OSError(errno.EMFILE, "x"), Resource.DESCRIPTORS),
        (OSError(errno.ENFILE, "x"), Resource.DESCRIPTORS),
        (OSError(errno.ENOBUFS, "x"), Resource.MEMORY),
        (OSError(errno.ENOMEM, "x"), Resource.MEMORY),
        (MemoryError(), Resource.MEMORY),
        (socket.gaierror(socket.EAI_MEMORY, "x"), Resource.MEMORY),
        (RuntimeError("can't start new thread"), Resource.PROCESSES),
        (RuntimeError("something else"), None),
        (socket.gaierror(socket.EAI_NONAME, "x"), None),
        (socket.gaierror(socket.EAI_AGAIN, "x"), None),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), None),
        (OSError(errno.EHOSTUNREACH, "x"), None),
        (OSError(errno.EADDRNOTAVAIL, "x"), None),
        (TimeoutError(), None),
        (ValueError(), None),
    ],
)
def test_only_errors_of_this_machine_are_ours(error: Exception, resource: Resource | None) -> None:
    assert shortage_of(error) is resource
    if resource is None:
        raise_shortage(error, "test")
    else:
        with pytest.raises(ShortageError):
            raise_shortage(error, "test")


def test_each_resource_has_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    shortages = Shortages(lambda: now)
    with caplog.at_level(logging.ERROR):
        for _ in range(1000):
            shortages.note(Resource.DESCRIPTORS, "a")
        shortages.note(Resource.PORTS, "b")
        assert [record.getMessage() for record in caplog.records] == [
            "not enough descriptors on this machine: a",
            "not enough ports on this machine: b",
        ]
        now = 60.0
        shortages.note(Resource.DESCRIPTORS, "c")
    assert caplog.records[-1].getMessage() == (
        "not enough descriptors on this machine: c (999 more since the last such line)"
    )
    assert shortages.counts == {Resource.DESCRIPTORS: 1001, Resource.PORTS: 1}


FOLDER = Path(__file__).parent.parent
PRELUDE = """
import asyncio, dataclasses, json, os, resource, socket, sys
from exporter.model import HttpOptions, IpProtocol
from exporter.net import resolve
from exporter.scan import scan
from exporter.shortage import SHORTAGES, ShortageError
from tests.support.targets import make_environment, make_target

port = int(sys.argv[1])

def leave(free):
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        for one in held[:free]:
            os.close(one)
    return held[free:]
"""


async def in_a_process(port: int, code: str) -> object:
    """What the code prints, as JSON, in a process of its own whose descriptors it may use up."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code), str(port)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("not enough descriptors") <= 1
    return json.loads(done.stdout)


@pytest.mark.real
def test_a_scan_without_descriptors_says_nothing_of_the_target() -> None:
    """However many descriptors are left when they run out: there is a fact of the usual scan, or none."""

    async def run() -> object:
        async with scripted_server(STACK) as server:
            return await in_a_process(
                server.port,
                """
                async def main():
                    environment = make_environment()
                    target = make_target(port, timeout_seconds=10.0, http=HttpOptions(port=1))
                    shown = lambda result: {
                        kind.__name__: repr(part[0]) for kind, part in result.facts._parts.items()
                    }
                    usual = await scan(target, environment)
                    found = []
                    for free in range(8):
                        held = leave(free)
                        result = await scan(target, environment)
                        for one in held:
                            os.close(one)
                        reasons = sorted({failure.reason for failure in result.failures})
                        same = all(shown(usual)[name] == value for name, value in shown(result).items())
                        found.append([reasons, same])
                    print(json.dumps({
                        "usual": sorted({failure.reason for failure in usual.failures}),
                        "found": found,
                        "counted": SHORTAGES.counts["descriptors"],
                    }))

                asyncio.run(main())
                """,
            )

    said = asyncio.run(run())
    assert isinstance(said, dict)
    usual = set(said["usual"])
    assert "internal" not in usual
    assert said["found"][0][0] == ["internal"]
    for reasons, same in said["found"]:
        assert same
        assert set(reasons) <= usual | {"internal"}
    assert said["counted"] > 0


@pytest.mark.real
def test_a_name_is_not_missing_because_descriptors_are() -> None:
    said = asyncio.run(
        in_a_process(
            0,
            """
            async def main():
                found = []
                held = leave(0)
                for host in ("localhost", "no-such-host.invalid", "127.0.0.1"):
                    try:
                        found.append(await resolve.resolve_all(host, 1, IpProtocol.IP4))
                    except ShortageError as error:
                        found.append(error.resource)
                for one in held:
                    os.close(one)
                found.append(await resolve.resolve_all("localhost", 1, IpProtocol.IP4))
                print(json.dumps(found))

            asyncio.run(main())
            """,
        )
    )
    assert said == ["descriptors", "descriptors", ["127.0.0.1"], ["127.0.0.1"]]


@pytest.mark.real
def test_a_worker_that_cannot_be_started_did_not_crash() -> None:
    said = asyncio.run(
        in_a_process(
            0,
            """
            from exporter.workers import Workers

            async def main():
                restarts = []
                workers = Workers(on_restart=lambda: restarts.append(1))
                held = leave(1)
                try:
                    await workers.run("job", {}, None, 5)
                except ShortageError as error:
                    said = error.resource
                for one in held:
                    os.close(one)
                await workers.close()
                print(json.dumps([said, len(restarts)]))

            asyncio.run(main())
            """,
        )
    )
    assert said == ["descriptors", 0]


@pytest.mark.real
def test_local_ports_that_are_all_in_use_are_ours_and_a_missing_address_is_not() -> None:
    """In a network of its own, with one local port."""
    said = asyncio.run(
        in_a_process(
            0,
            """
            import ctypes, fcntl, struct
            from exporter.errors import ProbeError
            from exporter.net.dial import Dialer
            from exporter.net.gate import HostGate

            NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(NEW_USER | NEW_NETWORK) and libc.unshare(NEW_NETWORK):
                print(json.dumps("not allowed"))
                sys.exit(0)
            with socket.socket() as control:  # SIOCSIFFLAGS: up
                fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 1))
            with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
                file.write("50000 50000")
            with open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "w") as file:
                file.write("1")

            async def main():
                listener = socket.create_server(("127.0.0.1", 4443))
                with socket.create_connection(("127.0.0.1", 4443)):
                    found = []
                    for address in ("127.0.0.1", "::1"):
                        dialer = Dialer(make_target(4443, connect_address=address), HostGate())
                        try:
                            async with dialer.connect(max_bytes=10):
                                pass
                        except ShortageError as error:
                            found.append(error.resource)
                        except ProbeError as error:
                            found.append(error.reason)
                listener.close()
                print(json.dumps(found))

            asyncio.run(main())
            """,
        )
    )
    if said == "not allowed":
        pytest.skip("this machine allows no network of its own")
    assert said == ["ports", "connect_error"]


@pytest.mark.real
def test_neither_a_plain_port_nor_the_dns_is_blamed_for_missing_descriptors() -> None:
    said = asyncio.run(
        in_a_process(
            0,
            """
            import dns.name, dns.rdatatype
            from exporter.net.dial import Dialer
            from exporter.net.gate import HostGate
            from exporter.net.records import LookupFailedError
            from exporter.probes.http.plain import ask_plain

            async def outcome(step):
                try:
                    return (await step).reason
                except ShortageError as error:
                    return error.resource
                except LookupFailedError:
                    return "lookup failed"

            async def main():
                dialer = Dialer(make_target(1), HostGate())
                resolver = make_environment().resolver
                question = dns.name.from_text("test.example"), dns.rdatatype.CAA
                held = leave(0)
                found = [await outcome(ask_plain(dialer, 1)), await outcome(resolver.ask(*question))]
                for one in held:
                    os.close(one)
                found += [await outcome(ask_plain(dialer, 1)), await outcome(resolver.ask(*question))]
                print(json.dumps(found))

            asyncio.run(main())
            """,
        )
    )
    assert said == ["descriptors", "descriptors", "connect_refused", "lookup failed"]

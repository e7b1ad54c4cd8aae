"""One measured scan: the counts of the proxy, the kernel's figures of the processes, and the facts found."""

import json
import os
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers import Job, Peer
from bench.proxy import delaying_proxy
from oracles.facts import Facts
from oracles.scanners import read_report
from tests.support.processes import end
from tests.support.proxy import Counts, counting_proxy

QUIET_SECONDS = 0.3
"""After this long without a byte, the proxy has counted everything."""
PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One scan.

    Attributes:
        connections: TCP connections that reached the server.
        most_at_once: most connections open at once, as the server sees it. With delay, a close arrives late.
        to_server: bytes above TCP, in all connections.
        to_client: the same, in the other direction.
        cpu: user and system seconds of the process and of the children it waited for.
        wall: seconds from its start to its end.
        scan_cpu: `cpu` without the start of Python and the imports. Without Python, all of `cpu`.
        scan_wall: the same for `wall`.
    """

    connections: int
    most_at_once: int
    to_server: int
    to_client: int
    cpu: float
    wall: float
    scan_cpu: float
    scan_wall: float
    facts: Facts


def measure(peer: Peer, port: int, delay: float) -> Run:
    """Run one scan of the server on this port of 127.0.0.1, with a round trip of `delay` seconds.

    Raises:
        ReportError: the scanner ended without a report, or took too long.
    """
    with tempfile.TemporaryDirectory() as folder, counting_proxy(port) as counts:
        with _distance(counts.port, delay) as near:
            job = Job(near, Path(folder))
            cpu, wall = _run(peer, job)
        _await_quiet(counts)
        facts = read_report(peer.name, lambda: peer.read(job), job.folder / "output")
        spent = json.loads(job.notes.read_text()) if job.notes.exists() else {"cpu": cpu, "wall": wall}
        return Run(
            connections=counts.connections,
            most_at_once=counts.most_at_once,
            to_server=counts.to_server,
            to_client=counts.to_client,
            cpu=cpu,
            wall=wall,
            scan_cpu=spent["cpu"],
            scan_wall=spent["wall"],
            facts=facts,
        )


@contextmanager
def _distance(port: int, delay: float) -> Iterator[int]:
    if not delay:
        yield port
        return
    with delaying_proxy(port, delay) as near:
        yield near


def _run(peer: Peer, job: Job) -> tuple[float, float]:
    """Run the scanner to its end; returns CPU and wall seconds."""
    command = peer.command(job)
    before, start = children_cpu(), time.perf_counter()
    with (job.folder / "output").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a command of bench.peers
            [shutil.which(command[0]) or command[0], *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "TERM": "dumb"},
        )
    limit = threading.Timer(peer.limit_seconds, end, [process])
    limit.start()
    try:
        process.wait()  # with a time limit it would poll, and the polling interval would distort the measurement
    except BaseException:
        end(process)
        raise
    finally:
        limit.cancel()
    return children_cpu() - before, time.perf_counter() - start


def children_cpu() -> float:
    """User and system seconds of all children that have ended. The servers are still running, so they do not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _await_quiet(counts: Counts) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    seen, since = vars(counts).copy(), time.monotonic()
    while time.monotonic() < min(give_up, since + QUIET_SECONDS):
        time.sleep(0.02)
        if vars(counts) != seen:
            seen, since = vars(counts).copy(), time.monotonic()

"""Run as a program: complete scans of one server, on request, in the tree that PYTHONPATH names.

The argument is the port. Each line of the input is a number of scans. The answer to a line is one line of JSON with the
seconds of CPU of this process by probe, and the number of connections. `profile N` prints where the time of N scans is
spent, to the standard error output. `bench.scans` starts it for each tree that it compares.
"""

import asyncio
import cProfile
import json
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dns.asyncresolver import Resolver

from exporter import scan as scanning
from exporter.model import Facts, HttpOptions, Target
from exporter.net.records import RecordResolver
from exporter.probes.base import Session
from exporter.probes.registry import PROBES
from exporter.scan import Environment, scan
from exporter.threads import Pool

HOST = "www.test.example"
"""As in `tests.support.servers`, which other trees may have differently."""


def timed(
    name: str, run: Callable[[Session], Awaitable[Any]], spent: dict[str, float]
) -> Callable[[Session], Awaitable[Any]]:
    """The function, with its CPU time added to `spent`. One scan runs at a time, so no other work is counted."""

    async def measured(session: Session) -> Any:  # noqa: ANN401 - the facts of any probe
        before = time.process_time()
        try:
            return await run(session)
        finally:
            spent[name] += time.process_time() - before

    return measured


class Scanner:
    """Scans one target with the facts of its last scan known, as the daemon does.

    Attributes:
        spent: probe -> CPU seconds; `scan` has the time of complete scans.
        facts: what is known.
    """

    def __init__(self, port: int) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.facts = Facts()
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], 9, 0.2
        self._environment = Environment(now=lambda: datetime.now(UTC), resolver=RecordResolver(resolver))
        self._target = Target(
            "bench", HOST, port, policies=(), server_name=HOST, connect_address="127.0.0.1", protocol="https",
            http=HttpOptions(port=None), vulnerability_interval=None,
        )  # fmt: skip

    async def scan(self, number: int) -> dict[str, Any]:
        """This number of scans in a row; the CPU time and the connections of all of them."""
        self.spent.clear()
        connections, success = 0, True
        for _ in range(number):
            before = time.process_time()
            result = await scan(self._target, self._environment, self.facts)
            self.spent["scan"] += time.process_time() - before
            self.facts = result.facts.over(self.facts)
            connections += result.connections
            success = success and result.success
        return {"cpu": dict(self.spent), "connections": connections, "success": success}

    def document(self) -> dict[str, Any]:
        """What is known, as a report shows it."""
        shown = {}
        for probe in PROBES:
            facts = self.facts.get(probe.kind)
            if facts is not None:
                shown[probe.name] = probe.shape.document(facts)
        return shown


async def _at_once(_pool: Pool, work: Callable[[], Any], *_: object) -> Any:  # noqa: ANN401 - any work
    return work()


def _profile(loop: asyncio.AbstractEventLoop, scanner: Scanner, number: int) -> None:
    Pool.run = _at_once  # type: ignore[method-assign,assignment]  # a profile has one thread
    profile = cProfile.Profile()
    profile.enable()
    loop.run_until_complete(scanner.scan(number))
    profile.disable()
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(60)


def main() -> None:
    """Scan as the lines of the input say."""
    scanner = Scanner(int(sys.argv[1]))
    vars(scanning)["PROBES"] = tuple(
        replace(probe, run=timed(probe.name, probe.run, scanner.spent)) for probe in PROBES
    )
    make_loop = asyncio.new_event_loop
    if sys.argv[2:] == ["uvloop"]:
        import uvloop  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 - optional

        make_loop = uvloop.new_event_loop
    loop = make_loop()
    for line in sys.stdin:
        match line.split():
            case ["profile", number]:
                _profile(loop, scanner, int(number))
                answer: dict[str, Any] = {}
            case ["facts"]:
                answer = scanner.document()
            case _:
                answer = loop.run_until_complete(scanner.scan(int(line)))
        sys.stdout.write(f"{json.dumps(answer, default=str)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()

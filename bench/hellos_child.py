"""Run as a program: two scans of the handshake probe, the second with the facts of the first.

It runs with the program of any work tree, so it uses only what older ones have. Argument: a port of 127.0.0.1. Prints
JSON with `first` and `later`: the facts as a report shows them.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

from exporter.model import Facts
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.base import Session
from exporter.probes.handshake import PROBE
from tests.support.servers import HOST
from tests.support.targets import make_environment, make_target

LIMIT_SECONDS = 300.0


async def _scan(port: int, starttls: str | None, known: Facts, now: datetime) -> Any:  # noqa: ANN401 - facts
    target = make_target(port, host=HOST, server_name=HOST, timeout_seconds=10.0, starttls=starttls)
    around = make_environment()
    deadline = asyncio.get_running_loop().time() + LIMIT_SECONDS
    dialer = Dialer(target, HostGate())
    session = Session(target, dialer, around.resolver, now, around.workers, known=known, deadline=deadline)
    return await PROBE.run(session)


async def _main(port: int, starttls: str | None) -> None:
    now = datetime.now(UTC)
    first = await _scan(port, starttls, Facts(), now)
    later = await _scan(port, starttls, Facts().with_part(first, now), now)
    documents = {"first": PROBE.shape.document(first), "later": PROBE.shape.document(later)}
    sys.stdout.write(json.dumps(documents, default=str))


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))

"""Run as a program: one scan in a new Python process, which records the cost of the scan without the start.

Arguments: `ours` or `sslyze`, a file for the recorded figures, and the arguments of the scan.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

Scan = Callable[[Sequence[str]], None]


def load_ours() -> Scan:
    """The handshake probe. Arguments of the scan: port, server name, file for the facts."""
    from exporter.facts.handshake import HandshakeFacts  # noqa: PLC0415
    from exporter.model import Target  # noqa: PLC0415 - the imports are part of the measurement
    from exporter.net.dial import Dialer  # noqa: PLC0415
    from exporter.net.gate import HostGate  # noqa: PLC0415
    from exporter.probes.handshake import PROBE  # noqa: PLC0415
    from exporter.probes.handshake.engine import Engine  # noqa: PLC0415

    async def read(port: int, name: str) -> HandshakeFacts:
        target = Target("bench", name, port, policies=(), server_name=name, connect_address="127.0.0.1")
        return await Engine(Dialer(target, HostGate())).read()

    def scan(arguments: Sequence[str]) -> None:
        port, name, report = arguments
        facts = asyncio.run(read(int(port), name))
        Path(report).write_text(json.dumps(PROBE.shape.document(facts)))

    return scan


def load_sslyze() -> Scan:
    """The command line of sslyze. Arguments of the scan: those of sslyze."""
    main = import_module("sslyze.__main__").main

    def scan(arguments: Sequence[str]) -> None:
        sys.argv = ["sslyze", *arguments]
        main()

    return scan


def run(name: str, notes: Path, arguments: Sequence[str]) -> None:
    """Run one scan and write its seconds without the start to a JSON file: `cpu` and `wall`."""
    scan = {"ours": load_ours, "sslyze": load_sslyze}[name]()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        scan(arguments)
    finally:
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        notes.write_text(json.dumps(spent))


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])

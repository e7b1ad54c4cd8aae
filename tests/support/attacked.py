"""Scans that try attacks, by workers that many tests share."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from exporter.derived.verdicts import Attack
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.model import Report
from exporter.scan import Environment, scan
from exporter.workers import Workers
from tests.support.facts import KOPANO
from tests.support.judging import report_after
from tests.support.servers import HOST, Pki
from tests.support.targets import make_environment, make_target
from tests.support.vulnerable import Start

T = TypeVar("T")

Verdicts = Mapping[Attack, bool | None]


class Scans:
    """Scans of one loop and its workers."""

    def __init__(self, runner: asyncio.Runner, workers: Workers) -> None:
        self._runner = runner
        self._workers = workers
        self._known: dict[Start, Verdicts] = {}

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """As `asyncio.run`, on the loop of the workers."""
        return self._runner.run(main)

    def environment(self) -> Environment:
        """What a scan needs, these workers with it."""
        return replace(make_environment(), workers=self._workers)

    async def report(self, port: int, **changes: object) -> Report:
        """The report after a complete scan, attacks included."""
        fields = {"host": HOST, "server_name": HOST, "vulnerability_interval": timedelta(days=1)}
        environment = self.environment()
        result = await scan(make_target(port, **(fields | changes)), environment)
        return report_after(result, (KOPANO,), environment.now())

    def verdicts(self, start: Start, folder: Path, pki: Pki) -> Verdicts:
        """What a scan says of the server that this starts, which is scanned once."""
        if start not in self._known:
            with start(folder, pki) as port:
                derived = self.run(self.report(port)).facts.get(Vulnerabilities)
            assert derived is not None
            self._known[start] = {attack: verdict.vulnerable for attack, verdict in derived.verdicts.items()}
        return self._known[start]

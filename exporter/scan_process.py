"""Run as a program: one of the processes of `serve --scan.processes`. It scans what the main process tells it to.

Its only argument is the descriptor of a socket to that process. Each message is one line of JSON. When the socket is
closed, the process ends.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from exporter.backends.process import MOST_LINE_BYTES
from exporter.backends.wire import results_document, target_and_known
from exporter.config.sections import ResolverSettings
from exporter.environment import make_resolver_of, utc_now
from exporter.errors import ProbeError
from exporter.logs.about import current
from exporter.logs.trace import Trace, tracing
from exporter.looplag import watch_loop
from exporter.model import IpProtocol, Reason
from exporter.net.gate import HostGate
from exporter.net.resolve import Lookup, resolve_all
from exporter.scan import Environment, scan_addresses
from exporter.shortage import SHORTAGES
from exporter.workers import Workers

log = logging.getLogger(__name__)

Say = Callable[[Mapping[str, Any]], None]
"""Sends a message to the main process."""


class _Forwarded(logging.Handler):
    """Sends log records to the main process, which writes them."""

    def __init__(self, say: Say, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._say, self._loop = say, loop

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record. Any thread may log."""
        try:
            text = record.getMessage()
            if record.exc_info:
                text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
            about = {**current(), **getattr(record, "fields", {})}
            message = {"kind": "log", "logger": record.name, "level": record.levelno, "text": text, "fields": about}
            self._loop.call_soon_threadsafe(self._say, message)
        except Exception:  # noqa: BLE001 - a named border: a mistake in a log call must not stop its caller
            self.handleError(record)


class _Scanner:
    """Runs the scans of this process."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._gate = HostGate()
        self._workers = Workers(
            on_restart=lambda: say({"kind": "worker restarted"}),
            on_start=lambda protections: say(
                {"kind": "worker started", "protections": [[one.name, one.on, one.detail] for one in protections]}
            ),
            on_not_tried=lambda: say({"kind": "not tried"}),
        )
        self._environment: Environment | None = None
        self._running: dict[int, asyncio.Task[None]] = {}
        self._lags: list[float] = []
        self._told = SHORTAGES.counts.copy()

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Do what the messages say, until there are no more."""
        watching = asyncio.create_task(watch_loop(self._lags.append))
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                self._take(json.loads(await reader.readuntil(b"\n")))
        watching.cancel()
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self._workers.close()

    def _take(self, message: Mapping[str, Any]) -> None:
        match message["kind"]:
            case "use":
                self._use(message["resolver"], message["level"])
            case "scan":
                task = asyncio.create_task(self._scan(message))
                self._running[message["number"]] = task
                task.add_done_callback(lambda _: self._running.pop(message["number"], None))
            case "cancel" if running := self._running.get(message["number"]):
                running.cancel()
            case "alive?":
                self._tell_life()

    def _use(self, resolver: Mapping[str, Any] | None, level: int) -> None:
        logging.getLogger("exporter").setLevel(level)
        settings = None
        if resolver is not None:
            settings = ResolverSettings.model_construct(
                **{**resolver, "timeout": timedelta(seconds=resolver["timeout"])}
            )
        self._environment = Environment(utc_now, make_resolver_of(settings), self._gate, workers=self._workers)
        self._tell_life()

    def _tell_life(self) -> None:
        lags, self._lags[:] = list(self._lags), []
        new = SHORTAGES.counts - self._told
        self._told = SHORTAGES.counts.copy()
        self._say({"kind": "alive", "lags": lags, "shortages": dict(new)})

    async def _scan(self, message: Mapping[str, Any]) -> None:
        number, trace = message["number"], Trace() if message["trace"] else None
        assert self._environment is not None  # noqa: S101 - the first message says what to use
        try:
            target, known = target_and_known(message["task"])
            environment = replace(self._environment, lookup=_lookup(message["addresses"]))
            with tracing(trace):
                results = await scan_addresses(target, environment, known, partial(self._say_late, number))
        except Exception as error:  # a named border: the main process waits for an answer
            log.exception("scan failed")
            self._say({"kind": "failed", "number": number, "why": f"{type(error).__name__}: {error}"})
            return
        lines = trace.text() if trace else ""
        self._say({"kind": "done", "number": number, "results": results_document(results), "log": lines})

    def _say_late(self, number: int) -> None:
        self._say({"kind": "late", "number": number})


def _lookup(found: list[str] | Mapping[str, str] | None) -> Lookup:
    """A lookup that gives what the main process has found; the system's if that has not found out anything."""

    async def lookup(host: str, port: int, protocol: IpProtocol) -> tuple[str, ...]:
        if found is None:
            return await resolve_all(host, port, protocol)
        if isinstance(found, Mapping):
            raise ProbeError(Reason(found["reason"]), found["detail"])
        return tuple(found)

    return lookup


async def _serve(descriptor: int) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor), limit=MOST_LINE_BYTES)

    def say(message: Mapping[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    logger = logging.getLogger("exporter")
    logger.addHandler(_Forwarded(say, asyncio.get_running_loop()))
    logger.propagate = False
    await _Scanner(say).run(reader)
    writer.close()


def main() -> None:
    """Scan until the socket is closed.

    Signals are for the main process: a terminal and systemd send them to all processes, and the scans that run are not
    to end before that one says so.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(_serve(int(sys.argv[1])))
    os._exit(0)  # a thread that is busy with a hostile server must not delay the end


if __name__ == "__main__":
    main()

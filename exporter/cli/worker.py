"""`worker`: scans the targets of a zone for an exporter elsewhere."""

import argparse
import asyncio
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.backends.celery_app import broker_of, make_app
from exporter.backends.messages import RefusalCause
from exporter.backends.wire import WireError, no_credentials
from exporter.cli import exits
from exporter.config.celery import read_key
from exporter.config.zone_worker import WorkerConfig, load_worker_config
from exporter.environment import make_resolver_of, utc_now
from exporter.errors import ConfigError, ExporterError, Problem
from exporter.files import read_file
from exporter.listen_address import parse_address
from exporter.logs import logging_to_stderr
from exporter.metrics.zone_worker import WorkerMetrics
from exporter.model import Proxy
from exporter.scan import Environment
from exporter.services import parse_proxy
from exporter.text import escaped
from exporter.web import Watch, WebLimits, open_files, serving

log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Scan until SIGTERM, and then until all scans that have begun are done."""
    config = load_worker_config(options.config_file)
    zone = config.celery.zones.get(options.zone)
    if zone is None:
        message = f"has no zone {options.zone}"
        raise ConfigError([Problem(str(options.config_file), 1, 1, "celery.zones", message)])
    app = make_app(broker_of(config.celery))
    from exporter.backends.celery_worker import Job, make_worker  # noqa: PLC0415 - it imports Celery, an extra

    warnings.filterwarnings("ignore", module="celery")  # about what is set on purpose, and about root
    if os.geteuid() == 0:
        log.warning("the worker runs as root, which it does not need")
    with tempfile.TemporaryDirectory(prefix="tls-posture-worker-") as seen:
        job = Job(
            zone=options.zone,
            key=read_key(zone.key_file),
            make_environment=lambda: Environment(utc_now, make_resolver_of(config.resolver)),
            credentials=_credentials(config),
            now=utc_now,
            seen=Path(seen),
            begin=lambda: _log_again(options),
        )
        holder = SimpleNamespace(worker=None)
        metrics = WorkerMetrics(options.zone, lambda: _is_connected(holder.worker), tuple(RefusalCause))
        addresses = [parse_address(text) for text in options.listen_address or []]

        def ready() -> None:
            log.info("worker of zone %s is ready", options.zone)

        holder.worker = make_worker(app, job, options.processes or os.cpu_count() or 1, metrics, ready)
        if addresses:
            _serve_metrics(metrics, addresses)
        holder.worker.start()
        code: int = holder.worker.exitcode or exits.OK
    return code


def _credentials(config: WorkerConfig) -> Callable[[Proxy], Proxy]:
    known = {str(parse_proxy(one.proxy_url)): one for one in config.proxies}

    def credentials(proxy: Proxy) -> Proxy:
        one = known.get(str(proxy))
        if one is None:
            no_credentials(proxy)
        try:
            password = read_file(one.password_file).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WireError(f"the password of the proxy {escaped(str(proxy))} cannot be read") from error
        return replace(proxy, user=one.username, password=password)

    return credentials


def _log_again(options: argparse.Namespace) -> None:
    """Log in a process that was forked: the thread that writes lines is not there."""
    logging.getLogger().handlers.clear()
    logging_to_stderr(options.log_level, options.log_format).__enter__()


def _is_connected(worker: Any) -> bool:  # noqa: ANN401 - Celery has no types
    consumer = getattr(worker, "consumer", None)
    connection = getattr(consumer, "connection", None)
    return bool(connection is not None and connection.connected)


def _serve_metrics(metrics: WorkerMetrics, addresses: list[tuple[str, int]]) -> None:
    """Serve /metrics and /-/healthy in a thread.

    Raises:
        ExporterError: an address cannot be listened on.
    """
    started: list[ExporterError] = []
    listening = threading.Event()

    async def answer(_request: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("healthy\n")

    site = Starlette(routes=[Route("/metrics", answer), Route("/-/healthy", healthy)])

    async def serve() -> None:
        try:
            async with serving(site, addresses, limits=WebLimits.within(open_files(), 0), watch=Watch()) as bound:
                for host, port in bound:
                    log.info("listening on %s port %d", host, port)
                listening.set()
                await asyncio.Event().wait()
        except ExporterError as error:
            started.append(error)
        finally:
            listening.set()

    threading.Thread(target=lambda: asyncio.run(serve()), name="web", daemon=True).start()
    listening.wait()
    if started:
        raise started[0]

"""The life of the daemon: from its start to a signal."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import SystemRandom

from exporter.app import App, Storage
from exporter.config import Config
from exporter.files import Fingerprint
from exporter.garbage import Rest
from exporter.sharding import Shard
from exporter.signals import on_hangup
from exporter.stopping import stop_by_signals
from exporter.systemd import Notifier
from exporter.web import (
    Access,
    FirstRead,
    Gate,
    Passwords,
    WebLimits,
    default_external_url,
    descriptors_reserved,
    is_authenticated,
    make_access,
    make_app,
    open_files,
    serving,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """How the daemon runs.

    Attributes:
        config_file: where reloads read the configuration.
        addresses: where to listen.
        passed: sockets that listen already.
        web_file: the web configuration; None without one.
        storage: where results are kept; None keeps them in memory.
        poll_every: how often the files of the configuration are polled for changes; None does not poll them.
        lifecycle: whether requests without authentication may change something.
        external_url: where people reach the pages; None if that is this machine and the first address.
        processes: how many processes scan; 0 scans in this one.
        shard: whose targets are scanned; None scans all.
    """

    config_file: Path
    addresses: list[tuple[str, int]]
    passed: Sequence[socket.socket] = ()
    storage: Storage | None = None
    web_file: FirstRead | None = None
    poll_every: timedelta | None = None
    lifecycle: bool = False
    external_url: str | None = None
    processes: int = 0
    shard: Shard | None = None


async def serve(launch: Launch, config: Config, files: Fingerprint, notifier: Notifier) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Args:
        launch: how to run it.
        config: the first configuration.
        files: what the first configuration was made of.
        notifier: tells systemd about the state.

    Raises:
        ExporterError: an address cannot be bound, or the storage cannot be used.
    """
    loop = asyncio.get_running_loop()
    stopping = stop_by_signals()
    app = App(config, storage=launch.storage, processes=launch.processes)
    if launch.shard is not None:
        app.use_shard(launch.shard)
        log.info("%s: other targets are left to the other shards", launch.shard)
    reloader = app.reloader(launch.config_file, files)

    def hang_up() -> None:
        notifier.reloading(loop.time())
        reloader.request().add_done_callback(lambda _: notifier.reloaded())

    with on_hangup(loop, hang_up):
        gate = Gate(enabled=launch.lifecycle, authenticated=lambda request: is_authenticated(request.scope))
        site = make_app(app.sources(reloader.reload), gate)
        limits = _web_limits(config.global_.max_concurrent_scans + config.probe.max_concurrent_scans)
        access = _access(launch.web_file, app)
        async with serving(
            site, launch.addresses, sockets=launch.passed, limits=limits, watch=app.watch(), access=access
        ) as bound:
            for host, port in bound:
                log.info("listening on %s port %d", host, port)
            tls = access is not None and access.config.tls is not None
            default = default_external_url(socket.gethostname(), bound[0][1], tls=tls)
            app.show_external_url(launch.external_url or default)
            making = Rest().begin()
            del config  # with thousands of targets it has 16 MB, which nothing needs any more
            await app.prepare()

            def ready() -> None:
                making.end()
                notifier.ready()

            app.start(ready)
            reloader.start(launch.poll_every)
            telling = asyncio.create_task(notifier.run(app.status), name="systemd")
            await app.freshness.run(stopping)
            log.info("stopping")
            notifier.stopping()
            telling.cancel()
            await reloader.stop()
            await app.stop()


def _access(file: FirstRead | None, app: App) -> Access | None:
    """Who may ask, by this file; None if everybody may."""
    if file is None:
        return None
    passwords = Passwords(secrets.token_bytes(32), SystemRandom())
    log.info("web configuration: %s, TLS %s", file.path, "off" if file.config.tls is None else "on")
    return make_access(file, passwords, app.access_watch())


def _web_limits(scans: int) -> WebLimits:
    """The limits that leave enough descriptors for this many scans at once."""
    limits, files = WebLimits.within(open_files(), scans), open_files()
    if files < limits.connections + descriptors_reserved(scans):
        log.warning(
            "a limit of %d open files is too low for %d scans at once: raise it, or lower their number", files, scans
        )
    return limits

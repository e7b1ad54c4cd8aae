"""`serve`: the daemon."""

import argparse
import asyncio
import os
from pathlib import Path
from typing import NoReturn

from exporter.app import Storage
from exporter.cli import exits
from exporter.cli.parser import DEFAULT_ADDRESS
from exporter.config import Config
from exporter.daemon import Launch, serve
from exporter.files import Fingerprint, one_view
from exporter.garbage import Rest
from exporter.listen_address import parse_address
from exporter.logs import finish
from exporter.policies import read_config
from exporter.sharding import chosen_shard
from exporter.systemd import Notifier, passed_sockets
from exporter.web import first_read, raise_open_files


def run(options: argparse.Namespace) -> NoReturn:
    """Serve until a signal arrives, and end the process."""
    shard = chosen_shard(options)
    notifier = Notifier.of(os.environ, os.getpid())
    passed = passed_sockets(os.environ, os.getpid()) if options.systemd_socket else []
    addresses = [parse_address(text) for text in options.listen_address or ([] if passed else [DEFAULT_ADDRESS])]
    with Rest():
        config, files = _read(options.config_file)
    web_file = None if options.web_config_file is None else first_read(options.web_config_file)
    raise_open_files()
    storage = Storage(options.storage_path, options.storage_retention) if options.storage_path else None
    launch = Launch(
        options.config_file,
        addresses,
        passed,
        storage,
        web_file,
        options.poll_every,
        options.lifecycle,
        options.external_url,
        options.processes,
        shard,
    )

    async def serve_and_leave() -> NoReturn:
        nonlocal config
        serving = serve(launch, config, files, notifier)
        del config  # the daemon does not keep it either
        await serving
        # All is closed. Python itself would now wait for each thread, which may be busy with a hostile server, and free
        # each object: that takes seconds with the facts of thousands of targets.
        finish()
        os._exit(exits.OK)

    asyncio.run(serve_and_leave())


def _read(path: Path) -> tuple[Config, Fingerprint]:
    """The configuration, and what it was made of."""
    with one_view() as view:
        config = read_config(path)
    return config, view.fingerprint()

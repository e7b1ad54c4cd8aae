"""`serve`: the daemon."""

import argparse
import asyncio
import os
from typing import NoReturn

from exporter.app import serve
from exporter.cli import exits
from exporter.cli.parser import DEFAULT_ADDRESS
from exporter.logs import finish
from exporter.policies import read_config
from exporter.systemd import Notifier, passed_sockets
from exporter.web import parse_address


def run(options: argparse.Namespace) -> NoReturn:
    """Serve until a signal arrives, and end the process."""
    notifier = Notifier.of(os.environ, os.getpid())
    passed = passed_sockets(os.environ, os.getpid()) if options.systemd_socket else []
    addresses = [parse_address(text) for text in options.listen_address or ([] if passed else [DEFAULT_ADDRESS])]
    config = read_config(options.config_file)

    async def serve_and_leave() -> NoReturn:
        await serve(options.config_file, config, addresses, passed, notifier)
        # All is closed. Python itself would now wait for each thread, which may be busy with a hostile server, and free
        # each object: that takes seconds with the facts of thousands of targets.
        finish()
        os._exit(exits.OK)

    asyncio.run(serve_and_leave())

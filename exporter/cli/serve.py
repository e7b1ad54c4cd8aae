"""`serve`: the daemon."""

import argparse
import asyncio
from pathlib import Path

from exporter.app import Storage
from exporter.cli import exits
from exporter.cli.parser import DEFAULT_ADDRESS
from exporter.config import Config
from exporter.daemon import Launch, serve
from exporter.files import Fingerprint, one_view
from exporter.policies import read_config
from exporter.web import parse_address, raise_open_files


def run(options: argparse.Namespace) -> int:
    """Serve until a signal arrives; returns the exit code."""
    addresses = [parse_address(text) for text in options.listen_address or [DEFAULT_ADDRESS]]
    config, files = _read(options.config_file)
    raise_open_files()
    storage = Storage(options.storage_path, options.storage_retention) if options.storage_path else None
    launch = Launch(options.config_file, addresses, storage, options.poll_every)
    asyncio.run(serve(launch, config, files))
    return exits.OK


def _read(path: Path) -> tuple[Config, Fingerprint]:
    """The configuration, and what it was made of."""
    with one_view() as view:
        config = read_config(path)
    return config, view.fingerprint()

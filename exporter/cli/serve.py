"""`serve`: the daemon."""

import argparse
import asyncio

from exporter.app import serve
from exporter.cli import exits
from exporter.cli.parser import DEFAULT_ADDRESS
from exporter.policies import read_config
from exporter.web import parse_address, raise_open_files


def run(options: argparse.Namespace) -> int:
    """Serve until a signal arrives; returns the exit code."""
    addresses = [parse_address(text) for text in options.listen_address or [DEFAULT_ADDRESS]]
    config = read_config(options.config_file)
    raise_open_files()
    asyncio.run(serve(options.config_file, config, addresses))
    return exits.OK

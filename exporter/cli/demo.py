"""`demo`: six services of its own, scanned and shown; one is repaired."""

import argparse
import asyncio

from exporter.demo.run import demo
from exporter.listen_address import parse_address
from exporter.terminal import output_console


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; returns the exit code."""
    addresses = [parse_address(options.listen_address)]
    return asyncio.run(demo(output_console(), addresses, once=options.once))

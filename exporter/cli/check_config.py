"""`check-config`: reports the mistakes of a configuration."""

import argparse

from exporter.cli import exits
from exporter.policies import read_config


def run(options: argparse.Namespace) -> int:
    """Print that the file is valid, and its number of targets; returns the exit code."""
    config = read_config(options.config_file)
    count = len(config.targets)
    print(f"{options.config_file}: valid, {count} target{'' if count == 1 else 's'}")
    return exits.OK

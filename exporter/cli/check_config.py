"""`check-config`: reports the mistakes of a configuration and of a web configuration."""

import argparse

from exporter.cli import exits
from exporter.errors import ExporterError
from exporter.policies import read_config
from exporter.web import first_read


def run(options: argparse.Namespace) -> int:
    """Print that the files are valid, and the number of targets; returns the exit code."""
    if options.config_file is None and options.web_config_file is None:
        raise ExporterError("name a file by --config.file, by --web.config.file, or one by each")
    if options.config_file is not None:
        count = len(read_config(options.config_file).targets)
        print(f"{options.config_file}: valid, {count} target{'' if count == 1 else 's'}")
    if options.web_config_file is not None:
        first_read(options.web_config_file)
        print(f"{options.web_config_file}: valid")
    return exits.OK

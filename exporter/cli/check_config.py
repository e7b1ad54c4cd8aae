"""`check-config`: reports the mistakes of a configuration and of a web configuration."""

import argparse

from exporter.cli import exits
from exporter.errors import ExporterError
from exporter.policies import read_config
from exporter.web import first_read


def run(options: argparse.Namespace) -> int:
    """Print that the files are valid, and how many targets and sources there are; returns the exit code."""
    if options.config_file is None and options.web_config_file is None:
        raise ExporterError("name a file by --config.file, by --web.config.file, or one by each")
    if options.config_file is not None:
        config = read_config(options.config_file)
        count, sources = len(config.targets), len(config.sources)
        more = f" and {sources} source{'' if sources == 1 else 's'} of targets" if sources else ""
        print(f"{options.config_file}: valid, {count} target{'' if count == 1 else 's'}{more}")
    if options.web_config_file is not None:
        first_read(options.web_config_file)
        print(f"{options.web_config_file}: valid")
    return exits.OK

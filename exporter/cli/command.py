"""Runs a subcommand, with the same logging, error messages and exit codes for all."""

import argparse
import logging
import os
import sys
from importlib import import_module

from exporter.cli import exits
from exporter.cli.output import complain
from exporter.errors import ConfigError, ExporterError
from exporter.logs import logging_to_stderr

log = logging.getLogger(__name__)


def run_command(options: argparse.Namespace) -> int:
    """Run the subcommand that the parser found; returns its exit code."""
    with logging_to_stderr(options.log_level, options.log_format):
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = import_module(f"exporter.cli.{options.module}").run(options)
        sys.stdout.flush()
    except ConfigError as error:
        for problem in error.problems:
            complain(problem)
        return exits.USAGE
    except ExporterError as error:
        complain(f"tls-posture-exporter: {error}")
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has closed it. Python would report that again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.READER_GONE
    except Exception:  # a named border: Python's own code for this is 1, which means "does not comply"
        log.exception("the command failed")
        return exits.UNKNOWN
    return code

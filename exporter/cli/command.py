"""Runs a subcommand, with the same logging, error messages and exit codes for all."""

import argparse
import errno
import logging
import os
import sys
from importlib import import_module

from exporter.cli import exits
from exporter.cli.output import complain
from exporter.errors import ConfigError, ExporterError
from exporter.logs import logging_to_stderr

log = logging.getLogger(__name__)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of standard output while it is a file; those of other files are messages where they are written."""


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
        _forget_output()
        return exits.READER_GONE
    except Exception as error:  # a named border: Python's own code for this is 1, which means "does not comply"
        if isinstance(error, OSError) and error.errno in _FULL:
            complain(f"tls-posture-exporter: cannot write standard output: {error.strerror}")
            _forget_output()
            return exits.USAGE
        log.exception("the command failed")
        return exits.UNKNOWN
    return code


def _forget_output() -> None:
    """What could not be written is not written at exit either: Python would report the same error again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

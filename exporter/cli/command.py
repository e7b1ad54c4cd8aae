"""Runs a subcommand, with the same logging, error messages and exit codes for all."""

import argparse
import os
import sys
import traceback
from importlib import import_module

from exporter.cli import exits
from exporter.errors import ConfigError, ExporterError
from exporter.logs import set_up_logging


def run_command(options: argparse.Namespace) -> int:
    """Run the subcommand that the parser found; returns its exit code."""
    set_up_logging(options.log_level, options.log_format)
    try:
        code: int = import_module(f"exporter.cli.{options.module}").run(options)
        sys.stdout.flush()
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return exits.USAGE
    except ExporterError as error:
        print(f"tls-posture-exporter: {error}", file=sys.stderr)
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has closed it. Python would report that again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.READER_GONE
    except Exception:  # noqa: BLE001 - a named border: Python's own code for this is 1, which means "does not comply"
        traceback.print_exc()
        return exits.UNKNOWN
    return code

"""The program: `python -m exporter`, and the installed command."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from exporter.cli.parser import make_parser
from exporter.cli.standard_files import open_closed_files


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; its exit code."""
    open_closed_files()
    options = make_parser().parse_args(argv)
    from exporter.signals import hangup_waits, terminable  # noqa: PLC0415 - `--version` and `--help` end before this

    with ExitStack() as signals:
        if options.module == "serve":
            signals.enter_context(hangup_waits())
            signals.enter_context(terminable())
        from exporter.cli.command import run_command  # noqa: PLC0415 - takes time

        return run_command(options)


if __name__ == "__main__":
    sys.exit(main())

"""`report`: reports from a running daemon, or from the folder in which one has stored its results."""

import argparse

from exporter.cli import exits
from exporter.cli.outputs import prepare
from exporter.cli.parser import TABLE
from exporter.errors import ExporterError
from exporter.reports.base import ReportSet
from exporter.reports.registry import find
from exporter.sharding import chosen_shard

_DAEMON_FORMAT = "markdown"
"""What is printed of a daemon's reports if no format is named: it has no tables for a terminal."""


def run(options: argparse.Namespace) -> int:
    """Read, print and write the reports; returns the exit code, which says nothing about targets."""
    _refuse_flags_of_the_other(options)
    query = [(key, value) for key in ("match[]", "check", "verdict", "policy", "grade") for value in _of(options, key)]
    if options.from_url is not None:
        if options.format == TABLE:
            raise ExporterError("a daemon has no tables for a terminal; name another format")
        wanted = bool(options.output) and options.format is None
        outputs = prepare(TABLE if wanted else options.format or _DAEMON_FORMAT, options.output)
        from exporter.cli.fetching import fetch_documents  # noqa: PLC0415 - as each format

        outputs.deliver(fetch_documents(options, outputs.formats, query).__getitem__)
        return exits.OK
    if options.config_file is None:
        raise ExporterError("--storage.path needs --config.file: it says which targets there are")
    outputs = prepare(options.format or TABLE, options.output)
    found = _stored(options, query)
    outputs.deliver(lambda name: find(name).render(found))
    if outputs.printed == TABLE:
        _print_table(found)
    return exits.OK


_OF_DAEMON = ("username_file", "password_file", "token_file", "ca_file")


def _refuse_flags_of_the_other(options: argparse.Namespace) -> None:
    """A flag that is not used would give a false idea of what was read, or how."""
    given = [flag for flag in _OF_DAEMON if getattr(options, flag) is not None]
    if options.from_url is None and given:
        raise ExporterError(f"--from.{given[0].replace('_', '-')} is for --from only")
    if options.from_url is not None and options.config_file is not None:
        raise ExporterError("--config.file is for --storage.path only: a daemon knows its targets")
    if options.from_url is not None and chosen_shard(options) is not None:
        raise ExporterError("--shard.index is for --storage.path only: a daemon knows its shard")


def _of(options: argparse.Namespace, key: str) -> list[str]:
    values: list[str] = getattr(options, key.removesuffix("[]"))
    return values


def _stored(options: argparse.Namespace, query: list[tuple[str, str]]) -> ReportSet:
    from exporter.cli.stored import stored_reports  # noqa: PLC0415 - as each format
    from exporter.web.api.errors import ApiError  # noqa: PLC0415 - the same
    from exporter.web.api.parameters import FilterParameters, read_parameters  # noqa: PLC0415 - the same

    try:
        wanted = read_parameters(FilterParameters, query).wanted()
    except ApiError as error:
        raise ExporterError(error.message) from error
    return stored_reports(options.config_file, options.storage_path, wanted, chosen_shard(options))


def _print_table(found: ReportSet) -> None:
    from exporter.terminal import output_console  # noqa: PLC0415 - the same
    from exporter.terminal_overview import print_overview  # noqa: PLC0415 - as each format

    print_overview(output_console(), found.reports, found.not_scanned, explain=False, verbose=False)

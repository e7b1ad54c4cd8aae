"""The subcommands and their flags. Imports nothing that `--version` and `--help` do not need."""

import argparse
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from exporter import __version__
from exporter.cli.arguments import CommandParser

DEFAULT_ADDRESS = ":19443"
TABLE = "table"
FORMATS = (TABLE, "json", "prometheus", "openmetrics", "html", "junit", "csv", "markdown", "cyclonedx")
"""Values of `--format`: a table, and those of `exporter.reports.registry`."""
MOST_AT_ONCE = 1000
"""Most targets that `scan --concurrency` allows at once."""
MOST_PROCESSES = 64
"""Of `serve --scan.processes`: more wait for the process that judges."""
EXIT_CODES = """exit codes:
  0    done; `scan`: every target complies, or its failures are accepted; `serve`: ended by SIGTERM or SIGINT
  1    `scan`: a target does not comply, and this is not accepted (`--fail-on` says which checks count); `diff`: a
       target got worse; `targets`: one was rejected
  2    wrong usage or configuration, an address cannot be listened on, or a file cannot be written
  3    `scan`: a target could not be scanned, or not everything is known; `diff`: nothing got worse, but something is
       not known any more; `targets`: a source failed; any command: an internal error
  130  `serve`: SIGINT came twice, or the end took more than 9 s; other commands: SIGINT; `scan` prints what is done
  141  the reader of standard output has closed it
  143  `serve`: SIGTERM came twice, or the end took more than 9 s; `scan`: SIGTERM; it prints what is done"""


def make_parser() -> argparse.ArgumentParser:
    """The parser. Its result has the subcommand's module as `module`, a name in `exporter.cli`."""
    parser = CommandParser(
        prog="tls-posture-exporter",
        description="Prometheus exporter for the transport security of TLS services.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (
        _serve,
        _scan,
        _report,
        _check_config,
        _targets,
        _diff,
        _explain,
        _policies,
        _completion,
        _demo,
        _worker,
        _healthcheck,
    ):
        command(commands.add_parser)
    return parser


Add = Callable[..., argparse.ArgumentParser]
"""Adds a subcommand: takes its name and the arguments of `ArgumentParser`."""


def _serve(add: Add) -> None:
    command = add("serve", parents=[_logging("info")], help="scan the configured targets and serve /metrics")
    _config_file(command, required=True)
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--web.listen-address",
        dest="listen_address",
        action="append",
        metavar="ADDRESS",
        help=f"address to listen on, repeatable (default {DEFAULT_ADDRESS})",
    )
    where.add_argument(
        "--web.systemd-socket",
        dest="systemd_socket",
        action="store_true",
        help="listen on the sockets that systemd passes (socket activation) instead of addresses",
    )
    _web_config_file(command)
    command.add_argument(
        "--web.external-url",
        dest="external_url",
        type=_external_url,
        metavar="URL",
        help="where people reach the pages, for links from alerts and dashboards (default: by the name of this machine "
        "and the port)",
    )
    command.add_argument(
        "--web.enable-lifecycle",
        dest="lifecycle",
        action="store_true",
        help="allow requests without authentication to reload the configuration and to start scans",
    )
    command.add_argument(
        "--storage.path",
        dest="storage_path",
        type=Path,
        metavar="FOLDER",
        help="keep results and their history here, so that a restart loses nothing (default: in memory only)",
    )
    command.add_argument(
        "--storage.retention",
        dest="storage_retention",
        type=_duration,
        default=timedelta(days=400),
        metavar="DURATION",
        help="how long the history is kept (default 400d)",
    )
    command.add_argument(
        "--config.auto-reload-interval",
        dest="poll_every",
        type=_interval,
        metavar="DURATION",
        help="reload when the content of the configuration or of a file that it names changes; looked at this often "
        "(default: not at all)",
    )
    command.add_argument(
        "--scan.processes",
        dest="processes",
        type=_processes,
        default=0,
        metavar="N",
        help="scan in this many processes, to use more than one core (default 0: in the process that does all else)",
    )
    _shard(command)
    command.set_defaults(module="serve")


def _shard(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--shard.index",
        dest="shard_index",
        type=_shard_index,
        metavar="INDEX",
        help="use only the targets of this shard, from 0 (default: all targets)",
    )
    command.add_argument(
        "--shard.total", dest="shard_total", type=_count, metavar="N", help="number of shards, with --shard.index"
    )


def _scan(add: Add) -> None:
    command = add("scan", parents=[_logging("error")], help="scan once and print the verdicts")
    _config_file(command, required=False)
    command.add_argument(
        "--policy", action="append", default=[], metavar="NAME|FILE", help="policy to judge by, repeatable"
    )
    _formats(command, default=TABLE)
    command.add_argument(
        "--explain",
        action="store_true",
        help="show for each finding that did not pass what the policy asks and what to change",
    )
    command.add_argument(
        "--verbose", action="store_true", help="several targets: show all checks of each, not only what fails"
    )
    command.add_argument(
        "--fail-on",
        choices=["critical", "warning", "info", "unknown"],
        default="info",
        help="the least severity of checks that count for exit codes 1 and 3; with `unknown`, all count, and what is "
        "unknown or could not be scanned is 1 too (default info)",
    )
    command.add_argument(
        "--concurrency",
        type=_count,
        metavar="N",
        help="most targets that are scanned at once (default: max_concurrent_scans of the configuration, 10)",
    )
    command.add_argument("--timeout", type=_duration, metavar="DURATION", help="deadline of one scan (default 60s)")
    command.add_argument(
        "target",
        nargs="*",
        metavar="TARGET",
        help="host[:port], a URL such as imaps://host, or the name or host of targets in the configuration",
    )
    command.set_defaults(module="scan")


def _report(add: Add) -> None:
    command = add("report", parents=[_logging("error")], help="reports from a daemon, or from what it has stored")
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--from", dest="from_url", metavar="URL", help="of a daemon, such as http://localhost:19443")
    where.add_argument(
        "--storage.path", dest="storage_path", type=Path, metavar="FOLDER", help="of a daemon that is not running"
    )
    _config_file(command, required=False)
    _shard(command)
    for name, text in (
        ("username-file", "file with the user name"),
        ("password-file", "file with the password"),
        ("token-file", "file with a bearer token"),
        ("ca-file", "PEM file with the authorities that the daemon's certificate is checked by"),
    ):
        command.add_argument(
            f"--from.{name}", dest=name.replace("-", "_"), type=Path, metavar="FILE", help=f"for --from: {text}"
        )
    _formats(command, default=None)
    for name, metavar, text in (
        ("match", "SELECTOR", "targets with these labels, as in Prometheus"),
        ("check", "CHECK", "targets with a verdict of this check"),
        ("verdict", "VERDICT", "targets with such a verdict: pass, fail, unknown, not_applicable"),
        ("policy", "NAME", "targets judged by this policy"),
        ("grade", "LETTER", "targets with this grade"),
    ):
        command.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=f"only {text}; repeatable")
    command.set_defaults(module="report")


def _formats(command: argparse.ArgumentParser, *, default: str | None) -> None:
    said = default or f"{TABLE}; markdown from a daemon"
    command.add_argument("--format", choices=FORMATS, default=default, help=f"what is printed (default {said})")
    command.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="FORMAT:FILE",
        help="write a document in addition, or to standard output (`FORMAT:-`) instead of the table; repeatable",
    )


def _check_config(add: Add) -> None:
    command = add("check-config", parents=[_logging("info")], help="say what is wrong with a configuration")
    _config_file(command, required=False)
    _web_config_file(command)
    _shard(command)
    command.set_defaults(module="check_config")


def _targets(add: Add) -> None:
    command = add("targets", parents=[_logging("critical")], help="list the targets that the sources give now")
    _config_file(command, required=True)
    command.add_argument(
        "--timeout", type=_duration, metavar="DURATION", help="how long the sources have to answer (default 10s)"
    )
    command.add_argument("--format", choices=["table", "json"], default="table", help="(default table)")
    _shard(command)
    command.set_defaults(module="targets")


def _diff(add: Add) -> None:
    command = add("diff", parents=[_logging("error")], help="say what got better and worse between two scans")
    command.add_argument("old", type=Path, metavar="OLD", help="a document of `scan --format=json`")
    command.add_argument("new", type=Path, metavar="NEW", help="a later one")
    command.add_argument("--format", choices=["table", "json"], default="table", help="(default table)")
    command.set_defaults(module="diff")


def _explain(add: Add) -> None:
    command = add("explain", parents=[_logging("error")], help="say what a check, an alert or a policy is")
    command.add_argument(
        "name", metavar="CHECK|ALERT|POLICY", help="such as hsts, TLSPostureVulnerable, mozilla-modern or ./own.yaml"
    )
    command.set_defaults(module="explain")


def _completion(add: Add) -> None:
    command = add("completion", parents=[_logging("error")], help="print the completion of a shell")
    command.add_argument("shell", choices=["bash", "zsh", "tcsh", "fish"], help="for which shell")
    command.set_defaults(module="completion")


def _policies(add: Add) -> None:
    command = add("policies", parents=[_logging("info")], help="list the shipped policies, or show one")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="name and title of each")
    show = actions.add_parser("show", help="the policy's file")
    show.add_argument("name", metavar="NAME|FILE")
    command.set_defaults(module="policies")


def _demo(add: Add) -> None:
    command = add("demo", parents=[_logging("error")], help="scan six services of its own and serve the result")
    command.add_argument("--once", action="store_true", help="leave after the table")
    command.add_argument("--web.listen-address", dest="listen_address", default=DEFAULT_ADDRESS, metavar="ADDRESS")
    command.set_defaults(module="demo")


def _worker(add: Add) -> None:
    command = add("worker", parents=[_logging("info")], help="scan the targets of a zone for an exporter elsewhere")
    _config_file(command, required=True)
    command.add_argument("--zone", required=True, metavar="NAME", help="the zone whose targets are scanned")
    command.add_argument(
        "--processes", type=_count, metavar="N", help="processes that scan (default: the number of processors)"
    )
    command.add_argument(
        "--web.listen-address",
        dest="listen_address",
        action="append",
        metavar="ADDRESS",
        help="address of /metrics, repeatable (default: none)",
    )
    command.set_defaults(module="worker")


def _healthcheck(add: Add) -> None:
    command = add("healthcheck", parents=[_logging("error")], help="say whether a daemon on this machine answers")
    command.add_argument(
        "--web.listen-address",
        dest="listen_address",
        action="append",
        metavar="ADDRESS",
        help="address that the daemon listens on (default: that of the first process of the container, or "
        f"{DEFAULT_ADDRESS})",
    )
    command.add_argument(
        "--timeout",
        type=_duration,
        default=timedelta(seconds=4),
        metavar="DURATION",
        help="how long the daemon has to answer (default 4s)",
    )
    command.set_defaults(module="healthcheck")


def _logging(level: str) -> argparse.ArgumentParser:
    """The flags for logging. Each command has its own, because a shared action would share its default."""
    flags = argparse.ArgumentParser(add_help=False)
    levels = ["debug", "info", "warning", "error"]
    flags.add_argument("--log.level", dest="log_level", default=level, choices=levels, help=f"(default {level})")
    flags.add_argument("--log.format", dest="log_format", default="logfmt", choices=["logfmt", "json"])
    return flags


def _config_file(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--config.file", dest="config_file", type=Path, required=required, metavar="FILE", help="configuration (YAML)"
    )


def _web_config_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--web.config.file",
        dest="web_config_file",
        type=Path,
        metavar="FILE",
        help="TLS, passwords and header fields of the web server, as in Prometheus (docs/access.md)",
    )


def _external_url(text: str) -> str:
    from exporter.web.external_url import parse_external_url  # noqa: PLC0415 - as for durations

    try:
        return parse_external_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it {error}") from error


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_AT_ONCE):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_AT_ONCE}")
    return int(text)


def _processes(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= MOST_PROCESSES):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {MOST_PROCESSES}")
    return int(text)


def _shard_index(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < MOST_AT_ONCE):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {MOST_AT_ONCE - 1}")
    return int(text)


def _interval(text: str) -> timedelta:
    value = _duration(text)
    if value < timedelta(seconds=1):
        raise argparse.ArgumentTypeError(f"{text!r} is too short for an interval; the shortest is 1s")
    return value


def _duration(text: str) -> timedelta:
    from exporter.config.values import parse_duration  # noqa: PLC0415 - heavy, and needed only where the flag is given

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

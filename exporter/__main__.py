"""The command line: flags, subcommands, exit codes."""

import argparse
import asyncio
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from exporter import __version__
from exporter.app import serve
from exporter.config import Config
from exporter.config.sections import TargetSettings
from exporter.config.values import is_policy_path, parse_duration
from exporter.demo.run import demo
from exporter.environment import make_resolver, utc_now
from exporter.errors import ConfigError, ExporterError, TargetError
from exporter.fleet import KeyIndex
from exporter.judge import Judge, load_judge
from exporter.logs import set_up_logging
from exporter.metrics import render_reports, target_text
from exporter.model import Report, Target
from exporter.policies import Policy, load_policy, read_config, shipped, wrong_policy
from exporter.report import reports_json
from exporter.scan import Environment, scan_addresses
from exporter.services import parse_service
from exporter.targets import make_target, named, static_targets
from exporter.terminal import print_reports
from exporter.web import parse_address
from exporter.workers import Workers

EXIT_OK, EXIT_NOT_COMPLIANT, EXIT_USAGE, EXIT_UNKNOWN = 0, 1, 2, 3
DEFAULT_ADDRESS = ":19443"
DEFAULT_TIMEOUT = timedelta(seconds=60)
"""Of one scan of a target named on the command line, where no configuration says otherwise."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; its exit code."""
    options = _parser().parse_args(argv)
    set_up_logging(options.log_level, options.log_format)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return EXIT_USAGE
    except ExporterError as error:
        print(f"tls-posture-exporter: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception:  # noqa: BLE001 - a named border: Python's own code for this is 1, which means "does not comply"
        traceback.print_exc()
        return EXIT_UNKNOWN
    return code


def _serve(options: argparse.Namespace) -> int:
    addresses = [parse_address(text) for text in options.listen_address or [DEFAULT_ADDRESS]]
    config = read_config(options.config_file)
    asyncio.run(serve(options.config_file, config, addresses))
    return EXIT_OK


def _check_config(options: argparse.Namespace) -> int:
    config = read_config(options.config_file)
    count = len(config.targets)
    print(f"{options.config_file}: valid, {count} target{'' if count == 1 else 's'}")
    return EXIT_OK


def _policies(options: argparse.Namespace) -> int:
    if options.action == "list":
        for name in shipped():
            policy = load_policy(name)
            print(f"{name}  {policy.title} ({policy.version})")
        return EXIT_OK
    policy = _policy(options.name)
    print(policy.file.read_text(encoding="utf-8"), end="")
    return EXIT_OK


def _demo(options: argparse.Namespace) -> int:
    addresses = [parse_address(options.listen_address)]
    return asyncio.run(demo(Console(), addresses, once=options.once))


def _policy(name: str) -> Policy:
    if not is_policy_path(name):
        wrong = wrong_policy(name)
        if wrong:
            raise ExporterError(wrong)
    return load_policy(name)


def _scan(options: argparse.Namespace) -> int:
    config = read_config(options.config_file) if options.config_file else Config()
    if not options.target and not config.targets:
        raise ExporterError("nothing to scan: name a target, or a configuration that has some")
    targets = _scan_targets(options, config)
    names = [_policy(policy).name for policy in options.policy]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ExporterError(f"policy given twice: {', '.join(twice)}")
    keys = KeyIndex()
    judge = load_judge(targets, config.software.eol_files, keys.neighbours)
    targets = [judge.with_questions(target) for target in targets]
    scanned = asyncio.run(_scan_all(targets, judge, keys, config))
    reports = [report for of_target in scanned for report in of_target]
    match options.format:
        case "json":
            print(reports_json(reports))
        case "prometheus":
            full = config.metrics.detail == "full"
            lines = (render_reports(several, judge.policies_of(several[0].target), full=full) for several in scanned)
            print(target_text(lines), end="")
        case _:
            print_reports(Console(), reports, explain=options.explain)
    return _exit_code(reports)


def _scan_targets(options: argparse.Namespace, config: Config) -> list[Target]:
    """The targets named, else all of the configuration; what the configuration knows is scanned as it says."""
    known = static_targets(config)
    targets = [target for text in options.target for target in _meant(text, known, config)] or list(known)
    names = [target.name for target in targets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ExporterError(f"named twice: {', '.join(twice)}")
    changes: dict[str, object] = {}
    if options.policy:
        changes["policies"] = tuple(options.policy)
    if options.timeout:
        changes["scan_timeout"] = options.timeout
    return [replace(target, **changes) for target in targets]  # type: ignore[arg-type]


def _meant(text: str, known: Sequence[Target], config: Config) -> Sequence[Target]:
    """The targets of the configuration that the text names, else one made of the text and the global settings.

    Raises:
        TargetError: it names none, and cannot be read as a target either.
    """
    try:
        service = parse_service(text)
    except TargetError:
        if found := named(text, None, known):
            return found
        raise
    if found := named(text, service, known):
        return found
    if others := [target for target in known if target.host == service.host]:
        listed = ", ".join(f"{other.name} ({other.starttls or other.protocol})" for other in others)
        message = f"{text} is none of the configured targets of this host ({listed}); only global settings apply to it"
        print(f"tls-posture-exporter: {message}", file=sys.stderr)
    target = make_target(TargetSettings.from_text(text), config.global_)
    return [target if config.global_.scan_timeout else replace(target, scan_timeout=DEFAULT_TIMEOUT)]


async def _scan_all(
    targets: Sequence[Target], judge: Judge, keys: KeyIndex, config: Config
) -> list[tuple[Report, ...]]:
    """The reports of each target, one for each of its addresses; `keys` are what the judge knows of neighbours."""
    workers = Workers()
    environment = Environment(now=utc_now, resolver=make_resolver(config), workers=workers)
    places = asyncio.Semaphore(config.global_.max_concurrent_scans)

    async def one(target: Target) -> tuple[Report, ...]:
        async with places:
            results = await scan_addresses(target, environment)
        reports = judge.after_scan(results, utc_now())
        keys.update(target.name, reports)
        return reports

    try:
        scanned = await asyncio.gather(*map(one, targets))
    finally:
        await workers.close()
    # Once more, now that the keys of all are known.
    return [judge.later(reports, target, utc_now()) for target, reports in zip(targets, scanned, strict=True)]


def _exit_code(reports: list[Report]) -> int:
    """1 when one does not comply, else 3 when one could not be scanned or stays unknown, else 0."""
    if any(report.compliant is False for report in reports):
        return EXIT_NOT_COMPLIANT
    if any(report.compliant is None or not report.result.success for report in reports):
        return EXIT_UNKNOWN
    return EXIT_OK


def _timeout(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tls-posture-exporter", description="Prometheus exporter for the transport security of TLS services."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "serve", parents=[_logging("info")], help="scan the configured targets and serve /metrics"
    )
    _config_file(command, required=True)
    command.add_argument(
        "--web.listen-address",
        dest="listen_address",
        action="append",
        metavar="ADDRESS",
        help=f"address to listen on, repeatable (default {DEFAULT_ADDRESS})",
    )
    command.set_defaults(run=_serve)

    command = commands.add_parser("scan", parents=[_logging("error")], help="scan once and print the verdicts")
    _config_file(command, required=False)
    command.add_argument(
        "--policy", action="append", default=[], metavar="NAME|FILE", help="policy to judge by, repeatable"
    )
    command.add_argument("--format", choices=["table", "json", "prometheus"], default="table")
    command.add_argument(
        "--explain",
        action="store_true",
        help="below the table, say of all that does not pass what was asked and what to change",
    )
    command.add_argument("--timeout", type=_timeout, metavar="DURATION", help="deadline of one scan (default 60s)")
    command.add_argument(
        "target",
        nargs="*",
        metavar="TARGET",
        help="host[:port], a URL such as imaps://host, or the name or host of targets in the configuration",
    )
    command.set_defaults(run=_scan)

    command = commands.add_parser(
        "check-config", parents=[_logging("info")], help="say what is wrong with a configuration"
    )
    _config_file(command, required=True)
    command.set_defaults(run=_check_config)

    command = commands.add_parser("policies", parents=[_logging("info")], help="list the shipped policies, or show one")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="name and title of each")
    show = actions.add_parser("show", help="the policy's file")
    show.add_argument("name", metavar="NAME|FILE")
    command.set_defaults(run=_policies)

    command = commands.add_parser(
        "demo", parents=[_logging("error")], help="scan two servers of its own and serve the result"
    )
    command.add_argument("--once", action="store_true", help="leave after the table")
    command.add_argument("--web.listen-address", dest="listen_address", default=DEFAULT_ADDRESS, metavar="ADDRESS")
    command.set_defaults(run=_demo)
    return parser


def _logging(level: str) -> argparse.ArgumentParser:
    """The flags for logging, of each command's own: a shared action would share its default too."""
    flags = argparse.ArgumentParser(add_help=False)
    levels = ["debug", "info", "warning", "error"]
    flags.add_argument("--log.level", dest="log_level", default=level, choices=levels, help=f"(default {level})")
    flags.add_argument("--log.format", dest="log_format", default="logfmt", choices=["logfmt", "json"])
    return flags


def _config_file(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--config.file", dest="config_file", type=Path, required=required, metavar="FILE", help="configuration (YAML)"
    )


if __name__ == "__main__":
    sys.exit(main())

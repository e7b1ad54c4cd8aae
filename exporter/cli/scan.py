"""`scan`: scans some targets once."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from exporter.cli import exits
from exporter.cli.output import complain
from exporter.cli.policies import named_policy
from exporter.config import Config
from exporter.config.sections import TargetSettings
from exporter.environment import make_resolver, utc_now
from exporter.errors import ExporterError, TargetError
from exporter.exceptions import read_exceptions
from exporter.fleet import KeyIndex
from exporter.judge import Judge, load_judge
from exporter.model import Report, Target
from exporter.policies import read_config
from exporter.scan import Environment, scan_addresses
from exporter.services import parse_service
from exporter.targets import make_target, named, static_targets
from exporter.workers import Workers

DEFAULT_TIMEOUT = timedelta(seconds=60)
"""Time limit of one scan of a target named on the command line, unless the configuration has another."""


def run(options: argparse.Namespace) -> int:
    """Scan, judge and print; returns the exit code."""
    config = read_config(options.config_file) if options.config_file else Config()
    if not options.target and not config.targets:
        raise ExporterError("nothing to scan: name a target, or a configuration that has some")
    targets = scan_targets(options, config)
    _refuse_twice("policy given twice", [named_policy(policy).name for policy in options.policy])
    keys = KeyIndex()
    exceptions = read_exceptions(config.exceptions)
    judge = load_judge(targets, config.software.eol_files, keys.neighbours, exceptions=exceptions)
    targets = [judge.with_questions(target) for target in targets]
    scanned = asyncio.run(_scan_all(targets, judge, keys, config))
    reports = [report for of_target in scanned for report in of_target]
    match options.format:
        case "json":
            _print_json(reports)
        case "prometheus":
            _print_metrics(scanned, judge, full=config.metrics.detail == "full")
        case _:
            _print_table(reports, explain=options.explain)
    return exit_code(reports)


def scan_targets(options: argparse.Namespace, config: Config) -> list[Target]:
    """The targets on the command line, else all targets of the configuration.

    Targets that are in the configuration are scanned with its settings.
    """
    known = static_targets(config)
    targets = [target for text in options.target for target in _meant(text, known, config)] or list(known)
    _refuse_twice("named twice", [target.name for target in targets])
    changes: dict[str, object] = {}
    if options.policy:
        changes["policies"] = tuple(options.policy)
    if options.timeout:
        changes["scan_timeout"] = options.timeout
    return [replace(target, **changes) for target in targets]  # type: ignore[arg-type]


def _refuse_twice(mistake: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ExporterError(f"{mistake}: {', '.join(twice)}")


def _meant(text: str, known: Sequence[Target], config: Config) -> Sequence[Target]:
    """The targets of the configuration that the text names, else one made of the text and the global settings.

    Raises:
        TargetError: it names no configured target, and is not a valid target.
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
        complain(f"tls-posture-exporter: {message}")
    target = make_target(TargetSettings.from_text(text), config.global_)
    return [target if config.global_.scan_timeout else replace(target, scan_timeout=DEFAULT_TIMEOUT)]


async def _scan_all(
    targets: Sequence[Target], judge: Judge, keys: KeyIndex, config: Config
) -> list[tuple[Report, ...]]:
    """The reports of each target, one for each address; `keys` is what the judge knows of neighbours."""
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
    # Judge again, now that the keys of all targets are known.
    return [judge.reports(reports, target, utc_now()) for target, reports in zip(targets, scanned, strict=True)]


def exit_code(reports: Sequence[Report]) -> int:
    """1 when a check fails, else 3 when a target could not be scanned or is unknown, else 0.

    Failures that the operator accepts do not count.
    """
    if any(report.fails for report in reports):
        return exits.NOT_COMPLIANT
    if any(report.is_unknown or not report.result.success for report in reports):
        return exits.UNKNOWN
    return exits.OK


# Each format imports only what it needs: pydantic's forms, prometheus_client, or rich.


def _print_json(reports: Sequence[Report]) -> None:
    from exporter.report import reports_json  # noqa: PLC0415 - see above

    print(reports_json(reports))


def _print_metrics(scanned: Sequence[Sequence[Report]], judge: Judge, *, full: bool) -> None:
    from exporter.metrics import render_reports, target_text  # noqa: PLC0415 - see above

    lines = (render_reports(reports, judge.policies_of(reports[0].target), full=full) for reports in scanned)
    print(target_text(lines), end="")


def _print_table(reports: Sequence[Report], *, explain: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - see above

    from exporter.terminal import print_reports  # noqa: PLC0415 - see above

    print_reports(Console(), reports, explain=explain)

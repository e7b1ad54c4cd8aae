"""`scan`: scans some targets once."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from exporter.cli.failing import exit_code
from exporter.cli.output import complain
from exporter.cli.outputs import prepare
from exporter.cli.parser import TABLE
from exporter.cli.policies import named_policy
from exporter.cli.scanning import ScannedTargets, scan_all
from exporter.config import Config
from exporter.config.sections import TargetSettings
from exporter.environment import utc_now
from exporter.errors import ExporterError, TargetError
from exporter.exceptions import read_exceptions
from exporter.fleet import KeyIndex
from exporter.judge import load_judge
from exporter.model import Target
from exporter.nearest import nearest
from exporter.policies import read_config
from exporter.quoting import quoted
from exporter.ranking import FAILING, condition
from exporter.reports.base import ReportSet, used_policies
from exporter.reports.registry import find
from exporter.services import parse_service
from exporter.targets import make_target, named, static_targets

DEFAULT_TIMEOUT = timedelta(seconds=60)
"""Time limit of one scan of a target named on the command line, unless the configuration has another."""

_ALIKE = 0.85
"""More than for other names: hosts of one domain are alike without a mistake."""


def run(options: argparse.Namespace) -> int:
    """Scan, judge and print; returns the exit code."""
    config = read_config(options.config_file) if options.config_file else Config()
    if not options.target and not config.targets:
        raise ExporterError("nothing to scan: name a target, or a configuration that has some")
    outputs = prepare(options.format, options.output)
    targets = scan_targets(options, config)
    _refuse_twice("policy given twice", [named_policy(policy).name for policy in options.policy])
    keys = KeyIndex()
    exceptions = read_exceptions(config.exceptions)
    judge = load_judge(targets, config.software.eol_files, keys.neighbours, exceptions=exceptions)
    targets = [judge.with_questions(target) for target in targets]
    places = options.concurrency or config.global_.max_concurrent_scans
    scanned = asyncio.run(scan_all(targets, judge, keys, config, places))
    if scanned.signal is not None:
        complain(f"tls-posture-exporter: interrupted: {len(scanned.not_scanned)} of {len(targets)} targets not scanned")
    found = ReportSet(
        scanned.reports,
        used_policies(scanned.reports, judge.policies.values()),
        utc_now(),
        scanned.not_scanned,
        full=config.metrics.detail == "full",
    )
    outputs.deliver(lambda name: find(name).render(found))
    if outputs.printed == TABLE:
        _print_table(scanned, explain=options.explain, verbose=options.verbose)
    reports = [report for of_target in scanned.reports for report in of_target]
    return exit_code(reports, options.fail_on) if scanned.signal is None else 128 + scanned.signal


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
        if similar := _similar(text, known):
            raise ExporterError(f"{quoted(text)} is none of the configured targets; did you mean {similar}?") from None
        raise
    if found := named(text, service, known):
        return found
    if others := [target for target in known if target.host == service.host]:
        listed = ", ".join(f"{other.name} ({other.starttls or other.protocol})" for other in others)
        message = f"{text} is none of the configured targets of this host ({listed}); only global settings apply to it"
        complain(f"tls-posture-exporter: {message}")
    elif similar := _similar(service.host, known):
        message = f"{text} is none of the configured targets; did you mean {similar}? Only global settings apply to it"
        complain(f"tls-posture-exporter: {message}")
    target = make_target(TargetSettings.from_text(text), config.global_)
    return [target if config.global_.scan_timeout else replace(target, scan_timeout=DEFAULT_TIMEOUT)]


def _similar(text: str, known: Sequence[Target]) -> str:
    """The name or host of a configured target that is spelt almost like the text; empty if there is none."""
    names = dict.fromkeys(name for target in known for name in (target.host, target.name))
    return nearest(text, names, _ALIKE) or ""


def _print_table(scanned: ScannedTargets, *, explain: bool, verbose: bool) -> None:
    from exporter.terminal import output_console  # noqa: PLC0415 - the same
    from exporter.terminal_overview import print_overview  # noqa: PLC0415 - other formats do not need rich

    console = output_console()
    print_overview(console, scanned.reports, scanned.not_scanned, explain=explain, verbose=verbose)
    if console.is_terminal and not explain and any(condition(reports) in FAILING for reports in scanned.reports):
        several = "" if verbose or len(scanned.reports) == 1 else ", --verbose all checks"
        console.print(f"\n--explain shows what to change{several}.", style="dim", highlight=False)

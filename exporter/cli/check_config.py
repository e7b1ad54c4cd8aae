"""`check-config`: reports the mistakes of a configuration and of a web configuration."""

import argparse
from pathlib import Path

from exporter.cli import exits
from exporter.cli.exception_hints import exception_hints
from exporter.environment import utc_now
from exporter.errors import ExporterError
from exporter.policies import named_policies, read_config
from exporter.sharding import Shard, chosen_shard
from exporter.targets.discovered import Lister
from exporter.targets.files import check_files
from exporter.targets.groups import ADDRESS
from exporter.text import escaped
from exporter.web import first_read


def run(options: argparse.Namespace) -> int:
    """Print that the files are valid, and how many targets and sources there are; returns the exit code."""
    shard = chosen_shard(options)
    if options.config_file is None and options.web_config_file is None:
        raise ExporterError("name a file by --config.file, by --web.config.file, or one by each")
    if options.config_file is not None:
        _check(options.config_file, shard)
    if options.web_config_file is not None:
        first_read(options.web_config_file)
        print(f"{options.web_config_file}: valid")
    return exits.OK


def _check(path: Path, shard: Shard | None) -> None:
    """Print what the configuration has, and what becomes of the targets in its other files.

    Raises:
        ExporterError: a file cannot be used.
    """
    config = read_config(path)
    checked = {f"file_sd_configs.{at}": check_files(source) for at, source in enumerate(config.file_sd_configs)}
    problems = [problem for _, found in checked.values() for problem in found]
    if problems:
        raise ExporterError("\n".join(problems))
    count, sources = len(config.targets), len(config.sources)
    more = f" and {_number(sources, 'source')} of targets" if sources else ""
    print(f"{path}: valid, {_number(count, 'target')}{more}")
    if not count and not sources:
        print(f"{path}: nothing is scanned{', except what /probe is asked for' if config.probe.allow else ''}")
        refused = (
            "is accepted, because allow_empty is true" if config.allow_empty else "is refused without allow_empty: true"
        )
        print(f"{path}: a reload from a list with targets to this one {refused}")
    found = {place: groups for place, (groups, _) in checked.items()}
    listing = Lister(config, named_policies(config.policy_files)).make(found)
    for place, outcomes in listing.outcomes.items():
        print(f"{place}: {', '.join(f'{number} {outcome}' for outcome, number in outcomes.items())}")
    for one in listing.rejected:
        print(escaped(f"{one.source}: rejected {one.labels.get(ADDRESS, 'a target')}: {one.problem}"))
    if shard is not None:
        everything, listing = listing, shard.part_of(listing)
        more = ", without those that sources other than files find" if len(config.sources) > len(checked) else ""
        print(f"{shard}: {len(listing.targets)} of {_number(len(everything.targets), 'target')}{more}")
    for hint in exception_hints(config, listing.targets, utc_now().date()):
        print(hint)


def _number(count: int, what: str) -> str:
    """`no targets`, `1 target`, `2 targets`."""
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"

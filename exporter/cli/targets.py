"""`targets`: the targets that a configuration and its sources give now. It asks the sources, and no target."""

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.cli import exits
from exporter.cli.pages import page_console, show
from exporter.config import Config
from exporter.config.values import is_policy_path
from exporter.environment import utc_now
from exporter.model import Target
from exporter.policies import load_policy, named_policies, read_config
from exporter.services import default_name
from exporter.sharding import Shard, chosen_shard
from exporter.targets.discovered import CONFIGURED, Lister, Rejected, TargetList
from exporter.targets.discovery import FIRST_WITHIN, Discovery, SourceState
from exporter.targets.groups import ADDRESS
from exporter.text import escaped, escaped_lines

_LATE = "has not answered in time"
_UNLIMITED = 100_000
"""Columns of a table in a pipe: a target is one line."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """What discovery gave.

    Attributes:
        failed: source -> why its list is missing or incomplete.
        shard: whose targets are listed; None lists all.
    """

    listing: TargetList
    sources: Sequence[SourceState]
    failed: Mapping[str, str]
    shard: Shard | None = None


def run(options: argparse.Namespace) -> int:
    """List the targets; returns the exit code."""
    shard, config = chosen_shard(options), read_config(options.config_file)
    found = find(config, options.timeout or FIRST_WITHIN)
    if shard is not None:
        found = replace(found, listing=shard.part_of(found.listing), shard=shard)
    if options.format == "json":
        print(escaped_lines(json.dumps(as_data(found), indent=2, ensure_ascii=False)))
    else:
        console = page_console()
        if not console.is_terminal:
            console = page_console(_UNLIMITED)
        show(Group(*_page(found, console)), console)
    if found.listing.rejected:
        return exits.NOT_COMPLIANT
    return exits.UNKNOWN if found.failed else exits.OK


def find(config: Config, within: timedelta) -> Discovered:
    """Run the sources until all have answered, but not longer than this."""
    sources = asyncio.run(_ask(config, within))
    failed = {one.place: one.error or _LATE for one in sources if one.up is not True}
    groups = {one.place: one.groups for one in sources if one.groups is not None}
    return Discovered(Lister(config, named_policies(config.policy_files)).make(groups), sources, failed)


async def _ask(config: Config, within: timedelta) -> list[SourceState]:
    discovery = Discovery(utc_now)
    staged = discovery.stage(config)
    try:
        await staged.answered(within)
        return [run.state for run in staged.runs.values()]
    finally:
        await discovery.stop(timedelta(0))


def as_data(found: Discovered) -> dict[str, Any]:
    """The list as JSON data."""
    return {
        "schema_version": 1,
        **({} if found.shard is None else {"shard": asdict(found.shard)}),
        "targets": [
            {
                "target": one.name,
                "host": one.host,
                "port": one.port,
                "protocol": one.protocol,
                "starttls": one.starttls,
                "policies": _policies(one),
                "labels": dict(one.labels),
                "found_in": list(found.listing.found_in[one.name]),
            }
            for one in found.listing.targets
        ],
        "sources": [
            {
                "source": one.place,
                "error": found.failed.get(one.place),
                "targets": one.count,
                "outcomes": dict(found.listing.outcomes.get(one.place, {})),
            }
            for one in found.sources
        ],
        "rejected": [
            {"found_in": one.place, "labels": dict(one.labels), "problem": one.problem}
            for one in found.listing.rejected
        ],
    }


def _policies(target: Target) -> list[str]:
    return [load_policy(one).name if is_policy_path(one) else one for one in target.policies]


def _page(found: Discovered, console: Console) -> Iterator[RenderableType]:
    listing = found.listing
    yield Text(escaped(summary(found)))
    if listing.targets:
        yield from _targets(listing, console)
    if found.sources:
        yield Text()
    for one in found.sources:
        yield _source(one, listing.outcomes.get(one.place, {}), found.failed.get(one.place))
    yield from (Text(escaped(_rejection(one)), "red") for one in listing.rejected)


def _source(source: SourceState, outcomes: Mapping[str, int], problem: str | None) -> RenderableType:
    counted = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items() if number)
    if problem is None:
        return Text(f"{source.place}: {counted or 'no targets'}")
    kept = f"; incomplete: {counted}" if counted else ""
    return Text(escaped(f"{source.place}: failed: {problem}{kept}"), "yellow")


def _rejection(one: Rejected) -> str:
    return f"{one.place}: rejected {one.labels.get(ADDRESS, 'a target')}: {one.problem}"


def summary(found: Discovered) -> str:
    """The result in a line."""
    listing, number = found.listing, len(found.listing.targets)
    rejected = sum(counts["rejected"] for counts in listing.outcomes.values())
    text = "1 target" if number == 1 else f"{number or 'No'} targets"
    if number and found.sources:
        configured = sum(CONFIGURED in places for places in listing.found_in.values())
        text += f" ({configured} configured, {number - configured} found)"
    text += f", {rejected} rejected." if rejected else "."
    if found.shard is not None:
        text = f"{found.shard}: {text} Other shards have {listing.elsewhere}."
        text = text[0].upper() + text[1:]
    if not found.failed:
        return text
    return f"{text} {len(found.failed)} of {len(found.sources)} sources failed: the list is not complete."


def _targets(listing: TargetList, console: Console) -> Iterator[RenderableType]:
    """A table, or entries of several lines where it would be wider than the terminal."""
    columns = {title: cells for title, cells in _columns(listing).items() if any(cells)}
    if (policies := {*columns["Policies"]}) and len(policies) == 1:
        del columns["Policies"]
        yield Text(escaped(f"Policy: {policies.pop()}."))
    yield Text()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in columns:
        table.add_column(title, overflow="fold")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*(Text(escaped(cell)) for cell in cells))
    natural = console.measure(table, options=console.options.update(width=_UNLIMITED)).maximum
    if natural <= console.width:
        yield table
        return
    for row in zip(*columns.values(), strict=True):
        yield Text(escaped(row[0]), "bold")
        more = (f"{title.lower()}: {cell}" for title, cell in zip([*columns][1:], row[1:], strict=True) if cell)
        yield from (Padding(Text(escaped(line)), (0, 0, 0, 4), expand=False) for line in more)


def _columns(listing: TargetList) -> dict[str, list[str]]:
    """The cells of each column; one without any text is left out."""
    targets = listing.targets
    return {
        "Target": [one.name for one in targets],
        "Address": ["" if one.name == (usual := default_name(one.host, one.port)) else usual for one in targets],
        "Protocol": [f"{one.protocol} (STARTTLS)" if one.starttls else one.protocol for one in targets],
        "Policies": [", ".join(_policies(one)) for one in targets],
        "Found in": [", ".join(listing.found_in[one.name]) for one in targets],
        "Labels": [", ".join(f"{name}={value}" for name, value in one.labels.items()) for one in targets],
    }

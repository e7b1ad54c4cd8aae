"""The figures as tables, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.scale.peers import PeerCost, found
from bench.scale.phases import KindCost, Size

ROWS: Sequence[tuple[str, str]] = (
    ("targets with a scan", "scanned"),
    ("series about targets", "series"),
    ("CPU of a first scan, ms", "first_scan_ms"),
    ("CPU of a scan, ms", "scan_ms"),
    ("hourly scans, % of a core", "hourly_percent"),
    ("idle (judging), % of a core", "idle_percent"),
    ("scans while idle", "idle_scans"),
    ("memory, MiB", "rss_mib"),
    ("memory at most, MiB", "peak_mib"),
    ("memory after a start, MiB", "warm_rss_mib"),
    ("loop lag p50 under, ms", "lag_p50_ms"),
    ("loop lag p99 under, ms", "lag_p99_ms"),
    ("loop lag at most, ms", "lag_max_ms"),
    ("scan lag, s", "lag_of_schedule"),
    ("scrape (gzip), CPU s", "scrape_cpu"),
    ("scrape (plain), CPU s", "scrape_plain_cpu"),
    ("scrape (gzip), wall s", "scrape_seconds"),
    ("generate_latest / scrape (plain)", "reference_ratio"),
    ("page, MB", "page_mb"),
    ("page (gzip), MB", "packed_mb"),
    ("reload of one target, wall s", "reload_seconds"),
    ("reload of one target, CPU s", "reload_cpu"),
    ("SIGTERM, wall s", "stop_seconds"),
    ("SIGTERM, CPU s", "stop_cpu"),
    ("start to /-/healthy, s", "healthy_seconds"),
    ("start to /-/ready, s", "ready_seconds"),
    ("start to first scrape, s", "scraped_seconds"),
    ("start, CPU s", "start_cpu"),
    ("targets in the first scrape", "restored"),
    ("store, MB", "store_mb"),
)


def derived(size: Size) -> dict[str, float | None]:
    """The figures of a size as the table has them."""
    milliseconds = {
        f"lag_{name}_ms": None if limit is None else limit * 1000
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        for limit in [size.load.lag_limit(share)]
    }
    first = size.first.cpu - size.first.scrapes * size.scrape_cpu / 2  # half of the targets are there on average
    return {
        **{name: value for name, value in asdict(size).items() if isinstance(value, int | float)},
        **milliseconds,
        "first_scan_ms": first / size.first.scans * 1000 if size.first.scans else None,
        "scan_ms": size.scan_cpu * 1000,
        "hourly_percent": size.hourly_share * 100,
        "idle_scans": size.idle.scans,
        "idle_percent": None if size.idle_share is None else size.idle_share * 100,
        "reference_ratio": size.reference_cpu / size.scrape_plain_cpu if size.scrape_plain_cpu else None,
        "page_mb": size.page_bytes / 1e6,
        "packed_mb": size.packed_bytes / 1e6,
        "store_mb": size.store_bytes / 1e6,
    }


def show_sizes(console: Console, sizes: Sequence[Size]) -> None:
    """One column for each number of targets."""
    table = Table(box=box.MARKDOWN)
    table.add_column("")
    for size in sizes:
        table.add_column(f"{size.targets:,} targets", justify="right")
    columns = [derived(size) for size in sizes]
    for title, name in ROWS:
        table.add_row(title, *(number(column[name]) for column in columns))
    console.print(table)


def number(value: float | None) -> str:
    """Three digits of a number; more of a larger one."""
    if value is None:
        return "unknown"
    if value == float("inf"):
        return "over all limits"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def show_peers(console: Console, ours: Sequence[KindCost], peers: Sequence[tuple[str, PeerCost]]) -> None:
    """Ours and the other scanners, for each kind of target."""
    table = Table(box=box.MARKDOWN)
    for title in (
        "target",
        "scanner",
        "scans",
        "connections",
        "CPU of a scan, ms",
        "scans a CPU second",
        "times ours",
        "suites of ours",
    ):
        table.add_column(title, justify="left" if title in {"target", "scanner"} else "right")
    for kind in dict.fromkeys(one.kind for one in ours):
        mine = [one for one in ours if one.kind == kind]
        plain = next(one for one in mine if not one.attacks)
        for one in mine:
            name = "the daemon, with attacks" if one.attacks else "the daemon"
            row = _row((kind, name, str(one.load.scans), str(one.connections)), one.scan_cpu, plain.scan_cpu)
            table.add_row(*row, str(sum(map(len, one.suites.values()))))
        for of, peer in peers:
            if of != kind:
                continue
            if peer.missing:
                table.add_row(kind, peer.name, "left out", "", "", "", "", "")
                continue
            same, all_, more = found(peer.suites, plain.suites)
            extra = f", {more} others" if more else ""
            row = _row((kind, peer.name, str(peer.scans), ""), peer.scan_cpu, plain.scan_cpu)
            table.add_row(*row, f"{same} of {all_}{extra}")
    console.print(table)
    for reason in dict.fromkeys(f"{peer.name}: {peer.missing}" for _, peer in peers if peer.missing):
        console.print(reason, markup=False)


def _row(begin: tuple[str, ...], cpu: float, ours: float) -> tuple[str, ...]:
    each = 1 / cpu if cpu else None
    return *begin, number(cpu * 1000), number(each), number(cpu / ours if ours else None)


def document(sizes: Sequence[Size], ours: Sequence[KindCost], peers: Sequence[tuple[str, PeerCost]]) -> dict[str, Any]:
    """All figures, for `--json`."""
    return {
        "sizes": [{**asdict(size), **derived(size)} for size in sizes],
        "ours": [{**asdict(one), "scan_cpu": one.scan_cpu} for one in ours],
        "peers": [{"kind": kind, **asdict(peer), "scan_cpu": peer.scan_cpu} for kind, peer in peers],
    }

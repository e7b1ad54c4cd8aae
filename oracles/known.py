"""Run as a program: what is known about every server after a scan, with how many connections, by one tree or two.

    python -m oracles.known --json=after.json                       # with the program of this tree
    python -m oracles.known --tree=../other --json=before.json      # with the program of another tree
    python -m oracles.known --compare before.json after.json        # comparison

Each server gets one complete scan with the command line, including attacks. Only facts that do not depend on the keys
of the server are used: nothing about the certificate.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from oracles import runs, servers
from oracles.certificates import Certificates
from oracles.servers import Server
from tests.support.servers import HOST

HERE = Path(__file__).parents[1]
LIMIT_SECONDS = 180
NO_DNS = {"resolver": {"nameservers": ["127.0.0.1"], "port": 9, "timeout": "1s"}}
"""No server listens there."""
FAILED = "failed"

Known = dict[str, Any]
"""`connections`, `hellos` and `seconds`; `known`: place -> value, as text; `unknown`: places; or `failed`."""


# --- what is known ------------------------------------------------------------------------------------------------


def read(report: Mapping[str, Any]) -> Known:
    """Read one report of `scan --format=json`."""
    facts = report["facts"]
    said = {**dict(_said(facts)), "grade": (report["grade"] or {}).get("trust_ignored_letter")}
    return {
        "connections": report["connections"],
        "hellos": sum((facts.get("hellos") or {}).values()),
        "seconds": round(report["duration_seconds"], 1),
        "known": {place: str(value) for place, value in sorted(said.items()) if value is not None},
        "unknown": sorted(place for place, value in said.items() if value is None),
    }


def _said(facts: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Places and values; None if the value is not known."""
    for key in ("protocols", "extensions", "vulnerabilities"):
        yield from ((f"{key}.{name}", value) for name, value in (facts.get(key) or {}).items())
    for key in ("compression", "ignores_supported_groups"):
        yield key, facts.get(key)
    yield from _lists(facts, "cipher_suites", "cipher_order")
    yield from _lists(facts, "groups", "group_order")
    yield "dh_primes", sorted(prime["bits"] for prime in facts.get("dh_primes") or ())
    for key in ("alpn", "signature_schemes"):
        listing = facts.get(key)
        yield key, sorted(listing["names"]) if listing and listing["complete"] else None


def _lists(facts: Mapping[str, Any], key: str, order: str) -> Iterator[tuple[str, object]]:
    """Complete lists of each protocol, and whose order decides in lists with more than one name."""
    incomplete = facts.get(f"{key}_incomplete") or ()
    for protocol, names in (facts.get(key) or {}).items():
        yield f"{key}.{protocol}", None if protocol in incomplete else sorted(names)
        if len(names) > 1:
            yield f"{order}.{protocol}", (facts.get(order) or {}).get(protocol)


# --- scans --------------------------------------------------------------------------------------------------------


def scan(tree: Path, server: Server, port: int, folder: Path) -> Known:
    """One scan with the program of this tree."""
    inside = {"starttls": server.starttls} if server.starttls else {"protocol": "tls"}
    target = {"host": HOST, "port": port, "connect_address": "127.0.0.1", **inside}
    config = folder / "known.yaml"
    config.write_text(json.dumps({"global": NO_DNS, "targets": [target]}))  # JSON is YAML
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "exporter", "scan", "--format=json", f"--config.file={config}"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    try:
        (report,) = json.loads(done.stdout)["reports"]
        return read(report)
    except (ValueError, KeyError, TypeError) as error:
        return {FAILED: f"{type(error).__name__}: {done.stderr[-500:]}"}


def scan_all(tree: Path, chosen: Sequence[Server], progress: Console) -> dict[str, Known]:
    """Name of each server -> what is known about it."""
    with tempfile.TemporaryDirectory(prefix="oracles-") as name:
        made = Certificates(Path(name))

        def task(server: Server, _: threading.Event) -> Known:
            folder = Path(name) / server.name
            folder.mkdir()
            try:
                with server.start(folder, made) as port:
                    return scan(tree, server, port, folder)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                return {FAILED: str(error)[-500:]}

        found = runs.on_each(chosen, task, progress, lambda known: int(FAILED in known))
    return {server.name: known for server, known in zip(chosen, found, strict=True)}


# --- comparison -------------------------------------------------------------------------------------------------


def compare(before: Mapping[str, Known], after: Mapping[str, Known], output: Console) -> None:
    """Print a row for each server in both, and below that each place with a difference."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for heading in ("known", "unknown", "connections", "hellos", "seconds"):
        table.add_column(heading, justify="right")
    both = [name for name in before if name in after and FAILED not in {*before[name], *after[name]}]
    for name in both:
        table.add_row(name, *(_pair(before[name][key], after[name][key]) for key in _KEYS))
    sums = [tuple(sum(_number(side[name][key]) for name in both) for side in (before, after)) for key in _KEYS]
    table.add_row("all", *(_pair(round(old, 1), round(new, 1)) for old, new in sums))
    output.print(table)
    for line in _differences(before, after):
        output.print(line, markup=False, highlight=False)


_KEYS = ("known", "unknown", "connections", "hellos", "seconds")


def _number(value: Any) -> float:  # noqa: ANN401 - a number, or things to count
    return len(value) if isinstance(value, dict | list) else value


def _pair(before: Any, after: Any) -> str:  # noqa: ANN401 - as above
    old, new = _number(before), _number(after)
    return f"{old}" if old == new else f"{old} → {new}"


def _differences(before: Mapping[str, Known], after: Mapping[str, Known]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = (side.get(name, {FAILED: "was not scanned"}) for side in (before, after))
        if FAILED in old or FAILED in new:
            yield f"{name}: before {old.get(FAILED, 'scanned')}, after {new.get(FAILED, 'scanned')}"
            continue
        for place in sorted(old["known"].keys() | new["known"].keys()):
            was, now = (_word(side, place) for side in (old, new))
            if was != now:
                yield f"{name}: {place}: {was} → {now}"


def _word(known: Known, place: str) -> str:
    absent = "unknown" if place in known["unknown"] else "absent"
    return str(known["known"].get(place, absent))


# --- command line -------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Scan, or compare the files of two scans; returns the exit status."""
    parser = argparse.ArgumentParser(prog="oracles.known", description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, default=HERE, help="work tree whose program scans; default this one")
    parser.add_argument("--servers", default=list(servers.SERVERS), type=runs.choice(servers.BY_NAME))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result to this file")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="FILE", help="compare two files, without a scan")
    options = parser.parse_args(arguments)
    output, progress = runs.consoles()
    if options.compare:
        before, after = (json.loads(file.read_text()) for file in options.compare)
        compare(before, after, output)
        return 0
    chosen, _ = runs.present(options.servers, progress)
    found = scan_all(options.tree.resolve(), chosen, progress)
    text = json.dumps(found, indent=1) + "\n"
    if options.json:
        options.json.write_text(text)
    else:
        output.print_json(text)
    return int(any(FAILED in known for known in found.values()))


if __name__ == "__main__":
    sys.exit(main())

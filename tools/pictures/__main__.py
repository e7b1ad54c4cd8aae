"""`python -m tools.pictures`: watches the fleet for some minutes, then draws the dashboards under `grafana/`."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.support.servers import SEED_NGINX, WEAK_NGINX
from tools.pictures import browser
from tools.pictures.fleet import NO_HSTS_NGINX
from tools.pictures.panels import Json, Span, answered, prometheus
from tools.pictures.watch import ROOT, SCRAPE_SECONDS, Watched, watched_fleet

PICKS = {"target": "api", "policy": "kopano-checklist"}
"""The values of variables without multiple choice: a target with two addresses, a policy that some targets fail."""
MOST_BYTES = 300_000


async def _changes(watched: Watched, minutes: float) -> Span:
    """Let time pass while two servers get better and one worse; returns the time range of the data."""
    await asyncio.sleep(2 * SCRAPE_SECONDS)
    start, third = time.time(), minutes * 60 / 3
    await asyncio.sleep(third)
    watched.fleet.change("intranet", SEED_NGINX)
    await asyncio.sleep(third)
    watched.fleet.change("www", WEAK_NGINX)
    watched.fleet.change("api, forgotten", NO_HSTS_NGINX)
    watched.reload()
    await asyncio.sleep(third)
    return Span(start, time.time(), SCRAPE_SECONDS)


async def _collect(folder: Path, minutes: float) -> dict[str, Json]:
    dashboards = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "grafana").glob("*.json"))}
    async with watched_fleet(folder) as watched:
        span = await _changes(watched, minutes)
        ask = prometheus(watched.prometheus)
        return {stem: answered(dashboard, span, PICKS, ask) for stem, dashboard in dashboards.items()}


def collect(minutes: float) -> dict[str, Json]:
    """File name -> dashboard with the results of its queries."""
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        return asyncio.run(_collect(folder, minutes))


def draw(dashboards: dict[str, Json], folder: Path, width: int, console: Console) -> bool:
    """Write a picture of each dashboard into this folder; returns whether there were no errors."""
    well = True
    for stem, dashboard in dashboards.items():
        file = folder / f"{stem}.png"
        report = browser.shoot(dashboard, file, width)
        browser.shrink(file)
        size = file.stat().st_size
        console.print(f"{file}: {len(report.panels)} panels, {size} bytes", highlight=False)
        problems = report.errors + ([f"larger than {MOST_BYTES} bytes"] if size > MOST_BYTES else [])
        problems += [
            f"{panel['title']}: {panel['hidden']} pixels do not fit" for panel in report.panels if panel["hidden"] > 0
        ]
        for problem in problems:
            console.print(f"  {problem}", style="red", markup=False, highlight=False)
        for panel in report.panels:
            if "No data" in panel["text"]:
                console.print(f"  {panel['title']}: no data", markup=False, highlight=False)
        well &= not problems
    return well


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="tools.pictures", description=__doc__)
    parser.add_argument("--minutes", type=float, default=4, help="how long the fleet is watched (4)")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "docs" / "pictures", help="where the pictures are written"
    )
    parser.add_argument(
        "--data", type=Path, help="file for the results from Prometheus; if it exists, it is drawn without a new run"
    )
    parser.add_argument(
        "--width", type=int, default=browser.WIDTH, help=f"width of the window in pixels ({browser.WIDTH})"
    )
    options = parser.parse_args()
    console = Console(soft_wrap=True)
    browser.bundle()
    if options.data and options.data.exists():
        dashboards = json.loads(options.data.read_text())
    else:
        console.print(f"Watching the fleet for {options.minutes:g} minutes.")
        dashboards = collect(options.minutes)
        if options.data:
            options.data.write_text(json.dumps(dashboards))
    options.folder.mkdir(parents=True, exist_ok=True)
    return 0 if draw(dashboards, options.folder, options.width, console) else 1


if __name__ == "__main__":
    sys.exit(main())

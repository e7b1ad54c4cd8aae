"""Writes pictures of all pages into docs/pictures/pages: light, dark, and on a phone.

.venv/bin/python -m tools.screenshots [FOLDER]

The daemon's web server shows a fleet whose scans are made up (tests/support/varied_fleet.py). Nothing is asked of the
network, and the clock of the fleet is set, so pictures change only if pages do.
"""

import argparse
import asyncio
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Browser

from exporter.web.pages import PAGES
from tests.support.browser import DESK, PHONE, chromium, opened
from tests.support.known_fleet import KnownFleet, served
from tests.support.varied_fleet import kinds, stored_fleet

FOLDER = Path(__file__).parent.parent / "docs" / "pictures" / "pages"
TARGETS = 26
NAMES = {"/policies/": "kopano-checklist"}
"""Which page is shown of those that have a name; of others it is the target whose findings are worst."""
LOOKS = {"": (DESK, False), "-dark": (DESK, True), "-phone": (PHONE, False)}


async def _fleet() -> tuple[KnownFleet, str]:
    """The fleet a day after its first scans, some of which now have other results; and the target that fails most."""
    fleet = await stored_fleet(TARGETS)
    names = list(fleet.queries.names())
    fleet.later(hours=5)
    later = {kind.name: kind.seen for kind in kinds(fleet.now)}
    await fleet.saw(names[0], later["old"])
    await fleet.saw(names[3], later["good"])
    fleet.later(minutes=20)
    return fleet, names[0]


async def _shoot(browser: Browser, url: str, file: Path) -> None:
    for look, (window, dark) in LOOKS.items():
        async with opened(browser, url, window=window, dark=dark) as watched:
            await watched.page.screenshot(path=file.with_stem(f"{file.stem}{look}"))


async def write(folder: Path) -> None:
    """Write all pictures."""
    fleet, worst = await _fleet()
    async with served(fleet) as api, chromium() as browser:
        for page in PAGES:
            path = page.path.replace("{name}", quote(NAMES.get(page.path.removesuffix("{name}"), worst), safe=""))
            stem = page.path.replace("{name}", "one").strip("/").replace("/", "-") or "fleet"
            await _shoot(browser, f"http://127.0.0.1:{api.port}{path}", folder / f"{stem}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    to = parser.parse_args().folder
    to.mkdir(parents=True, exist_ok=True)
    asyncio.run(write(to))

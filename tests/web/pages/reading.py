"""Pages of a fleet over HTTP, as a reader sees them."""

import asyncio
import html
import re
from collections.abc import Awaitable, Callable, Sequence

from html5lib import HTMLParser

from exporter.model import Target
from tests.support.known_fleet import FleetApi, KnownFleet, served


def on(targets: Sequence[Target], steps: Callable[[FleetApi], Awaitable[None]]) -> None:
    """Serve a fleet of these targets, and take these steps."""

    async def run() -> None:
        async with served(KnownFleet(*targets)) as api:
            await steps(api)

    asyncio.run(run())


async def source(api: FleetApi, path: str, status: int = 200) -> str:
    """The page as HTML."""
    answer = await api.ask(path)
    assert answer.status == status, answer.body[:2000]
    HTMLParser(strict=True).parse(answer.body.decode())  # every error that the HTML standard defines
    return answer.body.decode()


async def words(api: FleetApi, path: str, status: int = 200) -> str:
    """The text of the page's main part, with single spaces."""
    return words_of(await source(api, path, status))


def words_of(page: str) -> str:
    """The text of a page's main part, with single spaces."""
    main = page.partition('<main id="main">')[2].partition("</main>")[0]
    text = re.sub(r"<[^>]+>", "", re.sub(r"</?(?:td|th|tr|p|li|dt|dd|h\d|br|div|summary)\b[^>]*>", " ", main))
    return " ".join(html.unescape(text).split())

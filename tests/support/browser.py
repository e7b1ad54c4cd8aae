"""Debian's Chromium, driven by Playwright: what it shows, what it asks for, and what axe-core finds."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

_AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@dataclass
class Watched:
    """A page that is open.

    Attributes:
        page: Playwright's page.
        complaints: what the console has shown as a warning or an error, such as a violation of the CSP.
        asked: URLs that the page asked for.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def violations(self) -> list[str]:
        """What axe-core finds: rule and elements. The CSP of pages forbids a script tag, so it is evaluated."""
        await self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate("axe.run()")
        return [f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']]}" for one in found["violations"]]

    async def is_wider_than_its_window(self) -> bool:
        """Whether the page has to be scrolled sideways."""
        wider: bool = await self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        return wider

    def hosts(self) -> set[str]:
        """The hosts that the page asked."""
        return {urlsplit(url).netloc for url in self.asked if not url.startswith("data:")}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser, without any window."""
    program = shutil.which("chromium")
    assert program, "Debian's package chromium is missing"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=120_000)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(
    browser: Browser, url: str, *, window: dict[str, int] | None = None, dark: bool = False, scripts: bool = True
) -> AsyncIterator[Watched]:
    """Open the page in a profile of its own."""
    size = window or DESK
    context = await browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        bypass_csp=False,
    )
    context.set_default_timeout(60_000)
    page = await context.new_page()
    watched = Watched(page)

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"warning", "error"}:
            watched.complaints.append(message.text)

    def ask(request: Request) -> None:
        watched.asked.append(request.url)

    page.on("console", complain)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("request", ask)
    try:
        await page.goto(url)
        yield watched
    finally:
        await context.close()

"""The page of a target in Chromium: keyboard, clipboard, scans, themes, phones, print."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, expect

from exporter.model import HttpOptions
from exporter.web import Gate
from tests.support.browser import PHONE, chromium, opened
from tests.support.facts import CBC_RSA, certificate, facts, good_facts, handshake, tried
from tests.support.known_fleet import KnownFleet, served
from tests.support.target_pages import bad_facts, saw_at, web_target

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
SLOW = 100_000
"""Milliseconds: the machine may be busy."""
NAME = "<img src=x>/../\u202ename"
"""A target with this name is scanned too."""
Look = Callable[[KnownFleet, Browser, str], Awaitable[None]]


def look(of: Look, fleet_of: Callable[[], KnownFleet], gate: Gate | None = None) -> None:
    async def run() -> None:
        fleet = fleet_of()
        async with served(fleet, gate) as api, chromium() as browser:
            await of(fleet, browser, f"http://127.0.0.1:{api.port}/targets/")

    asyncio.run(asyncio.wait_for(run(), 580))


def two_targets() -> KnownFleet:
    return KnownFleet(
        web_target("bad", "kopano-checklist", "mozilla-intermediate"), web_target("several", several=True)
    )


def test_both_themes_a_phone_and_print() -> None:
    async def of(fleet: KnownFleet, browser: Browser, url: str) -> None:
        await fleet.saw("bad", bad_facts())
        await saw_at(fleet, "several", _192_0_2_1=good_facts(), _192_0_2_2=bad_facts())
        for name in ("bad", "several"):
            for dark, window in ((False, None), (True, None), (False, PHONE)):
                async with opened(browser, url + name, dark=dark, window=window) as watched:
                    assert await watched.violations() == []
                    assert watched.complaints == []
                    assert {*watched.hosts()} == {url.split("/")[2]}
                    assert not await watched.is_wider_than_its_window()
        async with opened(browser, url + "bad") as watched:
            assert await is_seen(watched.page, "#check-compression .facts") is False
            pdf = await watched.page.pdf()
            assert pdf.startswith(b"%PDF")
            assert await watched.page.locator("details:not([open])").count() > 0, "what was opened for print is closed"
            await watched.page.emulate_media(media="print")
            await watched.page.evaluate("dispatchEvent(new Event('beforeprint'))")
            assert await watched.page.locator("details:not([open])").count() == 0
            assert await is_seen(watched.page, "#check-compression .facts")

    look(of, two_targets)


async def is_seen(page: Page, selector: str) -> bool:
    seen: bool = await page.locator(selector).first.evaluate("one => one.checkVisibility()")
    return seen


def test_tabs_by_keyboard_and_lines_to_copy() -> None:
    target = replace(web_target("old"), http=HttpOptions())
    seen = facts(handshake(dict.fromkeys([*handshake().protocols][2:3], (CBC_RSA,))), certificate(), tried())

    async def of(fleet: KnownFleet, browser: Browser, url: str) -> None:
        await fleet.saw("old", seen)
        async with opened(browser, url + "old") as watched:
            page = watched.page
            finding = page.locator("#check-protocols")
            await finding.get_by_role("tab", name="nginx").focus()
            await page.keyboard.press("ArrowRight")
            await expect(finding.get_by_role("tab", name="Apache")).to_be_focused()
            await expect(finding.get_by_role("tabpanel")).to_contain_text("SSLProtocol")
            await page.keyboard.press("End")
            await expect(finding.get_by_role("tab", name="HAProxy")).to_have_attribute("aria-selected", "true")
            await page.keyboard.press("ArrowRight")
            await expect(finding.get_by_role("tab", name="nginx")).to_be_focused()
            await page.keyboard.press("ArrowLeft")
            await page.keyboard.press("Home")
            await expect(finding.get_by_role("tabpanel")).to_contain_text("ssl_protocols")
            suites = page.locator("#check-cipher_suites")
            await suites.get_by_role("tab", name="Apache").click()
            await expect(finding.get_by_role("tab", name="Apache")).to_have_attribute("aria-selected", "true")
            await expect(page.get_by_role("tabpanel").locator("visible=true").first).to_contain_text("SSL")
            await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            panel = finding.get_by_role("tabpanel").locator("visible=true")
            await panel.get_by_role("button", name="Copy").click()
            await expect(panel.get_by_role("button")).to_have_text("Copied")
            copied = await page.evaluate("navigator.clipboard.readText()")
            assert copied.strip() == "SSLProtocol -all +TLSv1.2 +TLSv1.3"
            assert await watched.violations() == []
            assert watched.complaints == []
        async with opened(browser, url + "old", scripts=False) as watched:
            shown = watched.page.locator("#check-protocols .tab")
            assert await shown.count() == 3
            assert [await one.is_visible() for one in await shown.all()] == [True] * 3
            await expect(watched.page.get_by_role("button")).to_have_count(0)

    look(of, lambda: KnownFleet(target))


def test_scan_now_shows_progress_and_then_what_was_found() -> None:
    async def of(fleet: KnownFleet, browser: Browser, url: str) -> None:
        await fleet.saw(NAME, bad_facts())
        fleet.finish.clear()
        async with opened(browser, url + quote(NAME, safe="")) as watched:
            page, status = watched.page, watched.page.locator("#scan-status")
            await expect(page.get_by_role("heading", level=1)).to_have_text("<img src=x>/../\\u202ename")
            await page.evaluate("window.same = true")
            button = page.get_by_role("button", name="Scan now")
            await button.click()
            await expect(status).to_have_text("The scan runs…", timeout=SLOW)
            await expect(button).to_be_disabled()
            await expect(page.locator(".policies")).to_contain_text("fails")
            fleet.finish.set()
            await expect(status).to_have_text("Scanned just now.", timeout=SLOW)
            await expect(page.locator(".policies")).to_contain_text("passes")
            assert await page.evaluate("window.same"), "the content was renewed, not the page"
            assert fleet.scans == [NAME]
            await button.click()
            await expect(status).to_contain_text("less than 60 s ago Try again in 60 s", timeout=SLOW)
            await expect(button).to_be_enabled()
            assert await watched.violations() == []
            refused = [one for one in watched.complaints if "429" not in one]  # Chromium logs each answer of that kind
            assert refused == []

    look(of, lambda: KnownFleet(replace(web_target(NAME), scan_interval=timedelta(days=9))), Gate(enabled=True))

"""Changes, certificates, policies and state in a browser: with no, one and many targets."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from exporter.facts.certificate import CertificateFacts
from exporter.model import Protocol
from tests.support.browser import DESK, PHONE, chromium, opened
from tests.support.facts import CBC_RSA, GOOD_SUITES, deployment, facts, good_facts, handshake
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import NOW, make_target

pytestmark = pytest.mark.real

HOSTILE = "\"><script>document.title='x'</script>`/?#%&+ ü\u202e"
PATHS = ("/changes", "/certificates", "/policies", "/policies/kopano-checklist", "/status")
WEAK = handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)})


async def filled(count: int) -> KnownFleet:
    """Every target has a certificate of its own with a hostile name; the first became worse."""
    names = [HOSTILE, *(f"t{number}.example.org" for number in range(1, count))][:count]
    fleet = KnownFleet(*(make_target(name=name) for name in names))
    for number, name in enumerate(names):
        texts = {"issuer": f"CN={HOSTILE}", "subject_alternative_names": (f"DNS:{HOSTILE}", f"DNS:{'x' * 200}")}
        end = {"not_after": NOW + timedelta(days=number), "fingerprint_sha256": f"{number:064x}"}
        seen = CertificateFacts((deployment(**texts, **end),))
        await fleet.saw(name, good_facts(fleet.now).with_part(seen, fleet.now))
    fleet.later(hours=1)
    if names:
        await fleet.saw(names[0], facts(WEAK, at=fleet.now))
    return fleet


_STACKED_IS_CUT = """
innerWidth < 500
&& [...document.querySelectorAll(".scroll:has(> .stack)")].some((box) => box.scrollWidth > box.clientWidth)
"""
"""Rows that are cards on a phone need no scrolling sideways."""
LOOKS = {0: [(False, DESK)], 1: [(True, PHONE)], 30: [(False, DESK), (True, DESK), (False, PHONE)]}
"""Number of targets -> themes and windows."""


async def look(browser: Browser, api: FleetApi, looks: Sequence[tuple[bool, dict[str, int]]]) -> None:
    """All pages, in these themes and windows."""
    for path in PATHS:
        for dark, window in looks:
            async with opened(browser, f"http://127.0.0.1:{api.port}{path}", dark=dark, window=window) as watched:
                assert await watched.violations() == [], path
                assert watched.complaints == []
                assert watched.hosts() == {f"127.0.0.1:{api.port}"}
                assert not await watched.is_wider_than_its_window(), path
                assert not await watched.page.evaluate(_STACKED_IS_CUT), path
                assert await watched.page.title() != "x"


async def click(browser: Browser, api: FleetApi, *, scripts: bool) -> None:
    """From page to page, as a reader does."""
    async with opened(browser, f"http://127.0.0.1:{api.port}/changes", scripts=scripts) as watched:
        page = watched.page
        await page.get_by_label("Direction").select_option("worse")
        await page.get_by_role("button", name="Filter").click()
        await expect(page).to_have_url(re.compile(r"direction=worse"))
        await expect(page.get_by_text("▲ better")).to_have_count(0)
        await expect(page.get_by_label("Direction")).to_have_value("worse")
        await page.get_by_role("link", name="All changes").click()
        await page.get_by_role("link", name="Certificates").click()
        rows = page.locator("table.certificates tbody tr")
        await expect(rows).to_have_count(30)
        await page.get_by_role("link", name="within 7 days").click()
        await expect(rows).to_have_count(8)
        await page.get_by_role("link", name="All certificates").click()
        await page.get_by_role("columnheader", name="Ends").get_by_role("link").click()
        await expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
        await page.locator("table.certificates a.code").first.click()
        await expect(rows).to_have_count(1)
        await page.get_by_role("link", name="Policies", exact=True).click()
        await page.get_by_role("link", name="Data Transport Security with Kopano").click()
        await expect(page.locator("#check-protocols .state-fail")).to_have_attribute(
            "href", "../?policy=kopano-checklist&check=protocols&verdict=fail"
        )
        await page.get_by_role("link", name="Status").click()
        await expect(page.get_by_role("heading", name="Status")).to_be_visible()
        assert watched.complaints == []


def run(steps: Callable[[Browser], Awaitable[None]]) -> None:
    async def in_chromium() -> None:
        async with chromium() as browser:
            await steps(browser)

    asyncio.run(asyncio.wait_for(in_chromium(), timedelta(minutes=9).total_seconds()))


@pytest.mark.timeout(600)
def test_pages_in_both_themes_wide_and_narrow() -> None:
    async def steps(browser: Browser) -> None:
        for count, looks in LOOKS.items():
            async with served(await filled(count)) as api:
                await look(browser, api, looks)

    run(steps)


@pytest.mark.timeout(600)
def test_clicks_lead_from_page_to_page_with_and_without_scripts() -> None:
    async def steps(browser: Browser) -> None:
        async with served(await filled(30)) as api:
            for scripts in (True, False):
                await click(browser, api, scripts=scripts)

    run(steps)

"""The fleet page over HTTP and in Chromium: with no, one, 50 and 10,000 targets, and with hostile texts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlencode, urlsplit
from xml.etree.ElementTree import Element

import pytest
from playwright.async_api import Browser, Locator, Page

from exporter.model import Severity, Verdict
from exporter.summaries import FindingInWords
from tests.support.browser import PHONE, chromium, opened
from tests.support.html import found, parse_html, text_of
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import make_target
from tests.support.varied_fleet import varied_fleet

T = TypeVar("T")
Use = Callable[[FleetApi], Awaitable[T]]


def used(make: Callable[[], Awaitable[KnownFleet]], use: Use[T]) -> T:
    async def run() -> T:
        async with served(await make()) as api:
            return await use(api)

    return asyncio.run(asyncio.wait_for(run(), 580))


async def page(api: FleetApi, *query: tuple[str, object], status: int = 200) -> Element:
    answer = await api.ask(f"/?{urlencode(query)}")
    assert answer.status == status
    return parse_html(answer.body)


def of_size(number: int, *query: tuple[str, object], status: int = 200) -> Element:
    return used(lambda: varied_fleet(number), lambda api: page(api, *query, status=status))


def names(document: Element) -> list[str]:
    return [text_of(one) for one in found(document, "a", class_="name")]


def status_of(document: Element) -> str:
    return text_of(next(found(document, "p", role="status")))


def test_without_targets_it_says_what_to_configure() -> None:
    text = text_of(of_size(0))
    assert "No targets yet" in text
    assert "file_sd_configs" in text


@pytest.mark.parametrize(("number", "rows"), [(1, 1), (50, 50), (51, 50)])
def test_a_page_has_at_most_fifty_targets(number: int, rows: int) -> None:
    document = of_size(number)
    assert len(names(document)) == rows
    assert status_of(document) == ("1 target" if number == 1 else f"{number} targets")


def test_ten_thousand_targets_are_filtered_sorted_and_paged() -> None:
    async def look(api: FleetApi) -> tuple[Element, Element, Element]:
        return (
            await page(api, ("limit", 200), ("page", 50)),
            await page(api, ("search", "shop00002"), ("sort", "name")),
            await page(api, ("state", "fail"), ("match[]", '{team="web"}'), ("sort", "-name")),
        )

    last, one, web = used(lambda: varied_fleet(10_000), look)
    assert (len(names(last)), status_of(last)) == (200, "10000 targets")
    assert "9801 to 10000 of 10000" in text_of(last)
    assert names(one) == ["shop00002.berlin.example.com:443"]
    assert names(web) == sorted(names(web), reverse=True)
    assert all(name.startswith("web") for name in names(web))


def test_links_of_counts_lead_to_as_many_targets() -> None:
    async def look(api: FleetApi) -> list[tuple[str, str]]:
        document = await page(api)
        tiles = [(one, "tile-count") for one in found(document, "a", class_="tile")]
        facets = [(one, "facet-count") for one in found(document, "a", class_="facet")]
        assert (len(tiles), len(facets)) >= (5, 5)
        numbers = []
        for link, count in [*tiles, *facets]:
            answer = await api.ask(f"/{link.get('href')}")
            number = text_of(next(found(link, "span", class_=count)))
            numbers.append((number, status_of(parse_html(answer.body)).split(" ")[0]))
        return numbers

    numbers = used(lambda: varied_fleet(50), look)
    assert [shown for shown, _ in numbers] == [listed for _, listed in numbers]


def test_without_a_match_there_is_a_link_that_clears_the_filters() -> None:
    document = of_size(5, ("search", "nothing like this"), ("limit", 100))
    assert "No target meets these filters" in text_of(document)
    assert "?limit=100" in [one.get("href") for one in found(document, "a") if text_of(one) == "Clear filters"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("match[]", "team=web", 'invalid parameter "match[]": at character 1: expected {'),
        ("match[]", '{team=~"("}', "RE2 does not accept it"),
        ("check", "nonsense", "there is no check 'nonsense'"),
        ("verdict", "bad", 'invalid parameter "verdict"'),
        ("state", "bad", 'invalid parameter "state"'),
        ("grade", "Z", 'invalid parameter "grade"'),
        ("sort", "--name", 'invalid parameter "sort"'),
        ("page", "0", 'invalid parameter "page"'),
        ("page", "x", "'x' is not a whole number"),
        ("limit", "51", "it is not one of 50, 100, 200"),
        ("search", "x " * 17, "it has more than 16 words"),
        ("search", "x" * 201, 'invalid parameter "search"'),
        ("serach", "x", 'invalid parameter "serach": it is unknown here'),
    ],
)
def test_what_is_wrong_with_a_query_is_said_in_the_page(name: str, value: str, message: str) -> None:
    document = of_size(1, (name, value), status=400)
    assert message in text_of(next(found(document, "p", role="alert")))
    assert names(document) == []


def test_empty_fields_of_the_form_are_not_filters() -> None:
    fields = ("search", "match[]", "state", "check", "verdict", "policy", "grade", "sort", "limit")
    assert len(names(of_size(3, *((field, "") for field in fields)))) == 3


HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e\x07{{ 7*7 }}"


async def hostile_fleet() -> KnownFleet:
    fleet = KnownFleet(
        make_target(name=HOSTILE, host="a.example", labels={"team": HOSTILE}), make_target(name="../b?#")
    )
    for name in (HOSTILE, "../b?#"):
        await fleet.saw(name)
        judged = fleet.queries.summary(name)
        assert judged is not None
        assert judged.judged is not None
        worst = FindingInWords("kopano-checklist", "caa", Severity.CRITICAL, HOSTILE)
        bad = tuple(one._replace(verdict=Verdict.FAIL) for one in judged.judged.verdicts)
        fleet.knows(name, replace(judged.judged, worst=worst, verdicts=bad))
    return fleet


def test_hostile_texts_are_inert() -> None:
    document = used(hostile_fleet, lambda api: page(api, ("policy", HOSTILE), ("search", HOSTILE.replace("\x07", ""))))
    for element in document.iter():
        assert not any(name.startswith("on") or name == "style" for name in element.attrib)
        assert element.tag != "img"
        if element.tag not in {"option", "input"}:  # these send what they have, and it has to be the same
            shown = [element.text or "", element.tail or "", *element.attrib.values()]
            assert not any("\u202e" in text or "\x07" in text for text in shown)
    both = used(hostile_fleet, page)
    assert "\\u202e" in text_of(both)
    assert "{{ 7*7 }}" in text_of(both)
    targets = [one.get("href", "") for one in found(both, "a", class_="name")]
    assert all(href.startswith("targets/") and "/" not in href.removeprefix("targets/") for href in targets)


async def shown(at: Page) -> list[str]:
    return await at.locator("a.name").all_inner_texts()


async def follow(at: Page, link: Locator) -> None:
    """Click, and wait for the page that comes."""
    async with at.expect_navigation():
        await link.click()


async def skip(at: Page) -> None:
    """To the content by keyboard, which does not load the page again."""
    await at.evaluate(
        "window.same = true;"
        "window.skipped = new Promise((done) => addEventListener('popstate', () => setTimeout(done)));"
        "true"  # a promise would be awaited
    )
    await at.keyboard.press("Tab")
    await at.keyboard.press("Enter")
    await at.evaluate("window.skipped")
    assert await at.evaluate("window.same")


async def filters(browser: Browser, url: str) -> None:
    """Clicks through filters, orders and pages, and into a target."""
    async with opened(browser, url) as watched:
        at = watched.page
        before = await shown(at)
        await skip(at)
        await follow(at, at.get_by_role("link", name="Target", exact=True))
        assert await shown(at) == sorted(await shown(at))
        assert await at.locator("th[aria-sort=ascending]").inner_text() == "Target"
        await follow(at, at.get_by_role("link", name="Next page"))
        assert await at.get_by_text("Page 2 of 2").count() == 1
        await at.get_by_role("searchbox").fill("shop0000")
        await at.get_by_text("2 targets of 60").wait_for()
        assert "search=shop0000" in at.url
        assert await at.evaluate("document.activeElement.name") == "search"
        await at.get_by_label("Verdict", exact=True).select_option("pass")
        await at.locator("a.chip", has_text="passes").wait_for()
        async with at.expect_event("load"):
            await at.go_back()
        assert await at.get_by_label("Verdict", exact=True).input_value() == ""
        assert await at.get_by_text("2 targets of 60").count() == 1
        await follow(at, at.get_by_role("link", name="Clear filters"))
        assert len(await shown(at)) == 50
        await at.goto(url)
        assert await shown(at) == before
        await follow(at, at.locator("a.tile", has_text="unreachable"))
        assert set(await at.locator(".verdict").all_inner_texts()) == {"unreachable"}
        assert watched.complaints == []
        await follow(at, at.locator("a.name").first)
        assert "/targets/" in at.url
        assert watched.hosts() == {urlsplit(url).netloc}


async def refreshes(browser: Browser, url: str, fleet: KnownFleet) -> None:
    """After a minute the page shows what is new, and the reader loses nothing."""
    async with opened(browser, "about:blank") as watched:
        at = watched.page
        await at.clock.install()
        await at.goto(url)
        await at.locator("#more-checks summary").click()
        await at.get_by_label("Labels").fill("{team=")
        fleet.later(minutes=7)
        await at.clock.fast_forward(61_000)
        await at.locator("#made-at", has_text="12:07").wait_for()
        assert await at.locator(":focus").get_attribute("id") == "labels-1"
        assert await at.get_by_label("Labels").input_value() == "{team="
        assert await at.locator("#more-checks").get_attribute("open") is not None
        await at.get_by_label("Labels").fill("")
        link = at.locator("a.name").nth(3)
        wanted = await link.get_attribute("href")
        await link.focus()
        fleet.later(minutes=7)
        await at.clock.fast_forward(61_000)
        await at.locator("#made-at", has_text="12:14").wait_for()
        assert await at.locator(":focus").get_attribute("href") == wanted
        await at.get_by_role("button", name="Stop refreshing").click()
        asked = len(watched.asked)
        await at.clock.fast_forward(300_000)
        assert len(watched.asked) == asked
        await at.get_by_role("button", name="Refresh").click()
        async with at.expect_response(url):
            await at.clock.fast_forward(61_000)
        assert watched.complaints == []


async def looks(browser: Browser, url: str) -> None:
    """Both themes, a phone, without scripts, and on paper."""
    for window, dark in ((None, False), (None, True), (PHONE, False), (PHONE, True)):
        async with opened(browser, url, window=window, dark=dark) as watched:
            assert await watched.violations() == []
            assert not await watched.is_wider_than_its_window()
            assert watched.complaints == []
    async with opened(browser, f"{url}?search=nothing", window=PHONE) as watched:
        assert await watched.violations() == []
    async with opened(browser, url, scripts=False) as watched:
        await watched.page.get_by_role("searchbox").fill("shop0000")
        await follow(watched.page, watched.page.get_by_role("button", name="Show"))
        assert len(await shown(watched.page)) == 2
        assert await watched.page.get_by_role("button", name="Stop refreshing").count() == 0
    async with opened(browser, url, dark=True) as watched:
        assert (await watched.page.pdf()).startswith(b"%PDF-")
        await watched.page.emulate_media(media="print")
        assert not await watched.page.get_by_role("searchbox").is_visible()
        assert await watched.page.locator("a.name").first.is_visible()


@pytest.mark.real
@pytest.mark.timeout(600)
def test_chromium_filters_refreshes_and_shows_it_in_every_look() -> None:
    async def look(api: FleetApi) -> None:
        url = f"http://127.0.0.1:{api.port}/"
        async with chromium() as browser:
            await filters(browser, url)
            await looks(browser, url)
            await refreshes(browser, url, api.fleet)

    used(lambda: varied_fleet(60), look)


@pytest.mark.real
@pytest.mark.timeout(600)
def test_chromium_shows_ten_thousand_targets_none_and_hostile_ones() -> None:
    async def look(api: FleetApi) -> None:
        async with chromium() as browser, served(KnownFleet()) as empty, served(await hostile_fleet()) as hostile:
            for port, query in ((api.port, "?limit=200"), (empty.port, ""), (hostile.port, "")):
                async with opened(browser, f"http://127.0.0.1:{port}/{query}", window=PHONE) as watched:
                    assert await watched.violations() == []
                    assert not await watched.is_wider_than_its_window()
                    assert watched.complaints == []

    used(lambda: varied_fleet(10_000), look)

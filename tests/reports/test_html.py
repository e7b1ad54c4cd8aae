"""`html`: one file that loads nothing; Chromium shows and prints it."""

import asyncio
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import html5lib
import pytest

from exporter.reports.as_html import FORMAT, MOST_COMPLETE
from exporter.reports.base import ReportSet
from exporter.text import escaped
from tests.support.browser import PHONE, Watched, chromium, opened
from tests.support.report_sets import ACCEPTED, EVIL, GONE, GOOD, LATER, WEAK, every_kind, good, report_set, weak


def many() -> ReportSet:
    """So many that each is shown in short."""
    others = [weak(f"host-{number}.example:443") for number in range(MOST_COMPLETE)]
    every = every_kind()
    more = report_set(*others)
    return replace(every, reports=[*every.reports, *more.reports])


SETS = {"none": report_set, "one": lambda: report_set(good()), "every": every_kind, "many": many}


@pytest.mark.parametrize("name", SETS)
def test_it_is_valid_html(name: str) -> None:
    html5lib.HTMLParser(strict=True).parse(FORMAT.render(SETS[name]()))


@pytest.mark.parametrize("name", SETS)
def test_ids_are_there_once_and_links_lead_to_them(name: str) -> None:
    text = FORMAT.render(SETS[name]())
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_it_names_nothing_to_load_and_allows_only_its_own_style_and_script() -> None:
    text = FORMAT.render(every_kind())
    assert re.findall(r"<(?:link|img|iframe|object|form|base|audio|video|source)\b[^>]*>", text) == [
        '<link rel="icon" href="data:,">'
    ]
    parsed = html5lib.parse(text, namespaceHTMLElements=False)
    attributes = {name for element in parsed.iter() for name in element.attrib}
    assert {name for name in attributes if name in {"src", "srcset", "style"} or name.startswith("on")} == set()
    assert not re.search(r"url\(|@import", "".join(one.text for one in parsed.iter("style")))
    assert escaped(EVIL) in {one.text for one in parsed.iter("p")}, "as text"
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
    assert policy.startswith("default-src &#39;none&#39;; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy


def test_the_summary_comes_first_and_the_worst_target_before_others() -> None:
    text = re.sub(r"<(style|script)>.*?</\1>", "", FORMAT.render(report_set(good(), weak())), flags=re.DOTALL)
    assert "<h1>TLS posture: 1 of 2 targets fails</h1>" in text
    places = [
        text.index(one) for one in ("<h1>", "Failed checks", f">{WEAK}</a>", f">{GOOD}</a>", 'id="t1"', 'id="t2"')
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("name", ["every", "many"])
def test_everything_is_said_of_each_kind(name: str) -> None:
    text = " ".join(re.sub("<[^>]+>", " ", FORMAT.render(SETS[name]())).split())
    for said in (WEAK, GONE, ACCEPTED, LATER, "accepts TLSv1.0", "ssl_protocols TLSv1.2 TLSv1.3;", "old telephones"):
        assert said in text
    assert re.search(r"2027-01-31 by alice", text)
    assert "connection is refused" in text or "connect_refused" in text


def test_a_report_of_many_targets_is_short_for_each() -> None:
    """A fleet in one file must stay one that a browser opens: 500 targets that all fail have some 6 MB."""
    assert len(FORMAT.render(report_set(*(weak(f"{number}.example:443") for number in range(100))))) < 1_500_000


@pytest.mark.real
@pytest.mark.timeout(600)
def test_chromium_shows_and_prints_it(tmp_path: Path) -> None:
    async def look() -> None:
        async with chromium() as browser:
            for name, dark, window in (("every", False, None), ("many", True, PHONE)):
                file = tmp_path / f"{name}.html"
                file.write_text(FORMAT.render(SETS[name]()), encoding="utf-8")
                async with opened(browser, file.as_uri(), dark=dark, window=window) as watched:
                    assert await watched.violations() == []
                    assert not await watched.is_wider_than_its_window()
                    await click_print_and_look(watched)
                    assert watched.complaints == []
                    assert watched.asked == [file.as_uri()], "it asks for nothing else"
            async with opened(browser, (tmp_path / "many.html").as_uri(), scripts=False) as watched:
                assert await watched.page.locator("h1").inner_text() != "", "it can be read without scripts"
                assert await watched.page.locator("details.target[open]").count() > 0

    asyncio.run(asyncio.wait_for(look(), 580))


async def click_print_and_look(watched: Watched) -> None:
    page = watched.page
    good_one = page.locator("details.target", has_text=GOOD).last
    assert await good_one.get_attribute("open") is None, "what passes is folded"
    await page.locator(".fleet a", has_text=GOOD).click()
    assert await good_one.get_attribute("open") is not None, "a link opens what it leads to"
    await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false; })")
    printed = await page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert await page.locator("details:not([open])").count() == 0, "on paper, all are open"
    await page.emulate_media(media="print", color_scheme="dark")
    colours = "getComputedStyle(document.documentElement).getPropertyValue('--fail-back').trim()"
    assert await page.evaluate(colours) == "#fde4e6", "paper is light"

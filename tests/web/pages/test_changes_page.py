"""`/changes`: what changed, the newest first, in words."""

import re
from html import unescape

import pytest

from exporter.model import Protocol
from exporter.store.changelog import MemoryLog
from exporter.store.history import StateChange, StateKey, What
from tests.support.facts import CBC_RSA, GOOD_SUITES, facts, handshake
from tests.support.known_fleet import FleetApi, KnownFleet
from tests.support.targets import NOW, make_target
from tests.web.pages.reading import on, source, words

HOSTILE = '"><script>alert(1)</script>\u202e`/?#%&+ ü'
GOOD = handshake()
WEAK = handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)})


async def worsens(fleet: KnownFleet, name: str) -> None:
    await fleet.saw(name, facts(GOOD, at=fleet.now))
    fleet.later(hours=1)
    await fleet.saw(name, facts(WEAK, at=fleet.now))


TWO = make_target(name="a", labels={"team": "web"}), make_target(name="b", labels={"team": "mail"})


def test_without_changes_it_says_since_when_there_were_none() -> None:
    async def steps(api: FleetApi) -> None:
        text = await words(api, "/changes")
        assert "Changes are known since 2026-11-22 12:00." in text
        assert text.endswith("Nothing has changed since then.")

    on((), steps)


def test_changes_are_sentences_with_their_direction_the_newest_first() -> None:
    async def steps(api: FleetApi) -> None:
        await worsens(api.fleet, "a")
        await worsens(api.fleet, "b")
        text = await words(api, "/changes")
        worse = "▼ worse check protocols of kopano-checklist fails now; passed before"
        assert text.count(worse) == 2
        assert "▼ worse TLSv1.0 is accepted now; was refused before" in text
        assert f"▼ worse cipher suites of TLSv1.0 changed: 1 added + {CBC_RSA}" in text
        assert re.search("14:00 b .* 13:00 a ", text)

    on(TWO, steps)


@pytest.mark.parametrize(
    ("query", "there", "missing"),
    [
        ("match[]={team=%22web%22}", "13:00 a", "14:00 b"),
        ("what=protocol", "TLSv1.0 is accepted", "cipher suites of"),
        ("check=protocols&policy=kopano-checklist&verdict=fail", "check protocols", "TLSv1.0 is accepted"),
        ("direction=worse", "check protocols", "▲ better"),
        ("direction=better", "No known change meets the filter.", "check protocols"),
        ("since=2026-11-22T13:30:00Z", "14:00 b", "13:00 a"),
        ("since=2026-11-23", "No known change meets the filter.", "14:00 b"),
        ("since=2026-11-22&check=&policy=&what=", "14:00 b", "No known change"),
    ],
)
def test_filters(query: str, there: str, missing: str) -> None:
    async def steps(api: FleetApi) -> None:
        await worsens(api.fleet, "a")
        await worsens(api.fleet, "b")
        text = await words(api, f"/changes?{query}")
        assert there in text
        assert missing not in text

    on(TWO, steps)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("what=x", 'Invalid parameter "what"'),
        ("check=x", "there is no check 'x'"),
        ("since=2026-02-30", "is not a day of the calendar"),
        ("since=yesterday", "is neither a time by RFC 3339"),
        ("limit=0", 'Invalid parameter "limit"'),
        ("limit=x", "'x' is not a whole number"),
        ("cursor=x", 'Invalid parameter "cursor"'),
        ("match[]={", 'Invalid parameter "match[]"'),
        ("colour=red", 'Invalid parameter "colour": it is unknown here'),
        ("what=<script>", 'Invalid parameter "what"'),
    ],
)
def test_wrong_parameters_are_refused_with_a_message(query: str, message: str) -> None:
    async def steps(api: FleetApi) -> None:
        page = await source(api, f"/changes?{query}", 400)
        assert message in unescape(page)
        assert "<script>" not in page

    on(TWO, steps)


def test_pages_have_each_change_once() -> None:
    async def steps(api: FleetApi) -> None:
        for name in ("a", "b", "a", "b"):
            await worsens(api.fleet, name)
        complete = (await words(api, "/changes")).count(" now")
        found, path = 0, "/changes?limit=3"
        for _ in range(100):
            page = await source(api, path)
            found += len(re.findall('<span class="mark mark-[a-z_]*">', page))
            older = re.search(r'<a href="(changes\?[^"]*)" rel="next"', page)
            if older is None:
                break
            path = f"/{unescape(older[1])}"
            assert "limit=3" in path
        marks = len(re.findall('<span class="mark mark-[a-z_]*">', await source(api, "/changes")))
        assert found == marks > complete / 2

    on(TWO, steps)


def test_what_others_wrote_is_inert() -> None:
    async def steps(api: FleetApi) -> None:
        log = MemoryLog("abc", NOW)
        log.add(
            [
                StateChange(HOSTILE, HOSTILE, StateKey(What.SUITES, HOSTILE), [], [HOSTILE], NOW),
                StateChange("gone", None, StateKey(What.VERDICT, HOSTILE), HOSTILE, "fail", NOW),
                StateChange("gone", None, StateKey(What.CERTIFICATE), [], [{"subject": HOSTILE}], NOW),
            ]
        )
        api.fleet.store.keep_log(log)
        page = await source(api, "/changes")
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "targets/%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%E2%80%AE%60%2F%3F%23%25%26%2B%20%C3%BC" in page
        assert "gone (no target any more)" in await words(api, "/changes")

    on([make_target(name=HOSTILE)], steps)


def test_a_history_that_cannot_be_read_is_not_an_empty_one() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.store.keep_log(None)
        assert "The history cannot be read now." in await words(api, "/changes", 503)

    on(TWO, steps)


@pytest.mark.parametrize(("others", "pages"), [(0, 1), (999, 1), (1000, 1), (12_345, 2)])
def test_a_change_is_found_however_many_others_there_are(others: int, pages: int) -> None:
    """A question looks at 10,000 changes, a thousand at a time."""
    whats = [StateKey(What.GRADE), *[StateKey(What.PROTOCOL, "TLSv1.0")] * others]

    async def steps(api: FleetApi) -> None:
        log = MemoryLog("abc", NOW, most=20_000)
        log.add([StateChange("a", None, key, "A", "B", NOW) for key in whats])
        api.fleet.store.keep_log(log)
        path = "/changes?what=grade"
        for _ in range(pages - 1):
            page = await source(api, path)
            assert "No change among the 10,000 that were looked at meets the filter." in page
            path = "/" + unescape(re.findall(r'href="(changes\?[^"]*)" rel="next"', page)[0])
        assert "grade is B now" in await source(api, path)

    on(TWO, steps)

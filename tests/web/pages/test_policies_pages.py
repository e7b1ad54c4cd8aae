"""`/policies` and `/policies/NAME`: what is asked, and who fails what."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.model import Protocol
from exporter.policies import load_policy
from exporter.publisher import Setup
from tests.support.facts import CBC_RSA, GOOD_SUITES, facts, good_facts, handshake
from tests.support.judging import judge_by
from tests.support.known_fleet import POLICIES, FleetApi
from tests.support.targets import NOW, make_target
from tests.web.pages.reading import on, source, words

HOSTILE = '"><script>alert(1)</script>\u202e'
WEAK = handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)})
TARGETS = tuple(make_target(name=name) for name in ("a", "b", "c", "d/é"))
OWN = f"""
name: own
title: '{HOSTILE}'
version: "1"
source: 'Our <b>rules</b>'
description: 'Text <img src=x>'
not_expressed: [{{rule: '<i>R</i>', section: '§ 3', why: 'nobody knows'}}]
checks:
  protocols:
    - {{severity: critical, source: "s1", allowed: [TLSv1.3], from: 2030-01-01}}
    - {{severity: warning, source: "s2", allowed: [TLSv1.2, TLSv1.3]}}
"""


async def fill(api: FleetApi) -> None:
    """`a` accepts TLS 1.0, and so does the last one; of `c` nothing is known."""
    for name, seen in (("a", WEAK), ("b", None), ("d/é", WEAK)):
        at = api.fleet.now
        await api.fleet.saw(name, good_facts(at) if seen is None else facts(seen, at=at))


def test_the_list_has_used_policies_first_and_counts_their_targets() -> None:
    async def steps(api: FleetApi) -> None:
        await fill(api)
        text = await words(api, "/policies")
        title = "Data Transport Security with Kopano"
        assert f"{title} kopano-checklist 2017-10-18 4 0 2 2 " in text
        assert text.index(title) < text.index("mozilla-intermediate")
        assert text.endswith("none")

    on(TARGETS, steps)


def test_without_targets_policies_are_listed() -> None:
    async def steps(api: FleetApi) -> None:
        text = await words(api, "/policies")
        assert text.count("none") == len(POLICIES)
        assert "No target is judged by this policy." in await words(api, "/policies/kopano-checklist")

    on((), steps)


def test_a_policy_says_what_it_asks_and_who_fails_it() -> None:
    async def steps(api: FleetApi) -> None:
        await fill(api)
        page, text = await source(api, "/policies/kopano-checklist"), await words(api, "/policies/kopano-checklist")
        assert "kopano-checklist, version 2017-10-18, of 2017-10-18. Source: Kopano blog" in text
        assert "4 targets meet it: 0 fail: 2 unknown: 2 a, d/é" in text
        asked = "protocols critical TLSv1.2, TLSv1.3 only step 2: SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1"
        assert f"{asked} 2 fail 1 pass a, d/é" in text
        assert '<tr id="check-protocols">' in page
        assert '<a class="state-fail" href="../?policy=kopano-checklist&amp;check=protocols&amp;verdict=fail">' in page
        assert '<a href="../targets/d%2F%C3%A9">d/é</a>' in page

    on(TARGETS, steps)


def test_only_the_first_targets_that_fail_are_named() -> None:
    async def steps(api: FleetApi) -> None:
        for number in range(12):
            await api.fleet.saw(f"t{number:02}", facts(WEAK, at=api.fleet.now))
        text = await words(api, "/policies/kopano-checklist")
        assert "12 fail t00, t01, t02, t03, t04, t05, t06, t07, t08, t09 and 2 more" in text

    on([make_target(name=f"t{number:02}") for number in range(12)], steps)


def test_a_failure_that_is_accepted_is_counted_apart() -> None:
    async def steps(api: FleetApi) -> None:
        await fill(api)
        publisher = api.fleet.publisher
        known = publisher._judged["a"]  # noqa: SLF001 - exceptions have no settings here
        accepted = tuple(one._replace(accepted=one.check == "protocols") for one in known.verdicts)
        publisher._judged["a"] = replace(known, verdicts=accepted)  # noqa: SLF001
        text = await words(api, "/policies/kopano-checklist")
        assert "1 fail 1 accepted 1 pass d/é" in text

    on(TARGETS, steps)


def test_an_own_policy_is_shown_and_its_texts_are_inert(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    policy = load_policy(str(tmp_path / "own.yaml"))

    async def steps(api: FleetApi) -> None:
        target = make_target(name=HOSTILE, policies=("own",))
        api.fleet.schedule.sync({target.name: timedelta(hours=1)})
        api.fleet.publisher.apply(Setup({target.name: target}, judge_by(policy, *POLICIES)))
        await api.fleet.saw(target.name, facts(WEAK, at=NOW))
        page, text = await source(api, "/policies/own"), await words(api, "/policies/own")
        assert not any(one in page for one in ("<script>alert", "<b>rules", "<img", "<i>R", "\u202e", str(tmp_path)))
        assert "protocols critical TLSv1.3 only (not now: in force from 2030-01-01) s1" in text
        assert "warning TLSv1.2, TLSv1.3 only s2 1 fail" in text
        assert "What it does not judge Rule Where Why it is left out <i>R</i> § 3 nobody knows" in text
        assert "<script>alert" not in await source(api, "/policies")

    on((), steps)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/policies/none", 404, "There is no policy 'none'"),
        ("/policies/%3Cscript%3E", 404, "There is no policy '<script>'"),
        ("/policies/kopano-checklist?x=1", 400, 'Invalid parameter "x": it is unknown here.'),
        ("/policies?x=1", 400, 'Invalid parameter "x": it is unknown here.'),
    ],
)
def test_what_is_not_there_is_refused_with_a_message(path: str, status: int, message: str) -> None:
    async def steps(api: FleetApi) -> None:
        assert message in await words(api, path, status)

    on(TARGETS, steps)

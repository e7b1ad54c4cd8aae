"""What is exposed about targets, and what is kept when the configuration changes."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.checks.registry import CHECKS
from exporter.config import Config
from exporter.config.sections import TargetSettings
from exporter.fleet import KeyIndex
from exporter.judge import seen_after
from exporter.metrics import Exposition, OwnMetrics
from exporter.model import Addresses, Facts, Protocol, Target
from exporter.publisher import NOT_BY_HELLOS, Publisher, Setup, same_service
from exporter.store import Store
from exporter.store.changelog import LogQuery
from exporter.store.database import Database
from exporter.targets import make_target as configured_target
from tests.support.facts import GOOD_SUITES, KOPANO, certificates, deployment, facts, handshake, result
from tests.support.judging import judge_by
from tests.support.targets import NOW, make_target

DEFAULTS = Config().global_


def behind(user: str, host: str) -> Target:
    proxy = f"http://{user}:secret@{host}:3128"
    return configured_target(TargetSettings.model_validate({"host": "a.example", "proxy_url": proxy}), DEFAULTS)


def test_a_way_through_another_proxy_leads_to_another_service_and_one_with_another_password_does_not() -> None:
    """The network behind a proxy has its own names, and its own machines behind our addresses."""
    direct = configured_target(TargetSettings.model_validate({"host": "a.example"}), DEFAULTS)
    assert same_service(behind("scanner", "one.example"), behind("other", "one.example"))
    assert not same_service(behind("scanner", "one.example"), behind("scanner", "two.example"))
    assert not same_service(behind("scanner", "one.example"), direct)


def test_a_target_that_is_gone_is_no_service() -> None:
    assert not same_service(None, make_target())
    assert not same_service(make_target(), None)


class Shown:
    """A publisher, and the lines that it shows."""

    def __init__(self) -> None:
        self.store = Store()
        self.exposition = Exposition(OwnMetrics())
        self.keys = KeyIndex()
        self.publisher = Publisher(self.store, self.exposition, self.keys, lambda: NOW)

    def apply(self, *targets: Target, full: bool = False) -> set[str]:
        judge = replace(judge_by(KOPANO), neighbours=self.keys.neighbours)
        return self.publisher.apply(Setup({target.name: target for target in targets}, judge, full=full))

    def lines(self, start: str) -> list[str]:
        return [line for line in self.exposition.render("")[0].decode().splitlines() if line.startswith(start)]


ONE = make_target(name="one")
SEEN = facts(handshake())


WITH_TLS10 = {**GOOD_SUITES, Protocol.TLS1_0: ("TLS_RSA_WITH_AES_128_CBC_SHA",)}


def test_what_hellos_do_not_decide_are_checks() -> None:
    assert {check.name for check in CHECKS} >= NOT_BY_HELLOS


@pytest.mark.parametrize(
    ("seen", "fails"),
    [(facts(handshake()), False), (facts(handshake(WITH_TLS10)), True), (Facts(), False)],
)
def test_a_target_fails_by_hellos_if_a_check_of_protocols_or_suites_fails(seen: Facts, fails: bool) -> None:
    shown = Shown()
    shown.apply(ONE)
    assert not shown.publisher.fails_by_hellos("one")
    asyncio.run(shown.publisher.take([result(seen, target=ONE)], 0))
    assert shown.publisher.fails_by_hellos("one") is fails


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ([ONE], True),
        ([make_target(name="one", labels={"team": "web"})], True),
        ([make_target(444, name="one")], False),
        ([make_target(name="other")], False),
        ([], False),
    ],
)
def test_facts_stay_with_the_service_that_they_are_of(after: list[Target], kept: bool) -> None:
    shown = Shown()
    assert shown.apply(ONE) == set()
    asyncio.run(shown.publisher.take([result(SEEN, target=ONE)], 0))
    assert shown.apply(*after) == ({"one"} if kept else set())
    assert bool(shown.store.get("one")) is kept
    assert bool(shown.lines('tls_posture_protocol_accepted{target="one"')) is kept
    assert bool(shown.publisher.known(ONE)) is kept
    assert (shown.publisher.begun_at("one") == NOW - timedelta(seconds=1.5)) is kept


def test_a_target_shows_its_configuration_before_its_first_scan_and_nothing_seen() -> None:
    shown = Shown()
    shown.apply(ONE)
    assert shown.lines("tls_posture_target_info{")
    assert not shown.lines("tls_posture_compliant{")
    assert shown.publisher.begun_at("one") is None
    assert shown.publisher.judge_again("one") == set()
    assert shown.publisher.reports() == []


def test_a_change_of_the_configuration_shows_when_the_target_is_judged_again() -> None:
    shown = Shown()
    shown.apply(ONE)
    asyncio.run(shown.publisher.take([result(SEEN, target=ONE)], 0))
    assert not shown.lines("tls_posture_contradictory_answers{")
    shown.apply(ONE, full=True)
    shown.publisher.judge_again("one")
    assert shown.lines("tls_posture_contradictory_answers{")


def test_addresses_that_share_a_key_are_judged_together_and_change_nothing_later(tmp_path: Path) -> None:
    """One address accepts SSL 2, and so the other one is open to DROWN from its first verdict on."""
    target = make_target(name="one", addresses=Addresses.ALL)
    key = certificates(deployment(key_algorithm="RSA", spki_sha256="ab" * 32))
    ssl2 = {Protocol.SSL2: ("SSL_CK_RC4_128_WITH_MD5",), **GOOD_SUITES}
    results = [
        replace(result(facts(handshake(ssl2, plain_chains=()), key), target=target), address="10.0.0.1"),
        replace(result(facts(handshake(plain_chains=()), key), target=target), address="10.0.0.2"),
    ]

    async def run() -> None:
        shown = Shown()
        shown.store.use(
            Database(
                tmp_path,
                timedelta(days=400),
                now=lambda: NOW,
                failed=lambda _: None,
                everything=shown.store.everything,
            )
        )
        shown.apply(target)
        _, affected = await shown.publisher.take(results, 0)
        assert affected == set()
        lines = shown.lines('tls_posture_vulnerable{target="one",address="10.0.0.2",vulnerability="drown"')
        assert [line.split()[-1] for line in lines] == ["1"]
        assert shown.publisher.judge_again("one") == set()
        await shown.store.written()
        part = await shown.store.read_log(LogQuery())
        assert part is not None
        assert part.found == ()
        shown.store.close(timedelta(seconds=60))

    asyncio.run(run())


class SlowDisk:
    """A database whose writes end when they are let."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.waits = asyncio.Event()

    async def written(self) -> None:
        self.waits.set()
        await self.may_end.wait()


def test_what_becomes_known_of_neighbours_while_results_are_written_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are judged before they are written. Meanwhile another target can turn out to have the same key."""
    key = certificates(deployment(key_algorithm="RSA", spki_sha256="ab" * 32))
    ssl2 = {Protocol.SSL2: ("SSL_CK_RC4_128_WITH_MD5",), **GOOD_SUITES}
    two = make_target(444, name="two")

    async def run() -> list[str]:
        shown, disk = Shown(), SlowDisk()
        shown.apply(ONE, two)
        monkeypatch.setattr(shown.store, "written", disk.written)
        seen = result(facts(handshake(plain_chains=()), key), target=ONE)
        scan = asyncio.create_task(shown.publisher.take([seen], 0))
        await disk.waits.wait()
        other = result(facts(handshake(ssl2, plain_chains=()), key), target=two)
        affected = shown.keys.update("two", seen_after([other], NOW))
        assert affected == {"one"}
        assert shown.publisher.judge_again("one") == set()
        assert not shown.lines('tls_posture_vulnerable{target="one"'), "nothing is shown that is not on disk"
        disk.may_end.set()
        await scan
        return shown.lines('tls_posture_vulnerable{target="one",vulnerability="drown"')

    assert [line.split()[-1] for line in asyncio.run(run())] == ["1"]

"""What a start shows without a judgement: the same as a judgement, or the target is judged."""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.config.relabelling import RelabelSettings
from exporter.facts.handshake import HandshakeFacts
from exporter.fleet import KeyIndex, KeyWord
from exporter.judge import Judge
from exporter.metrics import FAMILIES, Exposition, OwnMetrics
from exporter.model import Facts, Family, Report, Target
from exporter.policies import load_policy, shipped
from exporter.publisher import Publisher, Setup
from exporter.shown import StoredHead, UnstableError, body_of, digest_of, head_of, pack, stable
from exporter.store import Store
from exporter.store.database import Database
from tests.support.facts import KOPANO, certificates, deployment, facts, good_facts, handshake, result
from tests.support.judging import judge_by
from tests.support.targets import NOW, make_target

ONE, TWO = make_target(name="one", labels={"team": "web"}), make_target(444, name="two")
SOON = NOW + timedelta(seconds=30)


@dataclass
class Counting:
    """Counts judgements."""

    names: list[str] = field(default_factory=list)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    reports = Judge.reports

    def counted(self: Judge, seen: Any, target: Target, now: Any) -> tuple[Report, ...]:  # noqa: ANN401 - passed on
        counting.names.append(target.name)
        return reports(self, seen, target, now)

    monkeypatch.setattr(Judge, "reports", counted)
    return counting


class Life:
    """A publisher on a folder, from a start to an end."""

    def __init__(self, folder: Path, now: datetime = NOW) -> None:
        self.now = now
        self.store = Store()
        self.keys = KeyIndex()
        self.exposition = Exposition(OwnMetrics())
        self.publisher = Publisher(self.store, self.exposition, self.keys, lambda: self.now)
        self.store.use(
            Database(
                folder,
                timedelta(days=9),
                now=lambda: self.now,
                failed=lambda _error: None,
                everything=self.store.everything,
            )
        )

    def apply(self, *targets: Target, digest: str | None = "same", full: bool = False) -> None:
        judge = replace(judge_by(KOPANO), neighbours=self.keys.neighbours)
        self.publisher.apply(Setup({one.name: one for one in targets}, judge, full=full, digest=digest))

    async def scan(self, target: Target, seen: Facts) -> None:
        await self.publisher.take([result(seen, target=target)], 0)

    def judge(self, *targets: Target) -> None:
        for target in targets:
            self.publisher.judge_again(target.name)

    def page(self) -> list[str]:
        lines = self.exposition.render("")[0].decode().splitlines()
        return [line for line in lines if line.startswith("tls_posture_") and "_exporter_" not in line]

    def end(self) -> None:
        self.store.close(timedelta(seconds=60))


def before(folder: Path, *scans: tuple[Target, Facts]) -> Life:
    """A life in which these targets were scanned; it has ended."""
    life = Life(folder)
    life.apply(*(target for target, _ in scans))

    async def scan() -> None:
        for target, seen in scans:
            await life.scan(target, seen)

    asyncio.run(scan())
    life.end()
    return life


GOOD = (ONE, good_facts(NOW)), (TWO, facts(handshake()))


def test_a_start_shows_the_same_without_a_judgement(tmp_path: Path, judged: Counting) -> None:
    first = before(tmp_path, *GOOD)
    judged.names.clear()
    second = Life(tmp_path, SOON)
    second.apply(ONE, TWO)
    second.judge(ONE, TWO)
    assert judged.names == []
    assert second.page() == first.page()
    for name in ("one", "two"):
        assert second.publisher.summary(name) == first.publisher.summary(name)
        assert second.publisher.next_change(name) == first.publisher.next_change(name)
        begun = first.publisher.begun_at(name)
        assert begun is not None
        assert second.publisher.next_turn(name, begun) == first.publisher.next_turn(name, begun)
        assert second.keys.word(name) == first.keys.word(name)
        assert second.publisher.reports_of(name)[0].findings
    assert second.store.oldest_fact == first.store.oldest_fact
    second.end()


def test_it_is_shown_once_and_later_judgements_are_real(tmp_path: Path, judged: Counting) -> None:
    before(tmp_path, *GOOD)
    judged.names.clear()
    second = Life(tmp_path, SOON)
    second.apply(ONE, TWO)
    second.judge(ONE, ONE, TWO)
    assert judged.names == ["one"]
    second.end()


def _other_labels(life: Life) -> list[Target]:
    one = replace(ONE, labels={"team": "mail"})
    life.apply(one, TWO)
    return [one, TWO]


def _other_digest(life: Life) -> list[Target]:
    life.apply(ONE, TWO, digest="another")
    return [ONE, TWO]


def _no_digest(life: Life) -> list[Target]:
    life.apply(ONE, TWO, digest=None)
    return [ONE, TWO]


def _after_a_change(life: Life) -> list[Target]:
    life.now = NOW + timedelta(days=40)
    life.apply(ONE, TWO)
    return [ONE, TWO]


def _before_the_judgement(life: Life) -> list[Target]:
    life.now = NOW - timedelta(days=1)
    life.apply(ONE, TWO)
    return [ONE, TWO]


@pytest.mark.parametrize("other", [_other_labels, _other_digest, _no_digest, _after_a_change, _before_the_judgement])
def test_anything_that_may_lead_to_another_judgement_leads_to_a_judgement(
    tmp_path: Path, judged: Counting, other: Callable[[Life], list[Target]]
) -> None:
    before(tmp_path, *GOOD)
    judged.names.clear()
    second = Life(tmp_path, SOON)
    targets = other(second)
    second.judge(*targets)
    assert "one" in judged.names
    second.end()


def test_a_neighbour_that_is_another_now_leads_to_a_judgement(tmp_path: Path, judged: Counting) -> None:
    """`two` now accepts SSL 2 with the key of `one`, and the daemon was killed before it judged `one` again."""
    key = "ab" * 32
    seen = facts(handshake(), certificates(deployment(key_algorithm="RSA", spki_sha256=key)))
    first = before(tmp_path, (ONE, seen), GOOD[1])
    word = first.keys.word("one")
    assert word is not None
    judged.names.clear()
    second = Life(tmp_path, SOON)
    second.apply(ONE, TWO)
    assert key in word.keys
    second.keys.restore("two", replace(word, keys=frozenset({key}), accepts=frozenset({key})))
    second.judge(ONE)
    assert judged.names == ["one"]
    second.end()


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\x00\xff", b"[1]\nabc"])
def test_a_form_that_cannot_be_read_leads_to_a_judgement(tmp_path: Path, judged: Counting, damage: bytes) -> None:
    first = Life(tmp_path)
    first.apply(ONE)
    asyncio.run(first.scan(ONE, good_facts(NOW)))
    first.store.show("one", damage)
    first.end()
    assert head_of(damage) is None
    judged.names.clear()
    second = Life(tmp_path, SOON)
    second.apply(ONE)
    second.judge(ONE)
    assert judged.names == ["one"]
    assert second.page() == first.page()
    second.end()


FIRST, SECOND = FAMILIES[3], FAMILIES[7]


@pytest.mark.parametrize(
    "lines",
    [
        {},
        {FIRST: ""},
        {FIRST: 'a{target="x",b="1"} 1\n'},
        {FIRST: 'a{target="x",b="1"} 1\na{target="x",b="2"} 0\n', SECOND: 'c{target="x"} 2\n'},
        {SECOND: 'c{target="x"} 2\n', FIRST: 'a{target="\0"} 1\n'},
        {FIRST: '\0{target="x"} 1\n', SECOND: '\0{target="x"} 2\n'},
        {FIRST: 'a{target="\N{SNOWMAN}"} 1\n', SECOND: "b 2\n"},
        {FIRST: 'a{target="\N{SNOWMAN}"} 1\n', SECOND: 'b{target="\N{SNOWMAN}"} 1\n'},
    ],
)
def test_every_text_is_read_as_it_was_stored(lines: dict[Family, str], tmp_path: Path) -> None:
    life = before(tmp_path, *GOOD)
    judged = life.publisher.summary("one")
    assert judged is not None
    assert judged.judged is not None
    head = StoredHead("key", "", NOW, None, KeyWord(), None, NOW, None)
    assert body_of(pack(head, lines, judged.judged)) == (lines, judged.judged)


def test_a_body_with_the_layout_of_another_text_cannot_be_read(tmp_path: Path) -> None:
    life = before(tmp_path, *GOOD)
    judged = life.publisher.summary("one")
    assert judged is not None
    assert judged.judged is not None
    packed = pack(StoredHead("key", "", NOW, None, KeyWord(), None, NOW, None), {FIRST: "a 1\n"}, judged.judged)
    start, _, body = packed.partition(b"\n")
    assert body_of(start + b"\n" + zlib.compress(zlib.decompress(body) + b"b")) is None
    assert body_of(start + b"\n" + body[:-9]) is None


def test_a_scan_that_ends_first_replaces_what_was_stored(tmp_path: Path) -> None:
    before(tmp_path, *GOOD)
    second = Life(tmp_path, SOON)
    second.apply(ONE, TWO)
    asyncio.run(second.scan(ONE, facts(handshake())))
    page = second.page()
    second.judge(ONE)
    assert second.page() == page
    second.end()


def test_more_targets_than_one_step_shows_are_all_shown(tmp_path: Path) -> None:
    many = [make_target(name=f"t{number:03}") for number in range(100)]
    life = Life(tmp_path)
    life.apply(*many)
    steps = 0
    while life.publisher.show_waiting():
        steps += 1
    assert steps > 1
    assert len([line for line in life.page() if line.startswith("tls_posture_target_info{")]) == 100
    life.end()


def test_targets_that_wait_go_on_to_wait_when_other_targets_come(tmp_path: Path) -> None:
    many = [make_target(name=f"t{number:03}") for number in range(100)]
    life = Life(tmp_path)
    life.apply(*many)
    waiting, setup = {*life.publisher.waiting}, life.publisher.setup
    life.publisher.apply(replace(setup, targets={**setup.targets, "other": make_target(name="other")}))
    assert {*life.publisher.waiting} == waiting
    life.end()


def test_a_scan_of_a_target_that_waits_keeps_what_was_known_of_it(tmp_path: Path) -> None:
    many = [make_target(name=f"t{number:03}") for number in range(100)]
    before(tmp_path, (many[-1], good_facts(NOW)))
    second = Life(tmp_path, SOON)
    second.apply(*many)
    assert "t099" in second.publisher.waiting
    assert second.publisher.known(many[-1])[None].get(HandshakeFacts) == good_facts(NOW).get(HandshakeFacts)
    second.end()


@dataclass(frozen=True)
class Part:
    """A value with parts."""

    text: str
    some: frozenset[str] = frozenset()
    derived: object = field(default=None, compare=False)


def test_values_that_differ_have_different_stable_forms() -> None:
    values = [1, 1.0, "1", True, None, b"1", NOW, (1,), [1], {"1": 1}, {1}, Part("1"), Part("1", frozenset({"2"}))]
    forms = [repr(stable(value)) for value in values]
    assert len(set(forms)) == len(values)
    assert stable(Part("1", derived=1)) == stable(Part("1", derived=2))
    assert stable(RelabelSettings(target_label="a")) != stable(RelabelSettings(target_label="b"))


def test_a_value_of_which_it_is_not_known_what_it_has_leads_to_no_digest() -> None:
    with pytest.raises(UnstableError):
        stable(lambda: None)
    assert digest_of([lambda: None]) is None
    assert digest_of(1) == digest_of(1) != digest_of(2)


def test_the_settings_of_every_shipped_policy_have_a_digest() -> None:
    judge = judge_by(*map(load_policy, shipped()))
    assert digest_of(sorted(judge.policies.items()), judge.table) is not None

"""What is kept between pages never shows: a page is as one that is made of the same lines for the first time."""

import asyncio
import contextlib
import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.metrics import FAMILIES, Exposition, Lines, OwnMetrics, number, render_reports, report_samples
from exporter.metrics import groups as module
from exporter.metrics.exposition import target_text
from exporter.metrics.pieces import Piece
from exporter.model import Family, Report
from exporter.text import escaped
from tests.support.facts import KOPANO, certificate, consistent_handshake_facts, facts, report, steady
from tests.support.targets import make_target

NAMES = [f"target {place}" for place in range(12)]
FEW = FAMILIES[:4]


def shown(page: Exposition) -> str:
    """The lines of targets; both forms have been compared."""
    made = page.begin("")()
    text = made.text()
    assert gzip.decompress(b"".join(made.gzip(65536))) == text
    starts = (text.find(f"# HELP {family.name} ".encode()) for family in FAMILIES)
    return text[min((start for start in starts if start >= 0), default=len(text)) :].decode()


def lines(name: str, values: Mapping[Family, float]) -> Lines:
    return {family: f'{family.name}{{target="{name}"}} {number(value)}\n' for family, value in values.items()}


VALUES = st.dictionaries(st.sampled_from(FEW), st.integers(0, 2))


class Kept(RuleBasedStateMachine):
    """Random changes, in groups of three targets, with pages in between."""

    def __init__(self) -> None:
        super().__init__()
        self.size, module.GROUP_SIZE = module.GROUP_SIZE, 3
        self.page = Exposition(OwnMetrics())
        self.expected: dict[str, Lines] = {}

    @rule(names=st.lists(st.sampled_from(NAMES), unique=True), values=VALUES)
    def put(self, names: list[str], values: Mapping[Family, float]) -> None:
        for name in names:
            self.expected[name] = lines(name, values)
            self.page.put(name, self.expected[name])

    @rule(names=st.lists(st.sampled_from(NAMES), unique=True))
    def remove(self, names: list[str]) -> None:
        for name in names:
            self.expected.pop(name, None)
            self.page.remove(name)

    @rule()
    def compare(self) -> None:
        assert shown(self.page) == target_text(self.expected.values())

    @invariant()
    def groups_are_not_too_many(self) -> None:
        sizes = [len(group.names) for group in self.page._groups._groups]  # noqa: SLF001 - memory depends on it
        assert all(0 < size <= 3 for size in sizes)

    def teardown(self) -> None:
        self.compare()
        module.GROUP_SIZE = self.size


TestKept = Kept.TestCase
TestKept.settings = settings(steady, stateful_step_count=25)


def made_pieces(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts of pieces for targets, as they are made."""
    made: list[bytes] = []

    class Counted(Piece):
        __slots__ = ()

        def __init__(self, text: bytes) -> None:
            made.append(text)
            super().__init__(text)

    monkeypatch.setattr("exporter.metrics.groups.Piece", Counted)
    return made


def test_only_what_changed_is_compressed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = made_pieces(monkeypatch)
    page, first, second = Exposition(OwnMetrics()), FAMILIES[0], FAMILIES[1]
    for place in range(200):
        page.put(f"t{place}", lines(f"t{place}", {first: 1, second: 1}))
    shown(page)
    assert len(made) == 2 * 4, "two families of four groups"
    made.clear()
    for place in range(200):
        page.put(f"t{place}", lines(f"t{place}", {first: 1, second: 2 if place == 100 else 1}))
    shown(page)
    (again,) = made
    assert again.count(b"\n") == 64
    assert b'{target="t100"} 2\n' in again
    made.clear()
    shown(page)
    assert made == []


def test_targets_that_come_and_go_leave_no_groups_behind() -> None:
    page, random = Exposition(OwnMetrics()), Random(18)  # noqa: S311 - not for cryptography
    names: list[str] = []
    for place in range(3000):
        names.append(f"t{place}")
        page.put(names[-1], lines(names[-1], {FAMILIES[0]: 1}))
        if len(names) > 100:
            page.remove(names.pop(random.randrange(len(names))))
        if not place % 50:
            shown(page)
    assert shown(page).count("{target=") == len(names)
    assert len(page._groups._groups) <= 1 + 2 * len(names) // (module.GROUP_SIZE // 2)  # noqa: SLF001 - memory


def test_a_put_while_a_page_is_made_changes_no_part_of_it() -> None:
    page = Exposition(OwnMetrics())
    page.put("a", lines("a", {FAMILIES[0]: 1, FAMILIES[1]: 1}))
    make = page.begin("")
    page.put("a", lines("a", {FAMILIES[0]: 2, FAMILIES[1]: 2}))
    page.put("b", lines("b", {FAMILIES[0]: 2}))
    assert b'{target="a"} 2\n' not in (before := make().text())
    assert before.count(b'{target="a"} 1\n') == 2
    assert b'{target="b"}' not in before
    assert page.begin("")().text().count(b"} 2\n") >= 3


def test_pages_that_are_made_in_another_order_than_begun_show_the_latest() -> None:
    page = Exposition(OwnMetrics())
    page.put("a", lines("a", {FAMILIES[0]: 1}))
    first = page.begin("")
    page.remove("a")
    page.put("b", lines("b", {FAMILIES[0]: 1}))
    second = page.begin("")
    assert b'{target="a"}' not in second().text()
    assert b'{target="a"}' not in (late := first().text())
    assert b'{target="b"}' in late


def test_an_error_in_the_middle_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Exposition(OwnMetrics())
    for place in range(3):
        page.put(f"t{place}", lines(f"t{place}", {FAMILIES[0]: 1, FAMILIES[1]: 1}))
    shown(page)
    page.put("t0", lines("t0", {FAMILIES[0]: 2, FAMILIES[1]: 2}))
    page.put("t3", lines("t3", {FAMILIES[0]: 2, FAMILIES[1]: 2}))
    page.remove("t1")
    left = 0

    def piece(text: bytes) -> Piece:
        nonlocal left
        left -= 1
        if left < 0:
            raise MemoryError
        return Piece(text)

    monkeypatch.setattr("exporter.metrics.groups.Piece", piece)
    for number_of_pieces in range(6):  # two families, by each of the three changes
        left = number_of_pieces
        with contextlib.suppress(MemoryError):  # parts are done after some attempts
            shown(page)
    left = 100
    expected = [lines(f"t{place}", dict.fromkeys(FAMILIES[:2], 1 if place == 2 else 2)) for place in (0, 2, 3)]
    assert shown(page) == target_text(expected)


def test_what_waits_is_compressed_without_a_scrape() -> None:
    async def run() -> None:
        page, packed = Exposition(OwnMetrics()), asyncio.Event()
        threads: set[str] = set()

        async def in_thread(pack: Callable[[], None]) -> None:
            def work() -> None:
                threads.add(threading.current_thread().name)
                pack()

            await asyncio.to_thread(work)
            packed.set()

        task = asyncio.create_task(page.keep_packed(in_thread))
        for place in range(300):
            page.put(f"t{place}", lines(f"t{place}", {FAMILIES[0]: 1}))
        async with asyncio.timeout(60):
            await packed.wait()
        assert threading.current_thread().name not in threads
        task.cancel()
        assert len(page._groups.pieces(FAMILIES[0])) == 5  # noqa: SLF001 - five groups of at most 64
        assert shown(page).count("{target=") == 300

    asyncio.run(run())


def test_targets_that_come_and_go_without_a_scrape_do_not_wait_for_ever() -> None:
    """Nor do they when there was no memory or no thread for those before."""

    async def run() -> None:
        page, errors, packed = Exposition(OwnMetrics()), [MemoryError(), RuntimeError()], asyncio.Event()

        async def in_thread(pack: Callable[[], None]) -> None:
            if errors:
                raise errors.pop()
            pack()
            packed.set()

        task = asyncio.create_task(page.keep_packed(in_thread))
        for place in range(1000):
            page.put(f"t{place}", lines(f"t{place}", {FAMILIES[0]: 1}))
            page.remove(f"t{place}")
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await packed.wait()
        task.cancel()
        assert len(page._news.gone) < 1000 / 2  # noqa: SLF001 - memory depends on it
        assert shown(page) == ""

    asyncio.run(run())


# --- prometheus_client renders the same -------------------------------------------------------------------------------


class _Samples(Collector):
    """The samples of reports, as a collector of prometheus_client."""

    def __init__(self, *reports: Report) -> None:
        self._reports = reports

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `prometheus_client.registry.Collector`."""
        samples = [(one, sample) for one in self._reports for sample in report_samples(one, [KOPANO])]
        for family in FAMILIES:
            metric = GaugeMetricFamily(family.name, family.help)
            for one, sample in samples:
                if sample.family == family:
                    labels = {"target": one.target.name, **one.target.labels, **sample.labels}
                    safe = {name: escaped(str(value)) for name, value in labels.items()}
                    metric.add_sample(family.name, safe, sample.value)
            if metric.samples:
                yield metric


class _Parsed(Collector):
    """What prometheus_client's parser reads in a text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `prometheus_client.registry.Collector`."""
        yield from parse_text(self._text)  # type: ignore[misc] # the parser's families have this class's attributes


def by_client(collector: Collector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


@steady
@given(
    seen=st.lists(st.tuples(consistent_handshake_facts(), st.text(), st.text()), min_size=1, max_size=4),
    size=st.integers(1, 5),
)
def test_prometheus_client_makes_the_same_bytes_of_our_page_and_of_the_samples(
    seen: list[tuple[object, str, str]], size: int
) -> None:
    """Its order of labels and its form of numbers are others than ours, so both pass through its parser and writer."""
    reports = [
        report(facts(handshake, certificate(subject=subject)), target=make_target(name=f"t{at}", labels={"team": team}))
        for at, (handshake, subject, team) in enumerate(seen)
    ]
    page = Exposition(OwnMetrics())
    before, module.GROUP_SIZE = module.GROUP_SIZE, size
    try:
        for one in reports:
            page.put(one.target.name, render_reports([one], [KOPANO], full=True))
            page.begin("")()
        text = shown(page)
    finally:
        module.GROUP_SIZE = before
    assert by_client(_Parsed(text)) == by_client(_Samples(*reports))

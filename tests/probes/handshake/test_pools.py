"""Several machines behind one address, and servers that refuse at random: no verdict is wrong for one of them.

What a scan reports as accepted, some machine accepts. What it reports as refused, or as a complete list, is true for
every machine that it reached. `docs/pools.md` has the figures of the simulation here.
"""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.pools import GOOD, NO_TLS13, OLD, OTHER_CERTIFICATE, RC4, SIZES, WEAK, measure, passes
from exporter.errors import ProbeError
from exporter.tls.suites import VERSION_CODES, suite_name
from tests.support.pools import AtRandom, ByTurns, Noisy
from tests.support.scripted import Stack
from tests.support.targets import read_scripted as read

DOCUMENT = Path(__file__).parents[3] / "docs" / "pools.md"


@pytest.mark.parametrize("weak", [OLD, NO_TLS13, OTHER_CERTIFICATE])
@pytest.mark.parametrize("start", range(3))
def test_one_of_three_machines_that_take_turns_is_never_passed(weak: Stack, start: int) -> None:
    assert not passes(read(ByTurns((GOOD, GOOD, weak), start))[0])


def test_a_contradiction_makes_every_no_unknown() -> None:
    facts, _ = read(ByTurns((GOOD, GOOD, NO_TLS13)))
    assert facts.contradictions
    assert False not in facts.protocols.values()
    assert set(facts.cipher_suites_incomplete) == set(facts.accepted)
    assert set(facts.cipher_order.values()) == {None}
    assert facts.compression is None
    assert facts.post_quantum is None
    assert not any(listing.complete for listing in facts.groups.values())
    assert False not in facts.heartbeat.values()


def test_equal_machines_are_one_server() -> None:
    facts, seen = read(ByTurns((GOOD, GOOD, GOOD)))
    alone, seen_alone = read(GOOD)
    assert passes(alone)
    assert replace(facts, hellos={}) == replace(alone, hellos={})
    assert seen.connections == seen_alone.connections


_ROW = re.compile(r"^\| (.+?) \| (\d+) \| ([0-9.]+)% \| ([0-9.]+)% \| ([0-9.]+)% \|$", re.MULTILINE)
FIGURES = {(weak, int(size)): tuple(map(float, shares)) for weak, size, *shares in _ROW.findall(DOCUMENT.read_text())}


def test_the_document_has_figures_for_every_pool() -> None:
    assert set(FIGURES) == {(weak, size) for weak in WEAK for size in SIZES}


def test_one_of_three_that_was_found_out_is_hardly_passed_again() -> None:
    assert all(again <= 1 for (_, size), (_, _, again) in FIGURES.items() if size <= 3)


@pytest.mark.parametrize("weak", WEAK)
def test_the_simulation_shows_what_the_document_says(weak: str) -> None:
    """Of ten scans each, so with much room: less than one run in ten thousand lies outside of it by chance."""
    row = asyncio.run(measure(weak, 3, 10))
    for measured, documented in zip((row.by_turns, row.at_random, row.again), FIGURES[weak, 3], strict=True):
        assert abs(100 * measured - documented) <= 60


@pytest.mark.parametrize("weak", [OLD, RC4])
def test_a_pool_that_was_found_out_once_is_not_passed_again(weak: Stack) -> None:
    """Each refusal that was none in the scan before is asked for until all machines must have been reached."""
    before, _ = read(weak)
    scans = [read(AtRandom((GOOD, GOOD, weak), seed), before=before) for seed in range(12)]
    assert not any(passes(facts) for facts, _ in scans)


def test_a_server_that_was_mended_is_known_to_be_after_one_scan() -> None:
    before, _ = read(OLD)
    facts, seen = read(GOOD, before=before)
    assert passes(facts)
    _, without = read(GOOD)
    assert seen.connections == without.connections + 15 + 16  # TLS 1.1 once less, since it was asked anyway; TLS 1.0
    assert read(GOOD, before=facts)[1].connections == without.connections


@pytest.mark.parametrize("server", [OLD, RC4])
def test_one_alert_in_ten_at_random_hides_nothing(server: Stack) -> None:
    passed = 0
    for seed in range(12):
        try:
            passed += passes(read(Noisy(server, seed))[0])
        except ProbeError:
            continue
    assert passed == 0


_suites = st.lists(st.sampled_from([0xC02F, 0xC030, 0x002F, 0x0035, 0x0005, 0xC013, 0x009C]), min_size=1, unique=True)
_machine = st.fixed_dictionaries({}, optional={v: _suites.map(tuple) for v in (0x0300, 0x0301, 0x0302, 0x0303)}).filter(
    bool
)


_SSL3 = {0x0300: (0xC02F, 0xC030, 0x002F, 0x0035)}


@settings(max_examples=settings().max_examples // 4)
@example([{0x0301: (0xC02F,), **_SSL3}, _SSL3, {0x0300: (0xC02F, 0xC030, 0x002F)}], 2)  # refused by an older version
@given(st.lists(_machine, min_size=2, max_size=3), st.integers(0, 2))
def test_what_is_said_of_a_pool_in_doubt_is_true_of_every_machine(
    machines: list[dict[int, tuple[int, ...]]], start: int
) -> None:
    """In doubt since the scan before: each refusal is asked for as often as it takes to reach all who take turns."""
    before, _ = read(ByTurns((GOOD, NO_TLS13)))
    assert before.contradictions
    try:
        facts, _ = read(ByTurns([Stack(accepted) for accepted in machines], start), before=before)
    except ProbeError:
        return
    for protocol, accepted in facts.protocols.items():
        having = [VERSION_CODES[protocol] in machine for machine in machines]
        assert accepted is None or (any(having) if accepted else not any(having)), (protocol, facts)
    for protocol, names in facts.cipher_suites.items():
        union = {suite_name(code) for machine in machines for code in machine.get(VERSION_CODES[protocol], ())}
        assert set(names) <= union
        assert protocol in facts.cipher_suites_incomplete or set(names) == union, (protocol, facts)

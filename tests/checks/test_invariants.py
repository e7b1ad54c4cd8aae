"""What holds for every check: unknown is never a pass, whatever else was seen."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.case import Case
from exporter.checks.base import Check, Demand
from exporter.checks.cipher_suites import CHECK as CIPHER_SUITES
from exporter.checks.forward_secrecy import CHECK as FORWARD_SECRECY
from exporter.checks.registry import CHECKS
from exporter.derived.registry import DERIVATIONS
from exporter.model import Protocol, Verdict
from exporter.probes.handshake import HandshakeFacts
from tests.support.facts import GCM, KOPANO, TLS13_AES, case, handshake_facts, steady

DEMANDS: list[tuple[Check[Any], Demand]] = [
    *((check, KOPANO.demands[check.name]) for check in CHECKS if check.name in KOPANO.demands),
    (FORWARD_SECRECY, FORWARD_SECRECY.demand.model_validate({"severity": "info", "source": "test", "required": True})),
    (
        CIPHER_SUITES,
        CIPHER_SUITES.demand.model_validate(
            {"severity": "info", "source": "test", "allowed": [GCM], "tls13_allowed": [TLS13_AES]}
        ),
    ),
]
each_demand = pytest.mark.parametrize(("check", "demand"), DEMANDS, ids=lambda value: getattr(value, "name", ""))


def derived(seen: Case) -> Case:
    """The case with what follows from its facts, as checks get it."""
    for derivation in DERIVATIONS:
        part = derivation.derive(seen)
        if part is not None:
            seen = replace(seen, facts=seen.facts.with_part(part, seen.now))
    return seen


def verdict(check: Check[Any], demand: Demand, facts: HandshakeFacts) -> Verdict:
    return check.judge(derived(case(facts)), demand).verdict


@st.composite
def less_known(draw: st.DrawFn) -> tuple[HandshakeFacts, HandshakeFacts]:
    """Facts, and the same with one thing less known."""
    facts = draw(handshake_facts())
    protocol = draw(st.sampled_from(Protocol))
    without = {key: names for key, names in facts.cipher_suites.items() if key is not protocol}
    ways: list[dict[str, Any]] = [
        {"protocols": dict(facts.protocols) | {protocol: None}},
        {"incomplete": facts.incomplete | {protocol}},
        {"cipher_order": dict(facts.cipher_order) | {protocol: None}},
        {"compression": None},
    ]
    if facts.protocols.get(protocol):
        ways.append({"cipher_suites": without})
    return facts, replace(facts, **draw(st.sampled_from(ways)))


@each_demand
@steady
@given(pair=less_known())
def test_knowing_less_never_brings_a_pass(
    check: Check[Any], demand: Demand, pair: tuple[HandshakeFacts, HandshakeFacts]
) -> None:
    facts, less = pair
    if verdict(check, demand, facts) is not Verdict.PASS:
        assert verdict(check, demand, less) is not Verdict.PASS


@each_demand
def test_no_facts_at_all_never_pass(check: Check[Any], demand: Demand) -> None:
    outcome = check.judge(case(), demand)
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.summary


@each_demand
@pytest.mark.parametrize(
    "protocols", [{}, dict.fromkeys(Protocol), dict.fromkeys(Protocol, False)], ids=["missing", "unknown", "refused"]
)
def test_a_handshake_that_told_nothing_never_passes(
    check: Check[Any], demand: Demand, protocols: dict[Protocol, bool | None]
) -> None:
    nothing = HandshakeFacts(protocols, {}, frozenset(), {}, None)
    assert verdict(check, demand, nothing) is Verdict.UNKNOWN


@each_demand
@steady
@given(facts=handshake_facts())
def test_every_outcome_says_why_in_one_line(check: Check[Any], demand: Demand, facts: HandshakeFacts) -> None:
    outcome = check.judge(case(facts), demand)
    assert outcome.summary.isprintable()
    assert outcome.summary == outcome.summary.strip() != ""
    assert all(items for items in outcome.evidence.values())


def test_names_of_checks_are_unique_and_policies_ask_for_no_others() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert set(KOPANO.demands) <= set(names)

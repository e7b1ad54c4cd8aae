"""Properties of every check: unknown is never a pass, whatever the other facts are."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.case import Case
from exporter.checks.registry import CHECKS
from exporter.derived.registry import DERIVATIONS
from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.judging.check import Check, Demand
from exporter.model import Protocol, Verdict
from exporter.tls.suites import BY_ANY_NAME
from tests.support.facts import GCM, KOPANO, TLS13_AES, case, handshake_facts, steady
from tests.support.targets import NOW

FROM_DERIVED = {"vulnerabilities"}
"""Checks here that look at what follows from the handshake; deriving it takes longer than judging."""
PSS = "rsa_pss_rsae_sha256"


def demands(check: Check[Any], *sections: dict[str, Any]) -> list[tuple[Check[Any], Demand]]:
    """The check with each of these sections of a policy."""
    return [
        (check, check.demand.model_validate({"severity": "info", "source": "test"} | section)) for section in sections
    ]


BY_NAME = {check.name: check for check in CHECKS}
DEMANDS: list[tuple[Check[Any], Demand]] = [
    *((check, KOPANO.demands[check.name][0]) for check in CHECKS if check.name in KOPANO.demands),
    *demands(BY_NAME["protocols"], {"required": ["TLSv1.2"]}, {"forbidden": ["TLSv1.0"]}),
    *demands(BY_NAME["cipher_order"], {"required": "client"}, {"required": "either"}),
    *demands(BY_NAME["forward_secrecy"], {"required": True}),
    *demands(
        BY_NAME["cipher_suites"],
        {"allowed": [GCM], "tls13_allowed": [TLS13_AES]},
        {"allowed": [{"where": "aead"}], "tls13_allowed": None},
        {"forbidden": [{"where": "not forward_secrecy"}]},
        {"required": [GCM, {"where": "tls13"}]},
        {"prefer": [{"where": "aead"}, {"where": "cbc"}]},
    ),
    *demands(
        BY_NAME["key_exchange_groups"], {"allowed": ["x25519"]}, {"required": ["x25519"]}, {"forbidden": ["MLKEM768"]}
    ),
    *demands(BY_NAME["dh_parameters"], {"min_bits": 2048}, {"named_only": True}),
    *demands(
        BY_NAME["signature_schemes"], {"allowed": [PSS]}, {"required": [PSS]}, {"forbidden": ["rsa_pkcs1_sha256"]}
    ),
    *demands(BY_NAME["extensions"], {"required": ["session_tickets"]}, {"forbidden": ["heartbeat", "session_tickets"]}),
    *demands(BY_NAME["certificate_lifetime"], {"max_days": 90}),
    *demands(BY_NAME["certificate_key"], {"min_rsa_bits": 2048}),
    *demands(BY_NAME["certificate_signature"], {"forbidden": ["sha1"]}),
]
each_demand = pytest.mark.parametrize(("check", "demand"), DEMANDS, ids=lambda value: getattr(value, "name", ""))


def derived(seen: Case) -> Case:
    """The case with what follows from its facts, as checks get it."""
    for derivation in DERIVATIONS:
        part = derivation.derive(seen)
        if part is not None:
            seen = replace(seen, facts=seen.facts.with_part(part, NOW))
    return seen


def verdict(check: Check[Any], demand: Demand, facts: HandshakeFacts) -> Verdict:
    seen = case(facts)
    return check.judge(derived(seen) if check.name in FROM_DERIVED else seen, demand).verdict


@st.composite
def less_known(draw: st.DrawFn) -> tuple[HandshakeFacts, HandshakeFacts]:
    """Facts that a server can have, and the same with one thing less known.

    A suite of TLS 1.3 in an older protocol is not possible. A policy that requires such a suite counts it there.
    """
    facts = draw(handshake_facts())
    possible = {
        protocol: tuple(name for name in names if BY_ANY_NAME[name].tls13 is (protocol is Protocol.TLS1_3))
        for protocol, names in facts.cipher_suites.items()
    }
    facts = replace(facts, cipher_suites=possible)
    protocol = draw(st.sampled_from(Protocol))
    without = {key: names for key, names in facts.cipher_suites.items() if key is not protocol}
    ways: list[dict[str, Any]] = [
        {"protocols": dict(facts.protocols) | {protocol: None}},
        {"cipher_suites_incomplete": facts.cipher_suites_incomplete | {protocol}},
        {"cipher_order": dict(facts.cipher_order) | {protocol: None}},
        {"compression": None},
        {"extensions": {}, "heartbeat": {key: one for key, one in facts.heartbeat.items() if key is not protocol}},
        {"groups": {key: Listing(one.names, complete=False) for key, one in facts.groups.items()}},
        {"groups": {}},
        {"dh_primes": facts.dh_primes[1:]},
        {"signature_schemes": None},
    ]
    if facts.signature_schemes is not None:
        ways.append({"signature_schemes": replace(facts.signature_schemes, complete=False)})
    if facts.protocols.get(protocol):
        ways.append({"cipher_suites": without})
    return facts, replace(facts, **draw(st.sampled_from(ways)))


@steady
@given(pair=less_known())
def test_knowing_less_never_brings_a_pass_or_turns_one_into_a_failure(
    pair: tuple[HandshakeFacts, HandshakeFacts],
) -> None:
    for check, demand in DEMANDS:
        known, less = (verdict(check, demand, facts) for facts in pair)
        assert less is not Verdict.PASS or known is Verdict.PASS, (check.name, demand)
        assert less is not Verdict.FAIL or known is not Verdict.PASS, (check.name, demand)


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


@steady
@given(facts=handshake_facts())
def test_every_outcome_says_why_in_one_line(facts: HandshakeFacts) -> None:
    for check, demand in DEMANDS:
        outcome = check.judge(case(facts), demand)
        assert outcome.summary.isprintable()
        assert outcome.summary == outcome.summary.strip() != ""
        assert all(items for items in outcome.evidence.values())


@each_demand
def test_every_demand_is_said_in_a_line(check: Check[Any], demand: Demand) -> None:
    said = check.asks(demand)
    assert said.isprintable()
    assert said == said.strip() != ""


def test_names_of_checks_are_unique_and_policies_ask_for_no_others() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert set(KOPANO.demands) <= set(names)

"""All attacks together: which were tested and when, how they are shown, and the effect of fewer facts."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.case import Case, Neighbours
from exporter.derived.attacks import CLASSIC, is_finite_field
from exporter.derived.registry import DERIVATIONS
from exporter.derived.verdicts import Attack
from exporter.derived.vulnerabilities import DERIVATION, VULNERABLE, Vulnerabilities
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.facts.signature import signature
from exporter.facts.vulnerabilities import POSSIBLE, Tried, VulnerabilityFacts, lifetime
from exporter.model import Facts, Protocol
from exporter.moments import Now
from tests.support.facts import CBC_RSA, GCM, RC4, TLS13_AES, certificate, facts, handshake, steady
from tests.support.targets import NOW, make_target

TLS1_0, TLS1_2, TLS1_3 = Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3
EVERY = timedelta(hours=24)
TARGET = make_target(vulnerability_interval=EVERY)
OLD = handshake({TLS1_0: (CBC_RSA,)}, heartbeat={TLS1_0: True}, extensions={"secure_renegotiation": False})
NEW = handshake({TLS1_3: (TLS13_AES,)})
OPEN = handshake({TLS1_3: (TLS13_AES,)}, open_protocols=[TLS1_2])
TRIED = [Attack.HEARTBLEED, Attack.CCS_INJECTION, Attack.ROBOT, Attack.CLIENT_RENEGOTIATION]


def derive(*parts: object, **target: Any) -> Vulnerabilities:  # noqa: ANN401 - any field of Target
    derived = DERIVATION.derive(Case(replace(TARGET, **target), facts(*parts), Now(NOW)))
    assert derived is not None
    return derived


def told(attack: Attack, *parts: object, **target: Any) -> bool | None:  # noqa: ANN401 - as above
    return derive(*parts, **target).verdicts[attack].vulnerable


def tried(vulnerable: bool | None, ago: timedelta = timedelta(0), detail: str = "") -> VulnerabilityFacts:
    return VulnerabilityFacts({attack: Tried(vulnerable, detail, NOW - ago) for attack in TRIED})


@pytest.mark.parametrize("attack", TRIED)
def test_what_cannot_work_needs_no_try(attack: Attack) -> None:
    assert told(attack, NEW) is False
    assert told(attack, NEW, vulnerability_interval=None) is False
    assert told(attack, NEW, tried(True)) is False


@pytest.mark.parametrize("attack", TRIED)
@pytest.mark.parametrize("vulnerable", [True, False, None])
def test_else_a_try_tells(attack: Attack, vulnerable: bool | None) -> None:
    assert told(attack, OLD, tried(vulnerable)) is vulnerable
    assert told(attack, OPEN, tried(vulnerable)) is vulnerable


@pytest.mark.parametrize("attack", TRIED)
def test_without_a_try_it_is_not_known(attack: Attack) -> None:
    assert told(attack, OLD) is None
    assert told(attack, OPEN) is None
    assert told(attack, OLD, VulnerabilityFacts()) is None


@pytest.mark.parametrize("attack", TRIED)
@pytest.mark.parametrize("vulnerable", [True, False])
def test_an_answer_of_a_server_that_looked_different_tells_nothing(attack: Attack, vulnerable: bool) -> None:
    seen = signature(Facts().with_part(OLD, NOW), TARGET)
    facts, other = (
        VulnerabilityFacts({attack: Tried(vulnerable, "", NOW, one)}) for one in (seen, (("SSLv3", "True"), *seen[2:]))
    )
    assert told(attack, OLD, facts) is vulnerable
    assert told(attack, OLD, other) is None


@pytest.mark.parametrize("attack", TRIED)
def test_one_machine_does_not_clear_the_others_at_its_address(attack: Attack) -> None:
    several = replace(OLD, contradictions=("TLSv1.0: certificate",))
    assert told(attack, several, tried(False)) is None
    assert told(attack, several, tried(True)) is True


@pytest.mark.parametrize("attack", TRIED)
def test_an_answer_holds_as_long_as_its_lifetime(attack: Attack) -> None:
    long = lifetime(TARGET)
    assert told(attack, OLD, tried(True, long)) is True
    assert told(attack, OLD, tried(True, long + timedelta(seconds=1))) is None
    assert told(attack, OLD, tried(False, long + timedelta(seconds=1))) is None


@pytest.mark.parametrize("attack", TRIED)
def test_where_nothing_is_tried_no_answer_stands(attack: Attack) -> None:
    assert told(attack, OLD, tried(True), vulnerability_interval=None) is None


def test_what_a_try_says_is_told_to_a_person() -> None:
    one = derive(OLD, tried(True, detail="strong oracle")).verdicts[Attack.ROBOT]
    assert one.why == "distinguishes right from wrong padding of what is encrypted to its key: strong oracle"
    assert one.evidence == ("tried on 2026-11-22: strong oracle",)


def test_a_granted_renegotiation_without_rfc_5746_is_an_insecure_one() -> None:
    assert told(Attack.INSECURE_RENEGOTIATION, OLD, tried(True)) is True
    assert told(Attack.INSECURE_RENEGOTIATION, OLD, tried(True, lifetime(TARGET) * 2)) is None
    assert told(Attack.INSECURE_RENEGOTIATION, OLD, tried(False)) is None
    assert told(Attack.INSECURE_RENEGOTIATION, OLD, tried(False, detail="granted 5 in a row")) is True
    assert told(Attack.INSECURE_RENEGOTIATION, OLD, tried(None, detail="the server did not answer")) is None


def test_without_a_handshake_nothing_follows() -> None:
    assert DERIVATION.derive(Case(TARGET, facts(certificate(), tried(True)), Now(NOW))) is None


def test_every_attack_has_a_verdict_with_its_reason_and_source() -> None:
    for derived in (derive(OLD), derive(NEW), derive(OPEN), derive(OLD, tried(True))):
        assert list(derived.verdicts) == list(Attack)
        for one in derived.verdicts.values():
            assert one.why.isprintable()
            assert one.why
            assert "CVE-" in one.source
            assert bool(one.evidence) is (one.vulnerable is True)


def test_unknown_is_absent_from_the_metrics_and_null_in_the_document() -> None:
    derived = derive(OLD)
    shown = {sample.labels["vulnerability"]: sample.value for sample in DERIVATION.shape.samples(derived)}
    assert shown["beast"] == 1
    assert shown["rc4"] == 0
    assert "heartbleed" not in shown
    document = DERIVATION.shape.document(derived)["vulnerabilities"]
    assert document == {attack.value: verdict.vulnerable for attack, verdict in derived.verdicts.items()}
    assert VULNERABLE.help.endswith("(as of the last scan)")
    assert DERIVATION in DERIVATIONS


def test_a_good_server_is_open_to_nothing() -> None:
    good = handshake({TLS1_2: (GCM,), TLS1_3: (TLS13_AES,)}, heartbeat={TLS1_2: False})
    verdicts = derive(good, tried(False), certificate()).verdicts
    assert {one.vulnerable for one in verdicts.values()} == {False}


# --- less known is never more -----------------------------------------------------------------------------------------

KEY = "aa" * 32
SUITES = st.sampled_from(
    [
        *(GCM, CBC_RSA, RC4, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "0xFEED"),
        *("TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA", "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA", "TLS_DHE_PSK_WITH_NULL_SHA"),
        *("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_DH_anon_WITH_RC4_128_MD5"),
    ]
)
TRISTATE = st.sampled_from([True, False, None])
PRIMES = st.sampled_from(
    [(), (Prime(512), Prime(2048)), (Prime(1024),), (Prime(1024, "1024 bits of RFC 2409"),), (Prime(2048),)]
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any facts that scans can have: tested attacks can work, and a prime implies a suite that uses one."""
    protocols = {protocol: draw(TRISTATE) for protocol in Protocol}
    accepted = [protocol for protocol, state in protocols.items() if state]
    suites = {protocol: draw(st.lists(SUITES, unique=True, max_size=3).map(tuple)) for protocol in accepted}
    known = HandshakeFacts(
        protocols,
        suites,
        draw(st.sets(st.sampled_from(Protocol), max_size=2).map(frozenset)),
        {},
        draw(TRISTATE),
        extensions={"secure_renegotiation": draw(TRISTATE)},
        heartbeat={protocol: draw(st.booleans()) for protocol in accepted},
        dh_primes=draw(PRIMES) if any(is_finite_field(name) for p in CLASSIC for name in suites.get(p, ())) else (),
    )
    possible = [attack for attack in TRIED if POSSIBLE[attack](known) is not False]
    answers = {str(attack): Tried(draw(TRISTATE), "", NOW) for attack in possible if draw(st.booleans())}
    parts: list[object] = [known, VulnerabilityFacts(answers)]
    if draw(st.booleans()):
        parts.append(certificate(key_algorithm="RSA", spki_sha256=KEY))
    near = [draw(st.sampled_from([{}, {KEY: ("mail",)}, {"bb" * 32: ("mail",)}])) for _ in range(2)]
    return Case(TARGET, facts(*parts), Now(NOW), Neighbours(*near))


def lesser_handshakes(known: HandshakeFacts) -> Iterator[HandshakeFacts]:
    for protocol in Protocol:
        without: Mapping[Protocol, Any] = {p: names for p, names in known.cipher_suites.items() if p is not protocol}
        yield replace(known, protocols=dict(known.protocols) | {protocol: None})
        yield replace(known, cipher_suites_incomplete=known.cipher_suites_incomplete | {protocol})
        yield replace(known, cipher_suites=without)
        yield replace(known, heartbeat={p: has for p, has in known.heartbeat.items() if p is not protocol})
    yield replace(known, compression=None)
    yield replace(known, extensions={})
    yield replace(known, dh_primes=())


def lesser(case: Case) -> Iterator[Case]:
    """The same case with one thing less known."""
    known = case.facts.get(HandshakeFacts)
    assert known is not None
    for less in lesser_handshakes(known):
        yield replace(case, facts=case.facts.with_part(less, NOW))
    answers = case.facts.get(VulnerabilityFacts)
    for attack in answers.attacks_tried if answers else ():
        left = {name: one for name, one in answers.attacks_tried.items() if name != attack} if answers else {}
        yield replace(case, facts=case.facts.with_part(VulnerabilityFacts(left), NOW))
    yield replace(case, facts=Facts().over(case.facts).without([CertificateFacts]))
    near = case.neighbours
    yield replace(case, neighbours=Neighbours({}, dict(near.unclear_keys) | dict(near.ssl2_keys)))


@steady
@given(case=cases())
def test_knowing_less_never_turns_a_verdict_round(case: Case) -> None:
    full = DERIVATION.derive(case)
    assert full is not None
    for less in lesser(case):
        derived = DERIVATION.derive(less)
        assert derived is not None
        for attack, one in derived.verdicts.items():
            assert one.vulnerable in {None, full.verdicts[attack].vulnerable}, attack

"""With fewer facts, the grade is unknown or the same: never a different one, never a better one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.facts.vulnerabilities import VulnerabilityFacts
from exporter.grade import Grade, evaluate
from exporter.grade.material import HstsRating, Material, Sizes
from exporter.model import CipherOrder, Protocol, TrustFailure
from tests.grade.test_table import ANONYMOUS, DES3, DHE, ECDHE_CBC, EXPORT, GCM_RSA, NULL, RC4_RSA, graded
from tests.support.facts import (
    GCM,
    GCM_128,
    TLS13_AES,
    certificates,
    deployment,
    handshake,
    handshake_facts,
    http,
    steady,
    tried,
)

_TRISTATE = st.sampled_from([True, False, None])
_NAMES = (GCM, GCM_128, GCM_RSA, RC4_RSA, DES3, DHE, NULL, EXPORT, ANONYMOUS, ECDHE_CBC)
_TRIED = ("heartbleed", "ccs_injection", "robot", "client_renegotiation")


@st.composite
def handshakes(draw: st.DrawFn) -> HandshakeFacts:
    """What the engine may give, weak suites more often than in life."""
    accepted = draw(st.lists(st.sampled_from(Protocol), unique=True, min_size=1))
    lists = st.lists(st.sampled_from(_NAMES), unique=True, min_size=1, max_size=4).map(tuple)
    suites = {protocol: (TLS13_AES,) if protocol is Protocol.TLS1_3 else draw(lists) for protocol in accepted}
    others = [protocol for protocol in Protocol if protocol not in accepted]
    return handshake(
        suites,
        open_protocols=[protocol for protocol in others if draw(st.integers(0, 9)) == 0],
        incomplete=[protocol for protocol in accepted if draw(st.integers(0, 9)) == 0],
        order={protocol: draw(st.sampled_from([*CipherOrder, None])) for protocol in accepted},
        compression=draw(_TRISTATE),
        extensions={"secure_renegotiation": draw(_TRISTATE)},
        heartbeat=dict.fromkeys(accepted, False),
        dh_primes=draw(st.sampled_from([(), (Prime(1024),), (Prime(2048),)])),
    )


@st.composite
def chains(draw: st.DrawFn) -> CertificateFacts:
    """One chain, with any faults."""
    failures = tuple(draw(st.lists(st.sampled_from(TrustFailure), unique=True, max_size=2)))
    one = deployment(
        key_size_bits=draw(st.sampled_from([None, 160, 256, 384])),
        signature_hash=draw(st.sampled_from([None, "md5", "sha1", "sha256"])),
        trusted=draw(_TRISTATE),
        failures=failures,
        complete=draw(_TRISTATE),
        hostname_match=draw(st.booleans()),
    )
    return certificates(one, complete=draw(st.booleans()))


_RESPONSES = st.sampled_from([http(), http("bad"), http("max-age=0"), http("max-age=1"), http("max-age=31536000")])
_ATTEMPTS = st.fixed_dictionaries(dict.fromkeys(_TRIED, st.sampled_from([False, None]))).map(tried)
"""None that worked: that counts until it is known to be impossible, and would then be the one thing known no more."""
PARTS = st.tuples(handshakes() | handshake_facts(), chains(), _RESPONSES, _ATTEMPTS)


def less_of(part: Any, draw: st.DrawFn) -> Any:  # noqa: ANN401 - any facts
    """The same with one known thing less, or without the complete part (None)."""
    if draw(st.integers(0, 4)) == 0:
        return None
    protocol = draw(st.sampled_from(Protocol))
    match part:
        case HandshakeFacts():
            return draw(
                st.sampled_from(
                    [
                        replace(part, protocols=dict(part.protocols) | {protocol: None}),
                        replace(part, cipher_suites_incomplete=part.cipher_suites_incomplete | {protocol}),
                        replace(part, cipher_order=dict(part.cipher_order) | {protocol: None}),
                        replace(part, cipher_suites=dict(part.cipher_suites) | {protocol: ()}),
                        replace(part, compression=None),
                        replace(part, extensions={}),
                    ]
                )
            )
        case CertificateFacts():
            one = part.first
            less = draw(
                st.sampled_from(
                    [
                        replace(one, trusted=None, complete=None, failures=()),
                        replace(one, chain=(replace(one.leaf, key_size_bits=None), *one.chain[1:])),
                        replace(one, chain=(replace(one.leaf, signature_hash=None), *one.chain[1:])),
                    ]
                )
            )
            return draw(
                st.sampled_from([replace(part, deployments_complete=False), replace(part, deployments=(less,))])
            )
        case VulnerabilityFacts():
            name = draw(st.sampled_from(sorted(part.attacks_tried)))
            return replace(part, attacks_tried={key: one for key, one in part.attacks_tried.items() if key != name})
        case _:
            return None


def known(*parts: object) -> Grade | None:
    return graded(*(part for part in parts if part is not None))


def assert_no_more_is_known(less: Grade | None, more: Grade | None) -> None:
    if less is None:
        return
    assert more is not None
    assert less.letter in {None, more.letter}
    assert less.trust_ignored in {None, more.trust_ignored}
    assert less.score in {None, more.score}
    assert less.at_best.rank >= more.at_best.rank or not less.at_best.on_scale
    for name, score in less.categories.items():
        assert score in {None, more.categories[name]}
    assert set(less.caps) <= set(more.caps)


@st.composite
def two_states_of_knowledge(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """All facts, and the same with one of them less."""
    parts = list(draw(PARTS))
    place = draw(st.integers(0, len(parts) - 1))
    return parts, [less_of(part, draw) if at == place else part for at, part in enumerate(parts)]


@steady
@given(two_states_of_knowledge())
def test_knowing_less_gives_the_same_grade_or_none(states: tuple[list[Any], list[Any]]) -> None:
    more, less = states
    assert_no_more_is_known(known(*less), known(*more))


_SIZES = st.builds(
    Sizes,
    st.lists(st.sampled_from([0, 40, 112, 128, 256, 512, 1024, 2048, 4096]), unique=True, max_size=3).map(tuple),
    whole=st.booleans(),
)
_UNKNOWN: Mapping[str, Any] = {
    name: Sizes((), whole=False) if name in {"ciphers", "keys", "primes"} else {} if name == "protocols" else None
    for name in Material.__dataclass_fields__
}
_SPECIAL = {
    "protocols": st.dictionaries(st.sampled_from(Protocol), _TRISTATE),
    "hsts": st.none() | st.sampled_from(HstsRating),
    **dict.fromkeys(("ciphers", "keys", "primes"), _SIZES),
}
MATERIALS = st.builds(Material, **{name: _SPECIAL.get(name, _TRISTATE) for name in _UNKNOWN})


@steady
@given(MATERIALS, st.sets(st.sampled_from(sorted(_UNKNOWN))))
def test_any_material_has_a_grade_and_less_of_it_the_same_or_none(material: Material, hidden: set[str]) -> None:
    less = replace(material, **{name: _UNKNOWN[name] for name in hidden})
    assert_no_more_is_known(evaluate(less), evaluate(material))


@steady
@given(MATERIALS)
def test_a_grade_is_known_or_says_what_is_missing(material: Material) -> None:
    grade = evaluate(material)
    assert bool(grade.missing) is (None in {grade.letter, grade.trust_ignored})
    assert grade.letter in {None, grade.at_best}
    assert grade.letter is None or not grade.capped_by or grade.capped_by in grade.caps
    if grade.letter is not None and grade.letter != "A+":
        assert grade.lifts
        if grade.lifted is not None:
            assert grade.lifted.rank > grade.letter.rank or not grade.letter.on_scale
